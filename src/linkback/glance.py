"""What is counted in a store is believed for some seconds, so that a thousand who ask cost it one look.

Rule: one looks, and the others go by what is known; nobody waits for a look of another.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from linkback import forks

#: for how long what was seen is believed, at least and at most, and in times of what it took: who asks waits for that
GLANCE_SECONDS, _LONGEST_SECONDS, _TIMES = 5.0, 60.0, 200

T = TypeVar("T")


class Glance(Generic[T]):
    """What was seen last, `known` before anybody looked. May be shared by threads; `clock` gives seconds."""

    def __init__(self, known: T, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._known = known
        self._clock = clock
        self._looked, self._rests = -math.inf, GLANCE_SECONDS
        self._renew()
        forks.in_child(self, Glance._renew)

    def is_due(self) -> bool:
        """Whether it is time to look again, and for whoever asks this to do it."""
        with self._lock:
            now = self._clock()
            # a clock may be set back
            due = not self._looked <= now < self._looked + self._rests
            if due:
                # who takes long over it is not joined by others
                self._looked, self._rests = now, _LONGEST_SECONDS
            return due

    def has_looked(self) -> None:
        """Note that whoever was to look has done it."""
        with self._lock:
            took = _TIMES * (self._clock() - self._looked)
            self._rests = min(max(GLANCE_SECONDS, took), _LONGEST_SECONDS)

    def of(self, look: Callable[[], T]) -> T:
        """What `look` gives, or what it gave last where that is not long ago. Raises what it raises."""
        if self.is_due():
            try:
                self._known = look()
            finally:
                self.has_looked()
        return self._known

    def _renew(self) -> None:
        self._lock = threading.Lock()
