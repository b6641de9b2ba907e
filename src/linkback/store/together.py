"""Calls that come at one moment are done as one: the first does them for all that wait meanwhile.

Rule 1: nobody returns before the work that holds his call has ended; where it failed, all of it are told.
Rule 2: the work is done by a thread that called, so there is none to start, to stop or to lose by a fork.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from linkback import desk
from linkback.errors import StoreError
from linkback.forks import in_child

A = TypeVar("A")
R = TypeVar("R")


class _Call(Generic[A, R]):
    """One call: what it is `given`, and what became of it."""

    __slots__ = ("done", "error", "given", "leads", "result", "woken")

    def __init__(self, given: A) -> None:
        self.given = given
        self.leads = self.done = False
        self.result: R | None = None
        self.error: BaseException | None = None
        # its owner waits for its release; cheaper than an event, of which there is one a call
        self.woken = threading.Lock()
        self.woken.acquire()


class Together(Generic[A, R]):
    """`do` for many calls at once, at most so many. It gives a result for each, in their order.

    Safe to share between threads, and to use after a fork.
    """

    def __init__(self, do: Callable[[Sequence[A]], Sequence[R]], most: int) -> None:
        self._do = do
        self.most = most
        self._begin()
        in_child(self, Together._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[_Call[A, R]] = deque()
        self._led = False

    def __call__(self, given: A) -> R:
        """The result for one call; raises what `do` raised for those it was done with, others' as a `StoreError`."""
        call: _Call[A, R] = _Call(given)
        try:
            with desk.away():
                with self._lock:
                    self._waiting.append(call)
                    call.leads, self._led = not self._led, True
                if not call.leads:
                    call.woken.acquire()
                if not call.done:
                    with desk.back():
                        self._lead(call)
        except BaseException:
            self._leave(call)
            raise
        if call.error is not None:
            told = call.error if isinstance(call.error, StoreError) else f"it broke off: {call.error!r}"
            raise StoreError(str(told)) from call.error
        return call.result  # type: ignore[return-value]  # done without an error

    def _lead(self, own: _Call[A, R]) -> None:
        """Do what waits, the own call first, and leave the rest to the next."""
        batch: list[_Call[A, R]] = []
        try:
            with self._lock:
                while self._waiting and len(batch) < self.most:
                    batch.append(self._waiting.popleft())
            for call, result in zip(batch, self._do([call.given for call in batch]), strict=True):
                call.result = result
        except BaseException as error:
            for call in batch:
                call.error = error
            raise
        finally:
            with self._lock:
                self._appoint(own)
            for call in batch:
                call.done = True
                call.woken.release()

    def _leave(self, call: _Call[A, R]) -> None:
        """See that nobody waits for a thread that was interrupted; whoever leads may do its call all the same."""
        with self._lock:
            if call in self._waiting:
                self._waiting.remove(call)
            if call.leads:
                self._appoint(call)

    def _appoint(self, leader: _Call[A, R]) -> None:
        """Have the first that waits lead after this one; nobody where none does."""
        leader.leads = False
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].leads = True
            self._waiting[0].woken.release()
