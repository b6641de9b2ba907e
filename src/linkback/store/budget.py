"""How much is read from one host, worked out from its row: a token bucket, kept as the generic cell rate algorithm.

Rule 1: `free_at` of a row that is read from is the theoretical arrival time: when all that was read is paid for at one
        read each gap. A read moves it by a gap, and begins only where it is less than a burst ahead; so in no time t
        begin more than burst + t / gap of them, wherever that time is laid. What a redirect leads to is counted when
        that is known, so the redirects of the last of them may come on top.
Rule 2: `next_slot` is never before it. A slot is promised once, and who finds the bucket empty gets the next one: so he
        comes back when he may read, and not before. Looks at old mentions take none: they are in nobody's way.
Rule 3: values in, values out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from linkback.errors import Reason, Refused
from linkback.model import Job
from linkback.store import Pace, turns

#: a slot may be used that much earlier, as the first read of a burst begins later than the slots were counted from
_SLACK = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a page of a host may be read now, and what its row says then.

    Where not, `due` is the slot of who asked; None where another page is being read and the end of that is all there is
    to wait for.
    """

    granted: bool
    due: datetime | None
    row: dict[str, Any]


def ask(row: Any, job: Job, *, now: datetime, until: datetime, pace: Pace, queues: bool = True) -> Answer:
    """What the row of a host, None where there is none, answers to a job that would read a page of it until a time.

    One that does not get its turn and `queues` takes the next slot; another is told when the next is, and leaves it.
    """
    busy = row is not None and turns.is_busy(row, now)
    if not pace.gap:
        return Answer(not busy, None, {} if busy else turns.held(job, until))
    paid, slot = _times(row, now, pace)
    ahead = _ahead(pace)
    if paid > now + ahead:
        return Answer(False, slot - ahead + _slack(pace), {"next_slot": slot + pace.gap} if queues else {})
    if busy:
        return Answer(False, None, {})
    return Answer(True, None, {**counted(row, now=now, pace=pace), **turns.held(job, until)})


def counted(row: Any, *, now: datetime, pace: Pace) -> dict[str, datetime]:
    """What the row of a host, None where there is none, says once another of its pages was read."""
    paid, slot = _times(row, now, pace)
    paid += pace.gap
    return {"free_at": paid, "next_slot": max(slot, paid)}


def spared(row: Any, number: int, *, now: datetime, pace: Pace) -> dict[str, datetime]:
    """What the row of a host says where so many of the slots that were promised are not needed."""
    paid, slot = _times(row, now, pace)
    return {"next_slot": max(paid, slot - number * pace.gap)}


def spread(
    wanted: Sequence[tuple[str, datetime]], names: Sequence[str], next_slots: Mapping[str, datetime], pace: Pace
) -> turns.Spread:
    """The first free slots of hosts as `turns.spread` gives them; one too far off is not taken (`refusal`)."""
    ahead, slack = _ahead(pace), _slack(pace)
    return turns.spread(wanted, names, next_slots, pace.gap, ahead=ahead, slack=slack, longest=pace.longest)


def refusal(host: str, turn: datetime, due: datetime, pace: Pace) -> Refused | None:
    """Why a new claim that came at `turn` is not taken where its slot is `due`; None where it is."""
    if due - turn <= pace.longest:
        return None
    wait = math.ceil((due - turn - pace.longest).total_seconds())
    return Refused(Reason.TOO_OFTEN, f"too many sources on {host} wait to be read", retry_after=wait)


def _ahead(pace: Pace) -> timedelta:
    # the first of a burst finds all paid for, and the last what those before it left
    return pace.gap * max(pace.burst - 1, 0)


def _slack(pace: Pace) -> timedelta:
    return min(_SLACK, pace.gap / 2)


def _times(row: Any, now: datetime, pace: Pace) -> tuple[datetime, datetime]:
    """The theoretical arrival time of a host's next read, and its next slot."""
    if row is None:
        return now, now
    paid = turns.meant(row.free_at, now, max(turns.LONGEST_REST, pace.gap * (pace.burst + 1)))
    return paid, max(paid, turns.meant(row.next_slot, now, turns.LONGEST_QUEUE))
