"""Due work, taken from the store and done: for one site, or for all that share a store.

Rule: an attempt is counted when its job is leased, and a job ends only by what its doer records; so a process may die
at any point, and whoever works next does the job again.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from linkback.errors import StoreError
from linkback.jobs import Runner
from linkback.model import Job, JobKind
from linkback.store import Storage

log = logging.getLogger(__name__)

#: how long a job is held, from its lease and again from each of its POSTs: more than it takes to read a target and a
#: source, or to make one POST, also where `Limits` give them twice their time
LEASE_SECONDS = 120
#: where another worker has what is due in its hands this very moment
_SHORTEST_PAUSE, _LONGEST_STUCK = 0.05, 1.0


@dataclass(frozen=True, kw_only=True)
class Work:
    """The due jobs of a store, of one `site` or of any with None, and `do`, which does one and records how it ended.

    `runner` is who runs them in the background, `clock` gives the present, aware, and `pause` waits some seconds.
    """

    store: Storage
    runner: Runner
    do: Callable[[Job], None]
    clock: Callable[[], datetime]
    pause: Callable[[float], None]
    site: str | None = None
    _in_hand: set[Job] = field(default_factory=set, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self.runner.attach(self.step, self._seconds_to_next)

    def step(
        self, kind: JobKind | None = None, id: int | None = None, seen: Callable[[Job], None] | None = None
    ) -> bool:
        """Do one due job, of one kind or of any, or that of an id; false where it, or nothing, is due.

        `seen` is called with it once it was done. Raises `StoreError`.
        """
        now = self.clock()
        leased = self.store.lease(now, now + timedelta(seconds=LEASE_SECONDS), site=self.site, kind=kind, id=id)
        for job in leased:
            self._do(job)
            if seen is not None:
                seen(job)
        return bool(leased)

    def _do(self, job: Job) -> None:
        with self._lock:
            self._in_hand.add(job)
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
        while True:
            while self.step(kind, seen=seen):
                done += 1
            self.runner.settle()
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

    def _seconds_to_next(self) -> float | None:
        due = self.store.next_due(site=self.site)
        return None if due is None else (due - self.clock()).total_seconds()

    def close(self, timeout: float) -> None:
        """Stop the background work, waiting at most `timeout` seconds, give back the rest, let go of the store.

        A job that is given back is due at once for whoever works next; what this one still does to it is late.
        """
        self.runner.stop(timeout)
        with self._lock:
            left = list(self._in_hand)
        try:
            if left:
                self.store.release(*left, due=self.clock())
        except StoreError:
            log.exception("could not give back %d jobs; they are due when their leases end", len(left))
        self.store.close()
