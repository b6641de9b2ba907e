"""Of the threads that check claims one computes at a time: it sits at the desk, and leaves it while it waits.

Python runs one thread at a time in any case. But threads that compute and others that come back from waiting take the
interpreter from each other hundreds of times for each check, mostly from core to core: a third of its CPU (backlog
drain). A lock is waited for without that.

Rule 1: it is a courtesy, and so no two can wait for each other: who has waited for `_PATIENCE` seconds goes on
        without, and leaves the others a new desk, as the old one may be lost.
Rule 2: who waits for a host or for another thread's work, or calls the host's own code, is `away` meanwhile; who works
        for others that wait comes `back` only where it is free soon.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from linkback.forks import in_child

_PATIENCE, _SOON = 2.0, 0.02


class _Here(threading.local):
    """Whether this thread has work for the desk, and the seat that it has there now."""

    works: bool = False
    seat: threading.Lock | None = None


class _Desk:
    def __init__(self) -> None:
        self._begin()
        in_child(self, _Desk._begin)

    def _begin(self) -> None:
        self._seat, self._here = threading.Lock(), _Here()

    @contextlib.contextmanager
    def seat(self) -> Iterator[None]:
        """While a thread does a piece of work in which it mostly computes; nothing for a piece of such a piece."""
        if self._here.works:
            yield
            return
        try:
            self._here.works = True
            self._sit()
            yield
        finally:
            self._rise()
            self._here.works = False

    @contextlib.contextmanager
    def away(self, *, briefly: bool = False) -> Iterator[None]:
        """While that work waits, or does what may wait; nothing for threads that are not at it.

        Who is away `briefly`, and often, sits again only where the desk is free soon.
        """
        if self._here.seat is None:
            yield
            return
        self._rise()
        try:
            yield
        finally:
            self._sit_soon() if briefly else self._sit()

    @contextlib.contextmanager
    def back(self) -> Iterator[None]:
        """While one that is away computes after all, and others wait for it."""
        if not self._here.works or self._here.seat is not None:
            yield
            return
        try:
            self._sit_soon()
            yield
        finally:
            self._rise()

    def _sit(self) -> None:
        seat = self._seat
        if seat.acquire(timeout=_PATIENCE):
            self._here.seat = seat
        elif self._seat is seat:
            self._seat = threading.Lock()

    def _sit_soon(self) -> None:
        if (seat := self._seat).acquire(timeout=_SOON):
            self._here.seat = seat

    def _rise(self) -> None:
        seat, self._here.seat = self._here.seat, None
        if seat is not None:
            seat.release()


_desk = _Desk()
seat, away, back = _desk.seat, _desk.away, _desk.back
