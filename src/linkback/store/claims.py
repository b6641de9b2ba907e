"""The statements about claims.

Rule: what every claim needs is a statement that is made once: to make it again costs five times what it does (durable
receive).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    union_all,
    update,
)

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

# each finds its end of the index; SQLite would read all of it for both at once
_ENDS = select(*(select(end(claims.c.id)).scalar_subquery() for end in (func.min, func.max)))
_SOME = (
    select(*(claims.c[name] for name in ("id", "site", "key", "protocol", "open", "received", "checked")))
    .where(claims.c.id > bindparam("after"))
    .order_by(claims.c.id)
    .limit(bindparam("most"))
)
_NUMBERS: BindParameter[Any] = bindparam("numbers", expanding=True)
_later = claims.alias()
_FOLLOWED = select(claims.c.id).where(
    claims.c.id.in_(_NUMBERS),
    exists().where(
        _later.c.key == claims.c.key,
        _later.c.protocol == claims.c.protocol,
        or_(
            _later.c.received > claims.c.received,
            and_(_later.c.received == claims.c.received, _later.c.id > claims.c.id),
        ),
    ),
)
_FORGET = delete(claims).where(claims.c.id.in_(_NUMBERS), not_(claims.c.open))


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


def ends(connection: Connection) -> tuple[int, int]:
    """The lowest and the highest number of a claim, 0 where there is none."""
    first, last = connection.execute(_ENDS).one()
    return first or 0, last or 0


def some(connection: Connection, after: int, limit: int) -> Sequence[Any]:
    """Of the first `limit` claims after a number `id`, `site`, `key`, `protocol`, `open`, `received` and `checked`."""
    return connection.execute(_SOME, {"after": after, "most": limit}).all()


def followed(connection: Connection, numbers: Sequence[int]) -> list[int]:
    """Those of some claims after which their pair was announced again by the same protocol."""
    return list(connection.scalars(_FOLLOWED, {"numbers": list(numbers)})) if numbers else []


def forget(connection: Connection, numbers: Sequence[int]) -> None:
    """Delete the claims of these numbers that are not open."""
    connection.execute(_FORGET, {"numbers": list(numbers)})


def _first(
    connection: Connection, statement: Select[*tuple[object, ...]], parameters: Mapping[str, str]
) -> ClaimRecord | None:
    row = connection.execute(statement, parameters).first()
    return None if row is None else claim_record(row)
