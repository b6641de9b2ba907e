"""A deadline that holds against a peer who never stops talking.

A time-out per read never ends while bytes drip in, and a reader blocked in the kernel cannot look at a clock. So one
watchdog thread per process shuts the socket of an exchange that is out of time, from outside: every blocked call on
it then returns. It shuts a twin of the descriptor, so TLS, which takes the first one over, is covered from its
handshake on.

Rule: a cut is taken at or after the end, so whoever reads the clock after a blocking call knows whether the bytes
it has may have been cut short: `passed` is true. Ask it before believing an answer.
"""

from __future__ import annotations

import errno
import heapq
import itertools
import os
import socket
import threading
import time
import types
import typing
from collections.abc import Callable
from contextlib import suppress

_T = typing.TypeVar("_T")

#: calls that may hang at once: each holds a thread until the system gives up
MAX_CALLS = 32


class Deadline:
    """The time one exchange may take, from the name look-up to the last byte.

    `seconds` is the whole allowance; the clock runs from construction. Use it as a context manager: inside, the socket
    given to `watch` is shut when time is up.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._twin: socket.socket | None = None

    @property
    def passed(self) -> bool:
        """Whether time is up, in which case a socket may have been cut."""
        return time.monotonic() >= self.end

    def remaining(self) -> float:
        """Seconds left; raises `TimeoutError` where there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"out of time after {self.seconds:g} s")
        return left

    def __enter__(self) -> typing.Self:
        _watchdog.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.release()

    def watch(self, sock: socket.socket) -> None:
        """Shut this socket, instead of the one watched before, when time is up."""
        twin = sock.dup()
        with self._lock:
            former, self._twin = self._twin, twin
        if former is not None:
            former.close()

    def release(self) -> None:
        """Watch no socket any more."""
        with self._lock:
            former, self._twin = self._twin, None
        if former is not None:
            former.close()

    def cut(self) -> None:
        """Shut the watched socket, both ways. The watchdog calls it, at or after `end`."""
        with self._lock:
            if self._twin is not None:
                with suppress(OSError):
                    self._twin.shutdown(socket.SHUT_RDWR)

    def run(self, call: Callable[[], _T]) -> _T:
        """Give the result of a call that has no time-out of its own, such as a name look-up.

        It runs in a daemon thread, which is left behind when time is up. Raises what the call raises, and
        `TimeoutError` when it, or a free thread, did not come in time.
        """
        calls = _calls
        if not calls.acquire(timeout=self.remaining()):
            raise TimeoutError(f"no thread was free within {self.seconds:g} s")
        done = threading.Event()
        box: list[_T] = []
        errors: list[Exception] = []

        def work() -> None:
            try:
                box.append(call())
            except Exception as error:  # noqa: BLE001 - handed over to the caller, whole
                errors.append(error)
            finally:
                calls.release()
                done.set()

        try:
            _start(work, "linkback-call")
        except OSError:
            calls.release()
            raise
        if not done.wait(self.remaining()):
            raise TimeoutError(f"no result within {self.seconds:g} s")
        if errors:
            raise errors[0]
        return box[0]


class _Watchdog:
    """One thread for all exchanges of a process, asleep until the next one's time is up."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._due: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._running = False

    def add(self, deadline: Deadline) -> None:
        with self._wake:
            heapq.heappush(self._due, (deadline.end, next(self._numbers), deadline))
            if not self._running:
                _start(self._run, "linkback-watchdog")
                self._running = True
            elif self._due[0][2] is deadline:
                self._wake.notify()

    def _run(self) -> None:
        while True:
            self._next().cut()

    def _next(self) -> Deadline:
        with self._wake:
            while True:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._wake.wait(wait)


def _start(work: Callable[[], None], name: str) -> None:
    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, "no thread can be started") from error


def _renew() -> None:
    """Threads do not survive a fork, and their locks may be held for ever: the child begins with its own."""
    global _watchdog, _calls
    _watchdog = _Watchdog()
    _calls = threading.BoundedSemaphore(MAX_CALLS)


_watchdog = _Watchdog()
_calls = threading.BoundedSemaphore(MAX_CALLS)
if hasattr(os, "register_at_fork"):  # pragma: no branch - where there is no fork there is no such hook
    os.register_at_fork(after_in_child=_renew)
