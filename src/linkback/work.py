"""Due work, taken from the store and done: for one site, or for all that share a store.

Rule: an attempt is counted when its job is leased, and a job ends only by what its doer records; so a process may die
at any point, and whoever works next does the job again.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from linkback import logs
from linkback.errors import StoreError
from linkback.forks import in_child
from linkback.hooks import report
from linkback.jobs import Embedded, Runner, crew
from linkback.model import Job, JobKind
from linkback.store import Overtaking, Storage

log = logs.named(__name__)

#: how long a job is held, from its lease and again from each of its POSTs: more than it takes to read a target and a
#: source, or to make one POST, also where `Limits` give them twice their time
LEASE_SECONDS = 120
#: where another worker has what is due in its hands this very moment
_SHORTEST_PAUSE, _LONGEST_STUCK = 0.05, 1.0
#: a clock that goes back by less is waited for
_SET_BACK = timedelta(days=1)
#: a job that has waited for so long is one of many
LATE = timedelta(seconds=5)
#: of jobs that others abandoned, one is begun at a time; the next after a second
_APART = timedelta(seconds=1)


@dataclass(kw_only=True, eq=False)
class Work:
    """The due jobs of a store, of one `site` or of any with None, and `do`, which does one and records how it ended.

    `runner` is who runs them in the background, `clock` gives the present, aware, and `pause` waits some seconds.
    One lease takes jobs for all threads of the runner that are free. The longest due come first; while these are late,
    what came last has every other lease, so that a flood keeps nobody waiting who comes after it. `forget` is called
    beside the work, with the present, often: it takes no time unless it is time for it.
    """

    store: Storage
    runner: Runner
    do: Callable[[Job], None]
    clock: Callable[[], datetime]
    pause: Callable[[float], None]
    site: str | None = None
    forget: Callable[[datetime], None] = lambda now: None

    def __post_init__(self) -> None:
        self._begin()
        in_child(self, Work._begin)
        self.runner.attach(self._next, self._seconds_to_next)

    def _begin(self) -> None:
        # leased until a time, for threads that are called to do them; begun; and of these those of the runner's threads
        self._ready: deque[tuple[Job, datetime]] = deque()
        self._in_hand: set[Job] = set()
        self._in_background: set[Job] = set()
        self._stopped = False
        # what the clock said last
        self._latest = self.clock()
        self._lock, self._asking = threading.Lock(), threading.Lock()
        # how many leases were asked for, and which of them was the last to get all that was due
        self._asked, self._all = 0, 0
        # whether what came last has the next lease
        self._overtakes = False

    def step(
        self, kind: JobKind | None = None, id: int | None = None, seen: Callable[[Job], None] | None = None
    ) -> bool:
        """Do one due job, of one kind or of any, or that of an id; false where it, or nothing, is due.

        `seen` is called with it once it was done. Raises `StoreError`.
        """
        job = self._ready_one(kind, id)
        if job is None:
            job, *_ = self._lease(1, kind, id)
        if job is None:
            return False
        self._do(job)
        if seen is not None:
            seen(job)
        return True

    def _next(self) -> bool:
        """Do one due job in a thread of the runner; those who ask at the same time share one lease."""
        self.forget(self.clock())
        before, leased, others = self._asked, 0, crew()
        with self._asking:
            job = self._ready_one()
            # an answer to who asked later than this thread, that nothing else is due, is one to this thread too
            if job is None and self._all <= before:
                self._asked += 1
                room = self._room(others)
                job, leased, all_due = self._lease(room, by_turns=True)
                if all_due:
                    self._all = self._asked
        if job is None:
            return False
        if others is not None:
            # one for each of the other jobs, and one to look out for what comes meanwhile
            others.call(leased)
        self._in_background.add(job)
        try:
            self._do(job)
        finally:
            self._in_background.discard(job)
        return True

    def _room(self, others: Embedded | None) -> int:
        """How many more jobs can be begun at once."""
        with self._lock:
            return 1 if others is None else max(1, others.threads - len(self._in_hand) - len(self._ready))

    def _lease(
        self, limit: int, kind: JobKind | None = None, id: int | None = None, *, by_turns: bool = False
    ) -> tuple[Job | None, int, bool]:
        """Lease due jobs and take the first in hand; with their number, and whether no more are due. The others are
        ready. Those that came last have their turns where it goes `by_turns`."""
        now = self.clock()
        self._mind_the_clock(now)
        until, all_due = now + timedelta(seconds=LEASE_SECONDS), False
        leased = self._newest(now, until, limit) if by_turns else []
        if not leased:
            leased = self.store.lease(now, until, site=self.site, kind=kind, id=id, limit=limit)
            all_due = len(leased) < limit
            self._overtakes = by_turns and any(job.due is not None and now - job.due > LATE for job in leased)
        if suspects := [job for job in leased if job.abandoned][1:]:
            # one of them may end its workers, and what is in hand with it each time would seem to do so too
            self._give_back(suspects, due=now + _APART, counted=False)
            leased = [job for job in leased if job not in suspects]
        with self._lock:
            stopped = self._stopped
            if not stopped:
                self._in_hand.update(leased[:1])
                self._ready.extend((job, until) for job in leased[1:])
        if stopped:
            # it was stopped meanwhile, and looks at nothing any more
            self._give_back(leased, due=now, counted=False)
            return None, 0, True
        return next(iter(leased), None), len(leased), all_due

    def _newest(self, now: datetime, until: datetime, limit: int) -> list[Job]:
        """Lease the jobs that came last, where it is their turn."""
        overtakes, self._overtakes = self._overtakes, False
        if not overtakes or not isinstance(self.store, Overtaking):
            return []
        return self.store.lease_newest(now, until, site=self.site, limit=limit)

    def _mind_the_clock(self, now: datetime) -> None:
        """See that what waits for times of a clock that was wrong is done by the one that was set."""
        with self._lock:
            latest, self._latest = self._latest, now
        if now < latest - _SET_BACK:
            log.warning("the clock was set back from %s to %s: what waits is due anew", latest, now)
            self.store.set_back(latest, now)

    def _ready_one(self, kind: JobKind | None = None, id: int | None = None) -> Job | None:
        """Take in hand a job that is ready, of one kind or of any, or that of an id."""
        now = self.clock()
        with self._lock:
            # what was leased too long ago is another's, or is to be had anew
            self._ready = deque(each for each in self._ready if each[1] > now)
            fits = (each for each in self._ready if kind in (None, each[0].kind) and id in (None, each[0].id))
            if (found := next(fits, None)) is None:
                return None
            self._ready.remove(found)
            self._in_hand.add(found[0])
            return found[0]

    def _do(self, job: Job) -> None:
        try:
            self.do(job)
        finally:
            with self._lock:
                self._in_hand.discard(job)

    def drain(
        self, kind: JobKind | None = None, *, patience: float = 0.0, seen: Callable[[Job], None] | None = None
    ) -> int:
        """Do what is due, and what comes due within `patience` seconds after; how many jobs this thread did."""
        done, stuck = 0, 0.0
        self.forget(self.clock())
        while True:
            while self.step(kind, seen=seen):
                done += 1
            self._settle()
            due = self.store.next_due(site=self.site, kind=kind)
            wait = math.inf if due is None else (due - self.clock()).total_seconds()
            before = self.clock()
            stuck = stuck + _SHORTEST_PAUSE if wait <= 0 else 0.0
            if wait > patience or stuck > max(patience, _LONGEST_STUCK):
                return done
            self.pause(max(wait, _SHORTEST_PAUSE))
            if self.clock() <= before:
                # a clock that stands still, as in a test, would have us wait for ever
                return done

    def _settle(self) -> None:
        """Wait for what the runner's threads have in hand, also for what they begin meanwhile; a job waits for none."""
        self.runner.settle()
        while crew() is None and self._in_background:
            self.runner.settle()

    def _seconds_to_next(self) -> float | None:
        due = self.store.next_due(site=self.site)
        return None if due is None else (due - self.clock()).total_seconds()

    def close(self, timeout: float) -> None:
        """Stop the background work, waiting at most `timeout` seconds, give back the rest, let go of the store.

        A job that is given back is due at once for whoever works next; what this one still does to it is late.
        """
        self.stop(timeout)
        with self._lock:
            left = list(self._in_hand)
        self._give_back(left, due=self.clock())
        self.store.close()

    def stop(self, timeout: float) -> None:
        """Stop the background work, waiting at most `timeout` seconds, and give back what nobody has begun."""
        self.runner.stop(timeout)
        with self._lock:
            self._stopped = True
            left = [job for job, _ in self._ready]
            self._ready.clear()
        self._give_back(left, due=self.clock(), counted=False)

    def _give_back(self, left: Sequence[Job], *, due: datetime, counted: bool = True) -> None:
        try:
            if left:
                self.store.release(*left, due=due, counted=counted)
        except StoreError:
            log.exception("could not give back %d jobs; they are due when their leases end", len(left))


def put_off(
    store: Storage, job: Job, error: Exception, *, due: datetime | None, give_up: Callable[[Job], None]
) -> None:
    """Log why a job could not be done, and have it tried again when it is `due`, or given up where it never is.

    Raises `StoreError`.
    """
    report(log, f"{job.kind} {job.subject} failed", error)
    give_up(job) if due is None else store.release(job, due=due)
