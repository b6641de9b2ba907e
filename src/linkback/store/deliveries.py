"""What we owe to others, and how each try ended.

Rule 1: a target is owed one delivery for a source, by the URLs as they are written.
Rule 2: a delivery whose POST was begun is `unknown` until its end is recorded, so a process may die in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from linkback.errors import StoreError
from linkback.model import Delivery, JobKind, Outcome
from linkback.store import jobs
from linkback.store.schema import deliveries, digest, row_number

_DELIVERED = frozenset({Outcome.SENT, Outcome.ACCEPTED})


def add(connection: Connection, site: str, wanted: Iterable[Delivery], due: datetime) -> list[Delivery]:
    """Record those that are not owed yet, each with its job; give them with their ids."""
    by_key = {digest(site, delivery.source, delivery.target): delivery for delivery in reversed(list(wanted))}
    known = _known(connection, list(by_key))
    added = []
    for key, delivery in reversed(by_key.items()):
        if key not in known:
            added.append(_add_one(connection, site, key, delivery))
            jobs.add(connection, site, JobKind.DELIVER, added[-1].id, due)
    return added


def _known(connection: Connection, keys: list[str]) -> set[str]:
    known: set[str] = set()
    # databases limit the parameters of one statement
    for start in range(0, len(keys), 500):
        known.update(
            connection.scalars(select(deliveries.c.key).where(deliveries.c.key.in_(keys[start : start + 500])))
        )
    return known


def _add_one(connection: Connection, site: str, key: str, delivery: Delivery) -> Delivery:
    result = connection.execute(
        insert(deliveries).values(
            key=key,
            source_key=digest(delivery.source),
            site=site,
            source=delivery.source,
            target=delivery.target,
            **_outcome(delivery),
        )
    )
    (number,) = result.inserted_primary_key or (0,)
    return replace(delivery, id=str(number))


def find(connection: Connection, id: str) -> Delivery | None:
    """The delivery of that id."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == row_number(id))).first()
    return None if row is None else _delivery(row)


def listed(connection: Connection, site: str | None, source: str | None) -> list[Delivery]:
    """Deliveries in the order they were owed."""
    statement = select(deliveries).order_by(deliveries.c.id)
    if site is not None:
        statement = statement.where(deliveries.c.site == site)
    if source is not None:
        statement = statement.where(deliveries.c.source_key == digest(source))
    return [_delivery(row) for row in connection.execute(statement)]


def begin_post(connection: Connection, id: str, protocol: str, endpoint: str) -> None:
    """Mark a delivery as in flight: nobody knows whether it arrived. Raises `StoreError` where there is none."""
    begun = {"outcome": Outcome.UNKNOWN.value, "code": None, "detail": "its sending was begun", "status_url": ""}
    _change(connection, id, {"protocol": protocol, "endpoint": endpoint, **begun})


def finish(connection: Connection, id: str, delivery: Delivery, *, late: bool) -> None:
    """Record how an attempt ended.

    `late` says that the worker had lost its lease: its word counts where no later attempt has been
    recorded, or where it is the good news that the delivery arrived.
    """
    if not late:
        _change(connection, id, _outcome(delivery))
        return
    stored = find(connection, id)
    # one that is unknown stays so: another worker may have a POST of its own in flight
    if stored is not None and (stored.outcome is Outcome.QUEUED or delivery.outcome in _DELIVERED):
        _change(connection, id, _outcome(delivery))


def _change(connection: Connection, id: str, changes: dict[str, Any]) -> None:
    changed = connection.execute(update(deliveries).where(deliveries.c.id == row_number(id)).values(**changes))
    if changed.rowcount == 0:
        raise StoreError(f"there is no delivery {id!r}")


def _outcome(delivery: Delivery) -> dict[str, Any]:
    return {
        "protocol": delivery.protocol,
        "endpoint": delivery.endpoint,
        "outcome": delivery.outcome.value,
        "code": delivery.code,
        "detail": delivery.detail,
        "status_url": delivery.status_url,
        "attempts": delivery.attempts,
        "again": delivery.again,
    }


def _delivery(row: Row[*tuple[Any, ...]]) -> Delivery:
    return Delivery(
        source=row.source,
        target=row.target,
        protocol=row.protocol,
        endpoint=row.endpoint,
        outcome=Outcome(row.outcome),
        code=row.code,
        detail=row.detail,
        status_url=row.status_url,
        attempts=row.attempts,
        again=row.again,
        id=str(row.id),
    )
