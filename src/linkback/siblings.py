"""The page that one check has read answers the others that wait for it: each gets its own verdict, by its own job.

Rule 1: what is answered was said before the page was asked for; what came later may speak of a newer one.
Rule 2: who was looked at before has the time that he was given: a page that is read sooner for others says nothing of
        him (protocols.md D-27, B-13).
Rule 3: a job is taken along by a lease like any other, some at a time, and given back uncounted where it was not begun.
        Those that were in hand when workers died twice are looked at alone: one of them may be why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from linkback import logs, urls
from linkback.errors import Reason, StoreError
from linkback.jobs import stopping
from linkback.model import Job
from linkback.policy import Policy, Retry
from linkback.store import ClaimRecord, Gathering, Sibling, Storage

log = logs.named(__name__)

#: what another look at the source may turn into a yes (protocols.md D-27)
SECOND_LOOK = frozenset({Reason.NO_BACKLINK, Reason.SOURCE_MISSING, Reason.TRUNCATED})
#: how many claims are found at once, and how many jobs leased
_AT_ONCE = 50
#: the last attempt that is made with others after a worker died
_MOST_TOGETHER = 2


def goes_alone(job: Job) -> bool:
    """Whether a job may be what kills its workers, so that no other must be in hand with it."""
    return job.abandoned and job.attempts > _MOST_TOGETHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long after a look, and after how many attempts, a claim may be looked at again."""

    policy: Policy
    retry: Retry
    #: whether this look may be a claim's last
    last: bool = True

    def ended(self, record: ClaimRecord, attempts: int, by: datetime) -> bool:
        """Whether it has, by a time, for a claim; one that nobody has looked at had none to have."""
        if not self.last and attempts >= len(self.retry.delays):
            return False
        if record.checked is None:
            return True
        return record.checked < by and record.checked + self._after(record.reason, attempts) <= by

    def _after(self, reason: Reason | None, attempts: int) -> timedelta:
        if reason in SECOND_LOOK or not self.retry.delays:
            return timedelta(seconds=self.policy.second_look_seconds)
        return timedelta(seconds=self.retry.delays[min(max(1, attempts), len(self.retry.delays)) - 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Siblings:
    """The checks that can be answered by what one check, of `job`, has read for a claim, `record`.

    `began` is when the page was asked for. Each is held for `lease`, and none is begun when that has passed since.
    `answer` records what became of one, whose number it is given; it raises `StoreError` where that failed.
    """

    store: Storage
    gathering: Gathering
    job: Job
    record: ClaimRecord
    began: datetime
    lease: timedelta
    now: Callable[[], datetime]
    patience: Patience
    answer: Callable[[Sibling, int], None]
    _tried: set[int] = field(default_factory=set)

    def take_along(self) -> int:
        """Answer them all, also those that another worker lets go of meanwhile; how many. Raises `StoreError`."""
        before = -1
        while len(self._tried) > before and not goes_alone(self.job):
            before = len(self._tried)
            after: int | None = 0
            while after is not None and self._goes_on(self.began + self.lease):
                found, after = self.gathering.siblings(self.record, now=self.now(), after=after, limit=_AT_ONCE)
                if (chosen := [each for each in found if self._can_answer(each)]) and not self._take(chosen):
                    return len(self._tried)
        return len(self._tried)

    def _goes_on(self, until: datetime) -> bool:
        return self.now() < until and not stopping()

    def _can_answer(self, sibling: Sibling) -> bool:
        job = sibling.job
        if job.id in self._tried or goes_alone(job):
            return False
        asked = urls.asked_for(self.record.claim.source)
        fits = (
            # what another spelling of a source brings may be another page
            urls.asked_for(record.claim.source) == asked
            and record.received <= self.began
            and self.patience.ended(record, job.attempts - 1, self.began)
            for record in sibling.claims
        )
        return bool(sibling.claims) and all(fits)

    def _take(self, chosen: Sequence[Sibling]) -> bool:
        """Lease some and answer them; False where the lease of `job` is over, so that its turn is."""
        leased = self.now()
        had = self.gathering.lease_siblings(self.job, [each.job for each in chosen], until=leased + self.lease)
        if had is None:
            return False
        left = deque(each for each in chosen if each.job in had)
        try:
            # the host's own functions may take their time over each
            while left and self._goes_on(leased + self.lease / 2):
                each = left.popleft()
                self._tried.add(each.job.id)
                self.answer(each, len(self._tried))
        finally:
            self._give_back([each.job for each in left])
        return True

    def _give_back(self, left: Sequence[Job]) -> None:
        try:
            if left:
                self.store.release(*left, due=self.now(), counted=False)
        except StoreError:
            log.exception("could not give back %d jobs; they are due when their leases end", len(left))
