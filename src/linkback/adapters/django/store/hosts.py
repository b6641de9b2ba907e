"""The statements about hosts, each of which has one row for what is sent to it and one for what is read from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from linkback.adapters.django.models import Host
from linkback.store.keys import digest, parts
from linkback.store.turns import READ, Spread


def locked(connection: str, host: str) -> Any:
    """The row of a host, to oneself until the transaction ends; None where there is none."""
    return Host.objects.using(connection).select_for_update().filter(key=digest(host)).first()


def add(connection: str, host: str, values: Mapping[str, Any]) -> None:
    """Write the row of a host that has none."""
    Host.objects.using(connection).bulk_create([Host(key=digest(host), host=host, **values)])


def change(connection: str, host: str, values: Mapping[str, Any]) -> None:
    """Change some columns of a host's row."""
    Host.objects.using(connection).filter(key=digest(host)).update(**values)


def next_slots(connection: str, names: Collection[str]) -> dict[str, datetime]:
    """The next free slot of the hosts that are known, their rows locked in one order: nobody waits in a ring."""
    by_key = {digest(name): name for name in names}
    found = {}
    for keys in parts(sorted(by_key)):
        chosen = Host.objects.using(connection).select_for_update().filter(key__in=keys).order_by("key")
        for key, slot in chosen.values_list("key", "next_slot"):
            found[by_key[key]] = slot
    return found


def put(connection: str, spread: Spread) -> None:
    """Write the slots that were taken, the rows of hosts that have none among them."""
    every = Host.objects.using(connection)
    every.bulk_create(
        Host(key=digest(name), host=name, next_slot=slot, free_at=turn) for name, (slot, turn) in spread.new.items()
    )
    every.bulk_update([Host(key=digest(name), next_slot=slot) for name, slot in spread.known.items()], ["next_slot"])


def let_go(connection: str, holders: Sequence[str]) -> None:
    """End the holds of these names."""
    Host.objects.using(connection).filter(holder__in=holders).update(busy_until=None, holder=None)


def rest(connection: str, host: str, until: datetime) -> None:
    """Have a host's row say that nothing is sent before a time."""
    row = Host.objects.using(connection).filter(key=digest(host))
    row.filter(free_at__lt=until).update(free_at=until)
    row.filter(next_slot__lt=until).update(next_slot=until)


def forget_reads(connection: str, after: datetime, now: datetime) -> None:
    """Have the rows of hosts that are read from say `now` where they name a time after another."""
    read = Host.objects.using(connection).filter(host__startswith=READ)
    read.filter(free_at__gt=after).update(free_at=now)
    read.filter(next_slot__gt=after).update(next_slot=now)


def some(connection: str, after: str, limit: int) -> Sequence[Any]:
    """The `key`, `next_slot`, `free_at` and `busy_until` of the first `limit` rows after a key."""
    rows = Host.objects.using(connection).filter(key__gt=after).order_by("key")
    return list(rows.values_list("key", "next_slot", "free_at", "busy_until", named=True)[:limit])


def forget(connection: str, keys: Sequence[str], before: datetime) -> None:
    """Delete the rows of these keys that name no time after one."""
    # asked again, as one may have been spoken to meanwhile
    idle = Host.objects.using(connection).filter(key__in=keys, next_slot__lte=before, free_at__lte=before)
    idle.filter(Q(busy_until=None) | Q(busy_until__lte=before))._raw_delete(connection)
