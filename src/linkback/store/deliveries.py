"""What we owe to others, and how each try ended.

Rule 1: a target is owed one delivery for a source, by the URLs as they are written.
Rule 2: a delivery whose POST was begun is `unknown` until its end is recorded, so a process may die in between.
Rule 3: one that was owed again while it was made is made again: what was sent told of the post as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from linkback.errors import StoreError
from linkback.model import ARRIVED, Cause, Delivery, Outcome
from linkback.store.schema import deliveries, digest, parts, row_number


def add(connection: Connection, site: str, owed: Sequence[Delivery], now: datetime) -> list[Delivery]:
    """Record deliveries that are owed for the first time, and give them with their ids."""
    rows = {
        digest(site, delivery.source, delivery.target): {
            "source_key": digest(delivery.source),
            "site": site,
            "source": delivery.source,
            "target": delivery.target,
            "owed": now,
            **_standing(delivery),
        }
        for delivery in owed
    }
    if not rows:
        return []
    connection.execute(insert(deliveries), [{"key": key, **row} for key, row in rows.items()])
    # not every database can give back the ids of what it inserts
    ids: dict[str, int] = {}
    for keys in parts(list(rows)):
        chosen = select(deliveries.c.key, deliveries.c.id).where(deliveries.c.key.in_(keys))
        ids.update((row.key, row.id) for row in connection.execute(chosen))
    return [replace(delivery, id=str(ids[key])) for key, delivery in zip(rows, owed, strict=True)]


def owe_again(connection: Connection, delivery: Delivery, due: datetime) -> Delivery:
    """Record a delivery as it is owed from a time on, or withdrawn, and give it with its new revision."""
    again = replace(delivery, revision=delivery.revision + 1)
    _change(connection, again.id, {**_standing(again), "owed": due})
    return again


def find(connection: Connection, id: str) -> Delivery | None:
    """The delivery of that id."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == row_number(id))).first()
    return None if row is None else _delivery(row)


def listed(connection: Connection, site: str | None, source: str | None, *, lock: bool = False) -> list[Delivery]:
    """Deliveries in the order they were owed; with `lock` nobody else changes them until the transaction ends."""
    statement = select(deliveries).order_by(deliveries.c.id)
    if site is not None:
        statement = statement.where(deliveries.c.site == site)
    if source is not None:
        statement = statement.where(deliveries.c.source_key == digest(source))
    return [_delivery(row) for row in connection.execute(statement.with_for_update() if lock else statement)]


def lock(connection: Connection, id: str) -> None:
    """Have the row of a delivery to oneself until the transaction ends."""
    connection.execute(select(deliveries.c.id).where(deliveries.c.id == row_number(id)).with_for_update()).first()


def restore(connection: Connection, read: Delivery) -> None:
    """Have a delivery stand as it was read, unless it was owed anew since."""
    same = and_(deliveries.c.id == row_number(read.id), deliveries.c.revision == read.revision)
    connection.execute(update(deliveries).where(same).values(**_standing(read)))


def begin_post(connection: Connection, delivery: Delivery, protocol: str, endpoint: str, now: datetime) -> bool:
    """Mark a delivery as in flight: nobody knows whether it arrived.

    False, and nothing changed, where it was owed again since it was read: it would tell of the post as it was.
    """
    begun = {"outcome": Outcome.UNKNOWN.value, "code": None, "detail": "its sending was begun", "status_url": ""}
    same = and_(deliveries.c.id == row_number(delivery.id), deliveries.c.revision == delivery.revision)
    values = {"protocol": protocol, "endpoint": endpoint, "tried": now, **begun}
    return connection.execute(update(deliveries).where(same).values(**values)).rowcount == 1


def revive(connection: Connection, id: str) -> None:
    """Have a delivery that was laid aside be owed as before; one that may have arrived stays so."""
    failed = and_(deliveries.c.id == row_number(id), deliveries.c.outcome == Outcome.FAILED.value)
    connection.execute(update(deliveries).where(failed).values(outcome=Outcome.QUEUED.value, attempts=0))


def is_owed(connection: Connection, id: str, *, since: int = 0) -> datetime | None:
    """From when a delivery is owed that nobody has tried since, of a later revision than `since`; None where none."""
    chosen = and_(deliveries.c.id == row_number(id), deliveries.c.revision > since)
    row = connection.execute(select(deliveries.c.owed, deliveries.c.outcome).where(chosen)).first()
    waits = row is not None and (since > 0 or row.outcome == Outcome.QUEUED.value)
    return row.owed if row is not None and waits else None


def finish(connection: Connection, id: str, ended: Delivery, *, late: bool) -> None:
    """Record how an attempt ended.

    `late` says that the worker had lost its lease: its word counts where no later attempt has been
    recorded, or where it is the good news that the delivery arrived.
    """
    stored = find(connection, id)
    if stored is None:
        if late:
            return
        raise StoreError(f"there is no delivery {id!r}")
    told = ended.protocol or "" if ended.outcome in ARRIVED else stored.told
    if stored.revision != ended.revision:
        _change(connection, id, _overtaken(stored, ended))
    # one that is unknown stays so: another worker may have a POST of its own in flight
    elif not late or stored.outcome is Outcome.QUEUED or ended.outcome in ARRIVED:
        _change(connection, id, {**_standing(ended), "told": told})


def _overtaken(stored: Delivery, ended: Delivery) -> dict[str, Any]:
    """What an attempt that told of the post as it was says of the delivery as it is owed now."""
    if stored.outcome is not Outcome.UNKNOWN or ended.outcome is Outcome.UNKNOWN:
        return {}
    told = ended.protocol if ended.outcome in ARRIVED else ended.told
    if told:
        return {"told": told, "outcome": Outcome.QUEUED.value, "detail": ""}
    if stored.cause is Cause.UPDATE:
        return {"told": "", "outcome": Outcome.QUEUED.value, "detail": "", "cause": Cause.NEW.value}
    return {"told": "", "outcome": Outcome.WITHDRAWN.value, "detail": "the link is gone"}


def _change(connection: Connection, id: str, changes: dict[str, Any]) -> None:
    if not changes:
        return
    changed = connection.execute(update(deliveries).where(deliveries.c.id == row_number(id)).values(**changes))
    if changed.rowcount == 0:
        raise StoreError(f"there is no delivery {id!r}")


def _standing(delivery: Delivery) -> dict[str, Any]:
    return {
        "protocol": delivery.protocol,
        "endpoint": delivery.endpoint,
        "outcome": delivery.outcome.value,
        "code": delivery.code,
        "detail": delivery.detail,
        "status_url": delivery.status_url,
        "attempts": delivery.attempts,
        "again": delivery.again,
        "cause": delivery.cause.value,
        "told": delivery.told,
        "revision": delivery.revision,
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
        cause=Cause(row.cause),
        told=row.told,
        revision=row.revision,
    )
