"""The statements about claims.

Rule: what every claim needs is a statement that is made once: to make it again costs five times what it does (durable
receive).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, insert, select, union_all, update

from linkback.store import ClaimRecord
from linkback.store.rows import claim_record, said
from linkback.store.schema import claims, mentions

_OF_PAIR = claims.c.key == bindparam("pair")
_ADD = insert(claims)
#: how many claims of known pairs are read before what is known of them is put aside
_GLANCE = 100
_PAIRS: BindParameter[Any] = bindparam("pairs", expanding=True)
_SEEN = select(claims.c.key).where(claims.c.key.in_(_PAIRS)).limit(bindparam("most")).subquery()
_KNOWN = union_all(select(mentions.c.key).where(mentions.c.key.in_(_PAIRS)), select(_SEEN.c.key))
_BY_ID = select(claims).where(claims.c.public_id == bindparam("public"))
_CHANGE = update(claims).where(claims.c.public_id == bindparam("public"))
_WAITING = select(claims).where(_OF_PAIR, claims.c.open).order_by(claims.c.received, claims.c.id)
_LAST = (
    select(claims)
    .where(_OF_PAIR, claims.c.protocol == bindparam("language"))
    .order_by(claims.c.received.desc(), claims.c.id.desc())
    .limit(1)
)
_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
_AMONG = select(claims).where(claims.c.key.in_(_KEYS), claims.c.open).order_by(claims.c.received, claims.c.id)
_OF_SOURCE = (
    select(claims.c.id, claims.c.key)
    .where(claims.c.source_key == bindparam("origin"), claims.c.open, claims.c.id > bindparam("after"))
    .order_by(claims.c.id)
    .limit(bindparam("most"))
)


def add(connection: Connection, record: ClaimRecord) -> None:
    """Write a claim down."""
    add_all(connection, [record])


def add_all(connection: Connection, records: Sequence[ClaimRecord]) -> None:
    """Write claims down, at least one."""
    connection.execute(_ADD, [said(record) for record in records])


def change(connection: Connection, id: str, changes: Mapping[str, Any]) -> None:
    """Change some columns of the claim of that public id."""
    connection.execute(_CHANGE, {"public": id, **changes})


def known(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of some pairs that have a mention, or claims, open or not."""
    left, found = set(keys), set[str]()
    while left:
        most = _GLANCE + len(left)
        seen = list(connection.scalars(_KNOWN, {"pairs": list(left), "most": most}))
        found.update(seen)
        # one pair may have any number: what was seen of it is enough, and the others are asked for again
        left = left - found if len(seen) >= most else set()
    return found


def find(connection: Connection, id: str) -> ClaimRecord | None:
    """The claim of that public id."""
    # ids come from strangers, some databases hold no NUL and no lone surrogate, and some do not see a space at the end
    if not (id.isascii() and id.isprintable()):
        return None
    found = _first(connection, _BY_ID, {"public": id})
    return found if found is None or found.id == id else None


def waiting(connection: Connection, key: str) -> list[ClaimRecord]:
    """A pair's open claims, oldest first."""
    return [claim_record(row) for row in connection.execute(_WAITING, {"pair": key})]


def last(connection: Connection, key: str, protocol: str) -> ClaimRecord | None:
    """A pair's newest claim by one protocol."""
    return _first(connection, _LAST, {"pair": key, "language": protocol})


def of_source(connection: Connection, source_key: str, after: int, limit: int) -> Sequence[tuple[int, str]]:
    """The numbers and the pairs of the first `limit` open claims of a source after a number, in order."""
    found = connection.execute(_OF_SOURCE, {"origin": source_key, "after": after, "most": limit})
    return [(row.id, row.key) for row in found]


def waiting_among(connection: Connection, keys: Sequence[str]) -> list[ClaimRecord]:
    """The open claims of some pairs, oldest first."""
    return [claim_record(row) for row in connection.execute(_AMONG, {"keys": keys})]


def _first(
    connection: Connection, statement: Select[*tuple[object, ...]], parameters: Mapping[str, str]
) -> ClaimRecord | None:
    row = connection.execute(statement, parameters).first()
    return None if row is None else claim_record(row)
