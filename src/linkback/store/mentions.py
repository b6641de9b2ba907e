"""The statements about mentions and their protocols."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from linkback.model import Mention, Status
from linkback.store import Verdict, rows
from linkback.store.decisions import page_keys
from linkback.store.keys import digest, parts, row_number
from linkback.store.schema import mention_protocols, mentions


def locked(connection: Connection, key: str) -> Any:
    """The row of a pair's mention, to oneself until the transaction ends; None where there is none."""
    return connection.execute(select(mentions).where(mentions.c.key == key).with_for_update()).first()


def add(connection: Connection, verdict: Verdict, mention: Mention) -> int:
    """Write a new mention, without its protocols; give its number."""
    result = connection.execute(insert(mentions).values(**rows.found(verdict, mention)))
    (number,) = result.inserted_primary_key or (0,)
    return int(number)


def change(connection: Connection, number: int, changes: Mapping[str, Any]) -> None:
    """Change some columns of the mention of that number."""
    if changes:
        connection.execute(update(mentions).where(mentions.c.id == number).values(**changes))


def unite(connection: Connection, number: int, protocols: Iterable[str]) -> None:
    """Add the protocols that a mention does not have, after those that it has."""
    known = _protocols(connection, [number]).get(number, [])
    for protocol in dict.fromkeys(protocols):
        if protocol not in known:
            known.append(protocol)
            connection.execute(
                insert(mention_protocols).values(mention_id=number, protocol=protocol, position=len(known))
            )


def find(connection: Connection, id: str) -> Mention | None:
    """The mention of that id."""
    found = connection.execute(select(mentions).where(mentions.c.id == row_number(id))).all()
    return next(iter(_mentions(connection, found)), None)


def pair_of(connection: Connection, id: str) -> tuple[str, str] | None:
    """The site and the key of the pair of the mention of that id."""
    row = connection.execute(select(mentions.c.site, mentions.c.key).where(mentions.c.id == row_number(id))).first()
    return None if row is None else (row.site, row.key)


def find_for(connection: Connection, key: str) -> Mention | None:
    """The mention of a pair."""
    found = connection.execute(select(mentions).where(mentions.c.key == key)).all()
    return next(iter(_mentions(connection, found)), None)


def listed(
    connection: Connection,
    site: str | None,
    pages: Collection[str] | None,
    statuses: Collection[Status] | None,
) -> list[Mention]:
    """Mentions in the order they were received; `pages` are values of `urls.page_key`."""
    statement = select(mentions).order_by(mentions.c.received, mentions.c.id)
    if site is not None:
        statement = statement.where(mentions.c.site_key == digest(site))
    if pages is not None:
        statement = statement.where(mentions.c.page_key.in_(page_keys(pages)))
    if statuses is not None:
        statement = statement.where(mentions.c.status.in_([status.value for status in statuses]))
    return _mentions(connection, connection.execute(statement).all())


def _mentions(connection: Connection, found: Sequence[Row[*tuple[Any, ...]]]) -> list[Mention]:
    protocols = _protocols(connection, [row.id for row in found])
    return [rows.mention(row, tuple(protocols.get(row.id, ()))) for row in found]


def _protocols(connection: Connection, numbers: Sequence[int]) -> dict[int, list[str]]:
    """The protocols of each mention, in the order of first announcement."""
    protocols: dict[int, list[str]] = {}
    for some in parts(numbers):
        chosen = mention_protocols.c.mention_id.in_(some)
        statement = select(mention_protocols).where(chosen).order_by(mention_protocols.c.position)
        for row in connection.execute(statement):
            protocols.setdefault(row.mention_id, []).append(row.protocol)
    return protocols
