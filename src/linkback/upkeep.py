"""Whether a mention still holds, looked at again long after it was announced. Decisions only.

Rule 1: a source that says it is gone takes its mention away at once; one that is missing, or does not link any more,
        when it has been so for a day: sites are moved, repaired and overloaded (protocols.md D-41, D-42).
Rule 2: trouble on the way takes nothing away, however long it lasts, and is noted (D-43).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from linkback.errors import Reason
from linkback.model import Backlink, Mention, Status, Turn
from linkback.policy import Policy, judge, takes_away

GRACE = timedelta(days=1)
#: a turn that comes later than this was denied by the host's budget; and within what time such a look is made
_SOON, _SPREAD = timedelta(minutes=1), timedelta(hours=6)


def due(policy: Policy, mention: Mention | None, now: datetime) -> datetime | None:
    """When to look at a mention again; None where that is never."""
    if mention is None or mention.status is Status.REMOVED or not policy.recheck_days:
        return None
    # a day after the first failure is soon enough to be sure, and later ones need no hurry
    failures = (mention.missing_since, mention.lost_since)
    fresh = any(since is not None and now - since < GRACE for since in failures)
    return now + (GRACE if fresh else timedelta(days=policy.recheck_days))


def no_hurry(turn: Turn, now: datetime) -> Turn:
    """A turn at a host, some time later where its budget is used up: a thousand old mentions must not stand in line."""
    if turn.granted or turn.due is None or turn.due - now < _SOON:
        return turn
    return replace(turn, due=turn.due + random.uniform(0, 1) * _SPREAD)  # noqa: S311 - spreading load


def later(seconds: float, now: datetime) -> datetime:
    """When to look again at a mention whose source a limit of our own keeps us from for so many seconds."""
    return now + max(GRACE, timedelta(seconds=seconds)) + random.uniform(0, 1) * _SPREAD  # noqa: S311 - spreading load


def fails(before: Mention, found: Sequence[Backlink | Exception], now: datetime) -> tuple[Mention, bool]:
    """A mention whose source was not seen to link, with since when that is; and whether it is to be taken away."""
    reasons = [judge(each)[0] for each in found if isinstance(each, Exception)]
    lost = all(takes_away(reason, asked=True) for reason in reasons)
    since = (before.lost_since or now) if lost else before.lost_since
    away = Reason.SOURCE_GONE in reasons or (lost and since is not None and now - since >= GRACE)
    return replace(before, missing_since=before.missing_since or now, lost_since=since, checked=now), away
