"""Who runs due work: the asking thread, threads of this process, or somebody else.

Rule: a runner decides when, never what. The database is the record of work, so a runner may be killed at any point,
and a nudge is only a hint.
"""

from __future__ import annotations

import logging
import threading
import time
import typing
from collections.abc import Callable

from linkback.errors import ConfigurationError
from linkback.forks import in_child

log = logging.getLogger(__name__)

#: do one due job; false where nothing is due
Step = Callable[[], bool]
#: seconds until something is due; None where nothing waits
Wait = Callable[[], float | None]

_LOCKED_NAP = 0.25
_LONGEST_BACKOFF = 60.0


class Runner(typing.Protocol):
    """What a site asks of whoever runs its work."""

    def attach(self, step: Step, wait: Wait) -> None:
        """Learn how to do one job and how long to wait for the next."""

    def nudge(self) -> None:
        """There may be work: begin soon, or now. Never raises: what is due is recorded, and will be found."""

    def settle(self) -> None:
        """Wait for what is being done in this process now, however long it takes."""

    def stop(self, timeout: float = ...) -> None:
        """Finish what is being done and run nothing more; wait at most `timeout` seconds for it."""


class External:
    """Runs nothing: another process drains the store, or `Site.drain` is called."""

    def attach(self, step: Step, wait: Wait) -> None:
        """Nothing to learn."""

    def nudge(self) -> None:
        """Nothing to begin."""

    def settle(self) -> None:
        """Nothing to wait for."""

    def stop(self, timeout: float = 0.0) -> None:
        """Nothing to finish."""


class Embedded:
    """Runs work in `threads` daemon threads of this process, started by the first nudge, for one site.

    After `poll` seconds they look for what other processes brought. A fork takes no threads along, so the first nudge
    in a new process starts its own. After `stop` nothing runs any more. Raises `ConfigurationError` for fewer threads
    than one.
    """

    def __init__(self, threads: int = 4, *, poll: float = 30.0) -> None:
        if threads < 1:
            raise ConfigurationError(f"a runner needs at least one thread, not {threads}")
        self._size = threads
        self._poll = poll
        self._step: Step | None = None
        self._wait: Wait = lambda: None
        self._stopping = False
        self._begin()
        in_child(self, Embedded._begin)

    def _begin(self) -> None:
        self._wake = threading.Condition()
        self._nudges = 0
        self._threads: list[threading.Thread] = []
        self._in_hand: set[object] = set()

    def attach(self, step: Step, wait: Wait) -> None:
        """Learn how to do one job; raises `ConfigurationError` for a second site."""
        if self._step is not None:
            raise ConfigurationError("this runner works for another site already; give each site its own")
        self._step, self._wait = step, wait

    def nudge(self) -> None:
        """Wake the threads, or start them."""
        with self._wake:
            self._nudges += 1
            self._wake.notify_all()
            if self._step is not None and not self._threads and not self._stopping:
                self._start(self._step)

    def _start(self, step: Step) -> None:
        for number in range(self._size):
            thread = threading.Thread(target=self._loop, args=(step,), name=f"linkback-{number}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # the process has no room for it, or is about to end; the next nudge tries again
                log.warning("only %d of %d threads could be started", number, self._size)
                return
            self._threads.append(thread)

    def settle(self) -> None:
        """Wait for the steps that the threads have in hand now; a step itself waits for none."""
        with self._wake:
            # two jobs that waited for each other would do so for ever
            if threading.current_thread() not in self._threads:
                begun = frozenset(self._in_hand)
                self._wake.wait_for(lambda: begun.isdisjoint(self._in_hand))

    def stop(self, timeout: float = 12.0) -> None:
        """Let each thread end its job, and wait at most `timeout` seconds for all of them."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _loop(self, step: Step) -> None:
        failures = 0
        while not self._stopping:
            seen = self._nudges
            try:
                if self._do(step):
                    failures = 0
                    continue
                nap = self._wait()
                # due, and not to be had: another has it in a transaction that is still open
                nap = _LOCKED_NAP if nap is not None and nap <= 0 else nap
                failures = 0
            except Exception as error:
                # the store may be locked, full or away: what is due stays recorded and is tried again
                failures += 1
                nap = min(2.0 ** (failures - 1), _LONGEST_BACKOFF)
                # its trace once, when the trouble begins
                log.error("work failed, next try in %.0f s: %s", nap, error, exc_info=error if failures == 1 else None)
            longest = _LONGEST_BACKOFF if failures else self._poll
            self._sleep(longest if nap is None else min(nap, longest), seen)

    def _do(self, step: Step) -> bool:
        """One step, in hand before it leases a job: who finds nothing due can wait for what was."""
        this = object()
        with self._wake:
            self._in_hand.add(this)
        try:
            return step()
        finally:
            with self._wake:
                self._in_hand.discard(this)
                self._wake.notify_all()

    def _sleep(self, seconds: float, seen: int) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._stopping or self._nudges != seen, timeout=seconds)
