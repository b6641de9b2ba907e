"""The statements about posts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from linkback.store import Edit
from linkback.store.schema import posts


def lock(connection: Connection, key: str) -> None:
    """Have the row of a post, where there is one, to oneself until the transaction ends."""
    # SQLite's driver begins a host's transaction with the first statement that writes; reads before it are apart
    connection.execute(update(posts).where(posts.c.key == key).values(gone=posts.c.gone))


def find(connection: Connection, key: str) -> Any:
    """The row of a post, None where there is none."""
    return connection.execute(select(posts).where(posts.c.key == key)).first()


def put(connection: Connection, key: str, edit: Edit, *, new: bool) -> None:
    """Write what a post says now."""
    values = {"content": edit.content, "gone": edit.gone, "changed": edit.now, "comes_out": edit.at}
    if new:
        connection.execute(insert(posts).values(key=key, site=edit.site, url=edit.source, **values))
    else:
        connection.execute(update(posts).where(posts.c.key == key).values(**values))
