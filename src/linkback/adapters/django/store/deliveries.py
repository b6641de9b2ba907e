"""The statements about deliveries.

A target is owed one delivery for a source, by the URLs as they are written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from linkback.adapters.django.models import Delivery as Row
from linkback.model import Delivery, Outcome
from linkback.store import rows
from linkback.store.keys import digest, parts, row_number


def add(connection: str, site: str, owed: Sequence[Delivery], now: datetime) -> list[Delivery]:
    """Record deliveries that are owed for the first time, and give them with their ids."""
    made = Row.objects.using(connection).bulk_create(Row(**rows.owed(site, one, now)) for one in owed)
    ids = {row.key: row.pk for row in made}
    # not every database can give back the ids of what it inserts
    for keys in parts([key for key, number in ids.items() if number is None]):
        ids.update(Row.objects.using(connection).filter(key__in=keys).values_list("key", "pk"))
    return [replace(one, id=str(ids[row.key])) for row, one in zip(made, owed, strict=True)]


def change(
    connection: str,
    id: str,
    changes: Mapping[str, Any],
    *,
    revision: int | None = None,
    outcome: Outcome | None = None,
) -> bool:
    """Change some columns of the delivery of that id, if it has that revision and that outcome; false where not."""
    chosen = _of(connection, id)
    if revision is not None:
        chosen = chosen.filter(revision=revision)
    if outcome is not None:
        chosen = chosen.filter(outcome=outcome.value)
    return bool(chosen.update(**changes) == 1)


def find(connection: str, id: str) -> Delivery | None:
    """The delivery of that id."""
    row = _of(connection, id).first()
    return None if row is None else rows.delivery(row)


def since(connection: str, id: str, revision: int) -> Any:
    """The `owed` and `outcome` of the delivery of that id, None where it is of no later revision."""
    return _of(connection, id).filter(revision__gt=revision).only("owed", "outcome").first()


def listed(connection: str, site: str | None, source: str | None, *, lock: bool = False) -> list[Delivery]:
    """Deliveries in the order they were owed; with `lock` nobody else changes them until the transaction ends."""
    chosen = Row.objects.using(connection).order_by("id")
    if site is not None:
        chosen = chosen.filter(site=site)
    if source is not None:
        chosen = chosen.filter(source_key=digest(source))
    return [rows.delivery(row) for row in (chosen.select_for_update() if lock else chosen)]


def lock(connection: str, id: str) -> None:
    """Have the row of a delivery to oneself until the transaction ends."""
    _of(connection, id).select_for_update().only("id").first()


def _of(connection: str, id: str) -> Any:
    number = row_number(id)
    every = Row.objects.using(connection)
    return every.none() if number is None else every.filter(id=number)
