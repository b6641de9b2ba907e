"""The statements about claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from linkback.store import ClaimRecord
from linkback.store.rows import claim_record, said
from linkback.store.schema import claims


def add(connection: Connection, record: ClaimRecord) -> None:
    """Write a claim down."""
    connection.execute(insert(claims).values(**said(record)))


def change(connection: Connection, id: str, changes: Mapping[str, Any]) -> None:
    """Change some columns of the claim of that public id."""
    connection.execute(update(claims).where(claims.c.public_id == id).values(**changes))


def find(connection: Connection, id: str) -> ClaimRecord | None:
    """The claim of that public id."""
    # ids come from strangers, some databases hold no NUL and no lone surrogate, and some do not see a space at the end
    if not (id.isascii() and id.isprintable()):
        return None
    found = _first(connection, select(claims).where(claims.c.public_id == id))
    return found if found is None or found.id == id else None


def waiting(connection: Connection, key: str) -> list[ClaimRecord]:
    """A pair's open claims, oldest first."""
    statement = select(claims).where(claims.c.key == key, claims.c.open).order_by(claims.c.received, claims.c.id)
    return [claim_record(row) for row in connection.execute(statement)]


def last(connection: Connection, key: str, protocol: str) -> ClaimRecord | None:
    """A pair's newest claim by one protocol."""
    same = select(claims).where(claims.c.key == key, claims.c.protocol == protocol)
    return _first(connection, same.order_by(claims.c.received.desc(), claims.c.id.desc()).limit(1))


def _first(connection: Connection, statement: Select[*tuple[object, ...]]) -> ClaimRecord | None:
    row = connection.execute(statement).first()
    return None if row is None else claim_record(row)
