"""Room for so many at once, of what each takes megabytes for.

Rule: a place is held by who computes alone: never while a host is waited for, or code that is not ours.
"""

from __future__ import annotations

import threading

from linkback.forks import in_child


class Places:
    """Room for a number of them, by all threads of a process; a child after a fork has them all."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._begin()
        in_child(self, Places._begin)

    def _begin(self) -> None:
        self.free = threading.BoundedSemaphore(self._number)
