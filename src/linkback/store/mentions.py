"""The statements about mentions and their protocols."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from linkback.model import Author, Mention, Status
from linkback.store import Verdict, rows
from linkback.store.decisions import page_keys
from linkback.store.keys import digest, row_number
from linkback.store.schema import mention_protocols, mentions

_AUTHOR = ("author_name", "author_url", "author_photo")
#: the columns of a mention in the order of its fields, so that a row is read by place and not by name, which would
#: cost a thread a quarter of its reading; one row for each protocol, as a second statement would cost as much
_READ = (
    *(mentions.c[name] for name in ("id", "site", "source", "target", "status", "received", "checked", "title")),
    *(mentions.c[name] for name in (*_AUTHOR, "excerpt", "published", "kind", "final_url")),
    *(mentions.c.missing_since, mentions.c.lost_since, mention_protocols.c.protocol),
)
_WITH_PROTOCOLS = (
    select(*_READ)
    .join_from(mentions, mention_protocols, isouter=True)
    .order_by(mentions.c.received, mentions.c.id, mention_protocols.c.position)
)
_LOCKED = select(mentions).where(mentions.c.key == bindparam("pair")).with_for_update()
_FOR = _WITH_PROTOCOLS.where(mentions.c.key == bindparam("pair"))
_ADD = insert(mentions)
_CHANGE = update(mentions).where(mentions.c.id == bindparam("of"))
_KNOWN = (
    select(mention_protocols.c.protocol)
    .where(mention_protocols.c.mention_id == bindparam("of"))
    .order_by(mention_protocols.c.position)
)
_UNITE = insert(mention_protocols)
_THERE = select(mentions.c.key).where(mentions.c.key.in_(bindparam("pairs", expanding=True)))
_ASKED = {
    "pages": mentions.c.page_key.in_(bindparam("pages", expanding=True)),
    # the site of those of a page: SQLite knows of no sizes, and by an index it would read all mentions of the site
    "site": mentions.c.site == bindparam("site"),
    "site_key": mentions.c.site_key == bindparam("site_key"),
    "statuses": mentions.c.status.in_(bindparam("statuses", expanding=True)),
}


def locked(connection: Connection, key: str) -> Any:
    """The row of a pair's mention, to oneself until the transaction ends; None where there is none."""
    return connection.execute(_LOCKED, {"pair": key}).first()


def add(connection: Connection, verdict: Verdict, mention: Mention) -> int:
    """Write a new mention, without its protocols; give its number."""
    result = connection.execute(_ADD, rows.found(verdict, mention))
    (number,) = result.inserted_primary_key or (0,)
    return int(number)


def change(connection: Connection, number: int, changes: Mapping[str, Any]) -> None:
    """Change some columns of the mention of that number."""
    if changes:
        connection.execute(_CHANGE, {"of": number, **changes})


def unite(connection: Connection, number: int, protocols: Iterable[str]) -> None:
    """Add the protocols that a mention does not have, after those that it has."""
    known = list(connection.scalars(_KNOWN, {"of": number}))
    for protocol in dict.fromkeys(protocols):
        if protocol not in known:
            known.append(protocol)
            connection.execute(_UNITE, {"mention_id": number, "protocol": protocol, "position": len(known)})


def find(connection: Connection, id: str) -> Mention | None:
    """The mention of that id."""
    return next(iter(_mentions(connection, _WITH_PROTOCOLS.where(mentions.c.id == row_number(id)), {})), None)


def pair_of(connection: Connection, id: str) -> tuple[str, str] | None:
    """The site and the key of the pair of the mention of that id."""
    row = connection.execute(select(mentions.c.site, mentions.c.key).where(mentions.c.id == row_number(id))).first()
    return None if row is None else (row.site, row.key)


def find_for(connection: Connection, key: str) -> Mention | None:
    """The mention of a pair."""
    return next(iter(_mentions(connection, _FOR, {"pair": key})), None)


def known(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Those of some pairs that have a mention."""
    return set(connection.scalars(_THERE, {"pairs": list(keys)})) if keys else set()


def listed(
    connection: Connection,
    site: str | None,
    pages: Collection[str] | None,
    statuses: Collection[Status] | None,
) -> list[Mention]:
    """Mentions in the order they were received; `pages` are values of `urls.page_key`."""
    asked: dict[str, Any] = {}
    if pages is not None:
        asked["pages"] = list(page_keys(pages))
    if site is not None:
        asked |= {"site_key": digest(site)} if pages is None else {"site": site}
    if statuses is not None:
        asked["statuses"] = [status.value for status in statuses]
    return _mentions(connection, _listing(*asked), asked)


@cache
def _listing(*asked: str) -> Select[*tuple[Any, ...]]:
    """The statement that asks for this; kept, as making it is a tenth of reading a thread."""
    return _WITH_PROTOCOLS.where(*(_ASKED[name] for name in asked))


def _mentions(connection: Connection, statement: Select[*tuple[Any, ...]], asked: Mapping[str, Any]) -> list[Mention]:
    """The mentions of a statement that begins with `_WITH_PROTOCOLS`."""
    return [_mention([*some]) for _, some in groupby(connection.execute(statement, asked).all(), key=itemgetter(0))]


def _mention(told: Sequence[Row[*tuple[Any, ...]]]) -> Mention:
    """The mention of its rows, each with one of its protocols."""
    id, site, source, target, status, received, checked, title, name, url, photo, *others, _ = told[0]
    protocols = tuple([row[-1] for row in told if row[-1]])
    author = Author(name, url, photo)
    return Mention(str(id), site, source, target, protocols, Status(status), received, checked, title, author, *others)
