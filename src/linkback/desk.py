"""Of the threads that check claims one computes at a time: it sits at the desk, and leaves it while it waits.

Python runs one thread at a time in any case. But threads that compute and others that come back from waiting take the
interpreter from each other hundreds of times for each check, mostly from core to core: a third of its CPU (backlog
drain). A lock is waited for without that.

Rule 1: it is a courtesy. Nothing relies on it, and who has waited for it for `_PATIENCE` seconds goes on without.
Rule 2: who waits for a host or another thread, or calls the host's own code, is `away` meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from linkback.forks import in_child

_PATIENCE = 5.0


class _Here(threading.local):
    """Whether this thread has something to do at the desk, and whether it sits there now."""

    works: bool = False
    sits: bool = False


class _Desk:
    def __init__(self) -> None:
        self._begin()
        in_child(self, _Desk._begin)

    def _begin(self) -> None:
        self._seat, self._here = threading.Lock(), _Here()

    @contextlib.contextmanager
    def seat(self) -> Iterator[None]:
        """While a thread does a piece of work in which it mostly computes."""
        if self._here.works:
            yield
            return
        self._here.works = True
        self._sit()
        try:
            yield
        finally:
            self._rise()
            self._here.works = False

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """While that work waits, or does what may wait; nothing for threads that are not at it."""
        with self._other(sits=False):
            yield

    @contextlib.contextmanager
    def back(self) -> Iterator[None]:
        """While one that is away computes after all."""
        with self._other(sits=True):
            yield

    @contextlib.contextmanager
    def _other(self, *, sits: bool) -> Iterator[None]:
        here = self._here
        if not here.works or here.sits == sits:
            yield
            return
        self._sit() if sits else self._rise()
        try:
            yield
        finally:
            self._rise() if sits else self._sit()

    def _sit(self) -> None:
        self._here.sits = self._seat.acquire(timeout=_PATIENCE)

    def _rise(self) -> None:
        if self._here.sits:
            self._here.sits = False
            self._seat.release()


_desk = _Desk()
seat, away, back = _desk.seat, _desk.away, _desk.back
