"""When a host may be spoken to, worked out from its row: free slots, waiting times, who has its turn.

Rule: values in, values out. A time that nobody can have meant was written by a clock that was ahead, and counts for
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from linkback.model import Job

#: how many leases of a job are looked back at
_LEASES = 10
#: how long to wait at least for a POST that is in flight
_STEP = timedelta(seconds=0.1)
#: what a host may ask for, how long a job is held, how long a queue may be; with room to spare
_LONGEST_REST, _LONGEST_HOLD, _LONGEST_QUEUE = timedelta(hours=49), timedelta(hours=1), timedelta(days=60)
#: what stands before a host's name in the row for what is read from it
_FETCHED = "from"


@dataclass(frozen=True, slots=True)
class Spread:
    """When each of some jobs is `due`, and what that writes: the next slot of hosts that are `known`, and of `new` ones
    with the time from which they are free."""

    due: list[datetime]
    known: dict[str, datetime]
    new: dict[str, tuple[datetime, datetime]]


def read_from(host: str) -> str:
    """The name of the row for what is read from a host."""
    return f"{_FETCHED} {host}"


def row_names(wanted: Sequence[tuple[str, datetime]], *, fetch: bool) -> list[str]:
    """The names of the rows of the hosts that are wanted, to read from with `fetch`, else to send to."""
    return [read_from(host) if fetch else host for host, _ in wanted]


def spread(
    wanted: Sequence[tuple[str, datetime]],
    names: Sequence[str],
    next_slots: Mapping[str, datetime],
    gap: timedelta,
    burst: int,
) -> Spread:
    """The first free slot of each host from a time on; `burst` may be had at once after a time of quiet.

    `names` are those of the hosts' rows, `next_slots` what the rows that exist say.
    """
    following, due = dict(next_slots), []
    for name, (host, turn) in zip(names, wanted, strict=True):
        before = following.get(name, turn)
        slot = max(turn, before) if host and before < turn + _LONGEST_QUEUE else turn
        following[name] = slot + gap
        due.append(max(turn, slot - burst * gap))
    named = {name: (following[name], turn) for name, (host, turn) in zip(names, wanted, strict=True) if host}
    known = {name: slot for name, (slot, _) in named.items() if name in next_slots}
    return Spread(due, known, {name: both for name, both in named.items() if name not in next_slots})


def free_at(row: Any, now: datetime) -> datetime:
    """When the host of a row is free again."""
    times = [row.free_at if row.free_at < now + _LONGEST_REST else now]
    if row.busy_until is not None and now < row.busy_until < now + _LONGEST_HOLD:
        times.append(row.busy_until)
    return max(times)


def wait(row: Any, free: datetime, *, now: datetime, gap: timedelta) -> tuple[datetime, datetime | None]:
    """When to ask again for the host of a row, and its next slot then, where that changes.

    That is soon where it is free soon, else in a slot at the end of the queue.
    """
    busy = row.busy_until is not None and row.busy_until > now
    if not busy and free <= now + gap:
        return free, None
    step = max(gap, _STEP)
    # nobody knows when a POST ends: most do long before their time is over
    due = max(now + step, row.next_slot if row.next_slot < now + _LONGEST_QUEUE else now)
    due = due if busy else max(due, free)
    return due, due + step


def taken(job: Job, *, now: datetime, until: datetime, gap: timedelta) -> dict[str, Any]:
    """What a row says of a host whose turn a job has from now on."""
    return {"free_at": now + gap, "busy_until": until, "holder": _holder(job.id, job.lease)}


def held_by(job: Job) -> list[str]:
    """Under which names a job may hold hosts.

    What an earlier lease of it held, whose worker died, is over with this one; a later one's is not ours to end.
    """
    return [_holder(job.id, lease) for lease in range(max(1, job.lease - _LEASES), job.lease + 1)]


def _holder(job: int, lease: int) -> str:
    return f"{job}.{lease}"
