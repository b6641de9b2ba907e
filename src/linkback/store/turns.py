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
#: how long to wait at least for a POST that is in flight, or a page that is being read
STEP = timedelta(seconds=0.1)
#: what a host may ask for, how long a job is held, how long a queue may be; with room to spare
LONGEST_REST, _LONGEST_HOLD, LONGEST_QUEUE = timedelta(hours=49), timedelta(hours=1), timedelta(days=60)
#: what stands before a host's name in the row for what is read from it, and what after that in the row of those who
#: wait for the end of a read
READ, _AFTER = "from ", " after"


@dataclass(frozen=True, slots=True)
class Spread:
    """When each of some jobs is `due`, and what that writes: the next slot of hosts that are `known`, and of `new` ones
    with the time from which they are free."""

    due: list[datetime]
    known: dict[str, datetime]
    new: dict[str, tuple[datetime, datetime]]


def read_from(host: str) -> str:
    """The name of the row for what is read from a host."""
    return f"{READ}{host}"


def waiting_for(host: str) -> str:
    """The name of the row in which those stand who wait for the end of what is being read from a host."""
    return f"{READ}{host}{_AFTER}"


def spread(
    wanted: Sequence[tuple[str, datetime]],
    names: Sequence[str],
    next_slots: Mapping[str, datetime],
    gap: timedelta,
    *,
    ahead: timedelta = timedelta(0),
    slack: timedelta = timedelta(0),
    longest: timedelta = timedelta.max,
) -> Spread:
    """The first free slot of each host from a time on; after a time of quiet it may be used so far `ahead` of its time.

    `names` are those of the hosts' rows, `next_slots` what the rows that exist say. Who must wait at all waits for some
    `slack` more. A slot that is due later than `longest` after the time from which it is wanted is told and not taken.
    """
    following, due = dict(next_slots), []
    for name, (host, turn) in zip(names, wanted, strict=True):
        before = following.get(name, turn)
        slot = max(turn, before) if host and before < turn + LONGEST_QUEUE else turn
        due.append(turn if slot - ahead <= turn else slot - ahead + slack)
        if due[-1] - turn <= longest:
            following[name] = slot + gap
    named = {
        name: (following[name], turn)
        for name, (host, turn) in zip(names, wanted, strict=True)
        if host and name in following
    }
    known = {name: slot for name, (slot, _) in named.items() if next_slots.get(name, slot) != slot}
    return Spread(due, known, {name: both for name, both in named.items() if name not in next_slots})


def meant(time: datetime, now: datetime, longest: timedelta) -> datetime:
    """A time of a row, or now where that is past, or so far off that a clock was wrong."""
    return time if now < time < now + longest else now


def is_busy(row: Any, now: datetime) -> bool:
    """Whether a job has its turn at the host of a row."""
    return row.busy_until is not None and now < row.busy_until < now + _LONGEST_HOLD


def free_at(row: Any, now: datetime) -> datetime:
    """When the host of a row is free again."""
    free = meant(row.free_at, now, LONGEST_REST)
    return max(free, row.busy_until) if is_busy(row, now) else free


def wait(row: Any, free: datetime, *, now: datetime, gap: timedelta) -> tuple[datetime, datetime | None]:
    """When to ask again for the host of a row, and its next slot then, where that changes.

    That is soon where it is free soon, else in a slot at the end of the queue.
    """
    busy = row.busy_until is not None and row.busy_until > now
    if not busy and free <= now + gap:
        return free, None
    step = max(gap, STEP)
    # nobody knows when a POST ends: most do long before their time is over
    due = max(now + step, meant(row.next_slot, now, LONGEST_QUEUE))
    due = due if busy else max(due, free)
    return due, due + step


def taken(job: Job, *, now: datetime, until: datetime, gap: timedelta) -> dict[str, Any]:
    """What a row says of a host whose turn a job has from now on."""
    return {"free_at": now + gap, **held(job, until)}


def held(job: Job, until: datetime) -> dict[str, Any]:
    """What a row says of a host that a job has to itself until a time."""
    return {"busy_until": until, "holder": _holder(job.id, job.lease)}


def held_by(job: Job) -> list[str]:
    """Under which names a job may hold hosts.

    What an earlier lease of it held, whose worker died, is over with this one; a later one's is not ours to end.
    """
    return [_holder(job.id, lease) for lease in range(max(1, job.lease - _LEASES), job.lease + 1)]


def _holder(job: int, lease: int) -> str:
    return f"{job}.{lease}"
