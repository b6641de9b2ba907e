"""The statements about deliveries.

A target is owed one delivery for a source, by the URLs as they are written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, insert, select, update

from linkback.model import Delivery, Outcome
from linkback.store import rows
from linkback.store.keys import digest, parts, row_number
from linkback.store.schema import deliveries

_BY_ID = select(deliveries).where(deliveries.c.id == bindparam("of"))
_SINCE = select(deliveries.c.owed, deliveries.c.outcome).where(
    deliveries.c.id == bindparam("of"), deliveries.c.revision > bindparam("seen")
)
_LOCK = select(deliveries.c.id).where(deliveries.c.id == bindparam("of")).with_for_update()
_CHANGE = update(deliveries).where(deliveries.c.id == bindparam("of"))
_IF = {
    "if_revision": deliveries.c.revision == bindparam("if_revision"),
    "if_outcome": deliveries.c.outcome == bindparam("if_outcome"),
}


@cache
def _change(conditions: Collection[str]) -> Update:
    return _CHANGE.where(*(_IF[name] for name in conditions))


def add(connection: Connection, site: str, owed: Sequence[Delivery], now: datetime) -> list[Delivery]:
    """Record deliveries that are owed for the first time, and give them with their ids."""
    if not owed:
        return []
    new = [rows.owed(site, one, now) for one in owed]
    connection.execute(insert(deliveries), new)
    # not every database can give back the ids of what it inserts
    ids: dict[str, int] = {}
    for keys in parts([row["key"] for row in new]):
        chosen = select(deliveries.c.key, deliveries.c.id).where(deliveries.c.key.in_(keys))
        ids.update((row.key, row.id) for row in connection.execute(chosen))
    return [replace(one, id=str(ids[row["key"]])) for row, one in zip(new, owed, strict=True)]


def change(
    connection: Connection,
    id: str,
    changes: Mapping[str, Any],
    *,
    revision: int | None = None,
    outcome: Outcome | None = None,
) -> bool:
    """Change some columns of the delivery of that id, if it has that revision and that outcome; false where not."""
    given = {"if_revision": revision, "if_outcome": None if outcome is None else outcome.value}
    asked = {name: value for name, value in given.items() if value is not None}
    statement = _change(frozenset(asked))
    return connection.execute(statement, {"of": row_number(id), **asked, **changes}).rowcount == 1


def find(connection: Connection, id: str) -> Delivery | None:
    """The delivery of that id."""
    row = connection.execute(_BY_ID, {"of": row_number(id)}).first()
    return None if row is None else rows.delivery(row)


def since(connection: Connection, id: str, revision: int) -> Any:
    """The `owed` and `outcome` of the delivery of that id, None where it is of no later revision."""
    return connection.execute(_SINCE, {"of": row_number(id), "seen": revision}).first()


def listed(connection: Connection, site: str | None, source: str | None, *, lock: bool = False) -> list[Delivery]:
    """Deliveries in the order they were owed; with `lock` nobody else changes them until the transaction ends."""
    statement = select(deliveries).order_by(deliveries.c.id)
    if site is not None:
        statement = statement.where(deliveries.c.site == site)
    if source is not None:
        statement = statement.where(deliveries.c.source_key == digest(source))
    return [rows.delivery(row) for row in connection.execute(statement.with_for_update() if lock else statement)]


def lock(connection: Connection, id: str) -> None:
    """Have the row of a delivery to oneself until the transaction ends."""
    if connection.dialect.name != "sqlite":  # who writes there is alone
        connection.execute(_LOCK, {"of": row_number(id)}).first()
