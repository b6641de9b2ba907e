"""How much of one thing in how much time: a token bucket for each key, by the generic cell rate algorithm.

Rule 1: a key is one number, the time at which its bucket is full again, so a refusal costs and changes nothing.
Rule 2: what is counted is this process's own, and is forgotten with it.
Rule 3: where there are too many keys, those that owe least are forgotten. To have a long debt forgotten one needs as
        many keys as there is room for, each with a longer one, which is more than the debt was worth.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from operator import itemgetter

from linkback import forks
from linkback.errors import ConfigurationError

#: buckets that are remembered
MOST_KEYS = 10_000
#: as many are never looked through
_FEW = 100
_NANOSECONDS = 1_000_000_000


def check_rate(name: str, burst: object, seconds: object) -> None:
    """Raise `ConfigurationError` where the values that begin with `name` are not 1 or more, and 0 seconds or more."""
    many = isinstance(burst, int) and burst >= 1
    if not (many and isinstance(seconds, int | float) and 0 <= seconds < math.inf):
        what = f"{name}_burst and {name}_seconds: {burst!r} at once, then one each {seconds!r} s"
        raise ConfigurationError(f"{what}, is no rate; one without a limit has 0 seconds")


class TokenBuckets:
    """A bucket of `burst` tokens for each key; each bucket gets one token back every `seconds`.

    So in any time t one key is granted at most burst + t / seconds. With 0 seconds nothing is limited. `most` buckets
    are remembered. `clock` gives seconds that only go forward. One may be shared by threads. What is given is a rate,
    as `check_rate` says.
    """

    def __init__(
        self, burst: int, seconds: float, *, most: int = MOST_KEYS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        # whole numbers: what fractions add up to would be a little early or late
        self._gap = round(seconds * _NANOSECONDS)
        self._credit = (burst - 1) * self._gap
        self._most, self._room = most, min(most, _FEW)
        self._clock = clock
        self._full_at: dict[str, int] = {}
        self._renew()
        forks.in_child(self, TokenBuckets._renew)

    def take(self, key: str, *, leave: int = 0) -> float:
        """Take a token: 0.0 where there was one, else the seconds until there is, with nothing taken.

        So many are to be left: for whoever takes these it is as if they were not there.
        """
        if not self._gap:
            return 0.0
        with self._lock:
            now = round(self._clock() * _NANOSECONDS)
            full_at = max(self._full_at.get(key, now), now)
            wait = full_at - self._credit + leave * self._gap - now
            if wait > 0:
                return wait / _NANOSECONDS
            self._full_at[key] = full_at + self._gap
            if len(self._full_at) > self._room:
                self._forget(now)
            return 0.0

    def owed(self, key: str) -> int:
        """How many tokens of a bucket were taken and are not back yet."""
        if not self._gap:
            return 0
        with self._lock:
            left = self._full_at.get(key, 0) - round(self._clock() * _NANOSECONDS)
        return max(0, math.ceil(left / self._gap))

    def give_back(self, key: str) -> None:
        """Put back a token that was taken and came to nothing."""
        with self._lock:
            if key in self._full_at:
                self._full_at[key] -= self._gap

    def _forget(self, now: int) -> None:
        owing = sorted((each for each in self._full_at.items() if each[1] > now), key=itemgetter(1), reverse=True)
        # fewer than there may be, so that this is not to be done again at once
        self._full_at = dict(owing[: self._most * 9 // 10])
        self._room = min(self._most, max(_FEW, 2 * len(self._full_at)))

    def _renew(self) -> None:
        self._lock = threading.Lock()
