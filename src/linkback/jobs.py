"""Who runs due work: the asking thread, threads of this process, or somebody else.

Rule: a runner decides when, never what. The database is the record of work, so a runner may be killed at any point,
and a nudge is only a hint.
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing
from collections.abc import Callable

from linkback import logs
from linkback.errors import ConfigurationError
from linkback.forks import in_child

log = logs.named(__name__)

#: do one due job; false where nothing is due
Step = Callable[[], bool]
#: seconds until something is due; None where nothing waits
Wait = Callable[[], float | None]

#: jobs that one process has in hand at most, unless it is told otherwise: a post of fifty links waits for the slowest,
#: not for the sum (bench/fanout.py)
MOST_THREADS = 64

_LOCKED_NAP = 0.25
_LONGEST_BACKOFF = 60.0
#: seconds after which a thread ends that finds nothing to do while another watches
_LINGER = 5.0


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


class _Here(threading.local):
    crew: Embedded | None = None


_here = _Here()


def crew() -> Embedded | None:
    """The runner whose thread this is, whatever it may be wrapped in; None for threads of other origin."""
    return _here.crew


def stopping() -> bool:
    """Whether the runner whose thread this is was told to stop; False for threads of other origin."""
    return _here.crew is not None and _here.crew.stopping


class Embedded:
    """Runs work in daemon threads of this process, at most `threads` at once, for one site.

    They come with the work and end without it: a nudge wakes one that sleeps, or starts one, and a step that has jobs
    calls for as many of its `crew()`, so that one is left to look out for more. That one watches: it looks again when
    something is due, and after `poll` seconds for what other processes brought. A fork takes no threads along, so the
    first nudge in a new process starts its own. After `stop` nothing runs any more. Raises `ConfigurationError` for
    fewer threads than one.
    """

    def __init__(self, threads: int = MOST_THREADS, *, poll: float = 30.0) -> None:
        if threads < 1:
            raise ConfigurationError(f"a runner needs at least one thread, not {threads}")
        self.threads = threads
        self._poll = poll
        self._step: Step | None = None
        self._wait: Wait = lambda: None
        #: whether it was told to stop
        self.stopping = False
        #: called by each thread when it ends, to let go of what is its own
        self.leave: Callable[[], None] = lambda: None
        self._begin()
        in_child(self, Embedded._begin)

    def _begin(self) -> None:
        lock = threading.RLock()
        self._wake, self._ended = threading.Condition(lock), threading.Condition(lock)
        # nudges that no thread has followed yet, and who could
        self._calls, self._asleep = 0, 0
        # when the thread that watches looks again; None where none does
        self._looks: float | None = None
        self._troubled = False
        self._threads: list[threading.Thread] = []
        self._in_hand: set[object] = set()

    def attach(self, step: Step, wait: Wait) -> None:
        """Learn how to do one job; raises `ConfigurationError` for a second site."""
        if self._step is not None:
            raise ConfigurationError("this runner works for another site already; give each site its own")
        self._step, self._wait = step, wait

    def nudge(self) -> None:
        """Have one more thread look for work: wake one that sleeps, or start one."""
        self.call(1)

    def call(self, number: int) -> None:
        """Have so many threads more look for work, as far as there may be so many."""
        with self._wake:
            for _ in range(number):
                self._calls = min(self._calls + 1, self.threads)
                if self._calls <= self._asleep:
                    self._wake.notify()
                elif len(self._threads) < self.threads:
                    self._start()

    def _start(self) -> None:
        if self._step is None or self.stopping:
            return
        number = len(self._threads)
        thread = threading.Thread(target=self._run, args=(self._step,), name=f"linkback-{number}", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            # the process has no room for it, or is about to end; the next nudge tries again
            log.warning("no thread could be started beside %d of %d", number, self.threads)
            return
        self._threads.append(thread)

    def settle(self) -> None:
        """Wait for the steps that the threads have in hand now; a step itself waits for none."""
        with self._wake:
            # two jobs that waited for each other would do so for ever
            if threading.current_thread() not in self._threads:
                begun = frozenset(self._in_hand)
                self._ended.wait_for(lambda: begun.isdisjoint(self._in_hand))

    def stop(self, timeout: float = 12.0) -> None:
        """Let each thread end its job, and wait at most `timeout` seconds for all of them."""
        with self._wake:
            self.stopping = True
            self._wake.notify_all()
            threads = list(self._threads)
        deadline = time.monotonic() + timeout
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self, step: Step) -> None:
        _here.crew = self
        try:
            while not self._endured(step):
                # a thread that ended here would leave a worker that lives and does nothing
                time.sleep(_LOCKED_NAP)
        finally:
            try:
                self.leave()
            except Exception:
                log.exception("what belonged to a thread that ends could not be let go of")
            with self._wake, contextlib.suppress(ValueError):
                self._threads.remove(threading.current_thread())
                self._ended.notify_all()

    def _endured(self, step: Step) -> bool:
        """Work until this thread may end; False where memory ended, and not even that could be told or waited for."""
        try:
            self._loop(step)
        except MemoryError:
            return False
        return True

    def _loop(self, step: Step) -> None:
        failures = 0
        while not self.stopping:
            with self._wake:
                self._calls = max(0, self._calls - 1)
            try:
                if self._do(step):
                    failures, self._troubled = 0, False
                    continue
                nap = self._wait()
                # due, and not to be had: another has it in a transaction that is still open
                nap = _LOCKED_NAP if nap is not None and nap <= 0 else nap
                failures, self._troubled = 0, False
            except Exception as error:
                # the store may be locked, full or away: what is due stays recorded and is tried again
                failures += 1
                nap = min(2.0 ** (failures - 1), _LONGEST_BACKOFF)
                # its trace once, when the trouble begins
                trace = None if self._troubled else error
                self._troubled = True
                log.error("work failed, next try in %.0f s: %s", nap, error, exc_info=trace)
            longest = _LONGEST_BACKOFF if failures else self._poll
            if not self._rest(longest if nap is None else min(nap, longest)):
                return

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
                self._ended.notify_all()

    def _rest(self, seconds: float) -> bool:
        """Sleep until there may be work: until called or, where no other thread watches, at most so long.

        False where this thread may end: it was not called for a while, and another watches.
        """
        with self._wake:
            at = time.monotonic() + seconds
            watches = self._looks is None
            if self._looks is None or at < self._looks:
                # a job that just ended may be due again before whoever watches would look
                self._looks = at
                self._wake.notify_all()
            self._asleep += 1
            try:
                self._sleep(None if watches else time.monotonic() + _LINGER)
            finally:
                self._asleep -= 1
                if watches:
                    self._looks = None
            return watches or self._calls > 0 or self._looks is None

    def _sleep(self, until: float | None) -> None:
        """Wait for a call until a time, or until it is time to look; the time may come nearer meanwhile."""
        while not self.stopping and not self._calls:
            end = until if until is not None else self._looks
            left = end - time.monotonic() if end is not None else 0.0
            if left <= 0:
                return
            self._wake.wait(left)
