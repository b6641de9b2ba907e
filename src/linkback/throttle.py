"""Whether a site takes one more ping: from this client, in this hour, and on top of what waits (protocols.md C-8).

Rule 1: a client that sends too much is told so before anything is asked: neither the host's functions nor the store.
Rule 2: for the site only what is recorded anew counts, so that repeats take nothing from others.
Rule 3: a client that is not known is not limited: a proxy that nobody named would stand for everybody behind it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import datetime

from linkback import addresses, forks
from linkback.errors import Reason, Refused
from linkback.policy import Policy
from linkback.rates import TokenBuckets
from linkback.store import ClaimRecord, Counting, Storage

#: how long what was counted in the store is believed, in seconds
_GLANCE_SECONDS = 5.0
#: when to come back where too much waits, in seconds
_RETRY_SECONDS = 60
#: the name of the one bucket of a site
_ALL = ""


class Throttle:
    """The limits of one site, by its `policy`. What it counts is this process's own: each of several has its own.

    `clock` gives seconds that only go forward.
    """

    def __init__(
        self, policy: Policy, store: Storage, site: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clients = TokenBuckets(policy.client_burst, policy.client_seconds, clock=clock)
        self._site = TokenBuckets(policy.site_burst, policy.site_seconds, clock=clock)
        self._room = _Room(policy.most_waiting, store, site, clock)

    def hear(self, client: str) -> None:
        """Count a ping from an address, good or bad; raises `Refused` (TOO_OFTEN) where that has sent too many."""
        key = addresses.client_key(client)
        if key and (wait := self._clients.take(key)):
            raise Refused(Reason.TOO_OFTEN, f"too many pings from {key}", retry_after=math.ceil(wait))

    def keep(self, record: ClaimRecord, keep: Callable[[], ClaimRecord]) -> ClaimRecord:
        """What `keep` gives for a claim; it takes a place where it is recorded anew.

        Raises `Refused` (TOO_OFTEN), with `keep` not called, where there is no place; and what `keep` raises.
        """
        self._take(record.received)
        kept = None
        try:
            kept = keep()
        finally:
            if kept is None or kept.id != record.id:
                self._site.give_back(_ALL)
                self._room.give_back()
        return kept

    def _take(self, now: datetime) -> None:
        if not self._room.take(now):
            raise Refused(Reason.TOO_OFTEN, "too many checks wait", retry_after=_RETRY_SECONDS)
        if wait := self._site.take(_ALL):
            self._room.give_back()
            raise Refused(Reason.TOO_OFTEN, "too many claims for this site", retry_after=math.ceil(wait))


class _Room:
    """How many more checks may wait: counted in the store every few seconds, and by what was taken since."""

    def __init__(self, most: int, store: Storage, site: str, clock: Callable[[], float]) -> None:
        # a store of the host's own may not be able to count
        self._store = store if most > 0 and isinstance(store, Counting) else None
        self._most = most
        self._site = site
        self._clock = clock
        self._left = most
        self._stale_at = -math.inf
        self._renew()
        forks.in_child(self, _Room._renew)

    def take(self, now: datetime) -> bool:
        if self._store is None:
            return True
        with self._lock:
            # one looks, and the others go by what is known
            looks = self._clock() >= self._stale_at
            if looks:
                self._stale_at = self._clock() + _GLANCE_SECONDS
        left = self._most - self._store.checks_due(now, site=self._site, most=self._most) if looks else None
        with self._lock:
            self._left = (self._left if left is None else left) - 1
            if self._left < 0:
                self._left = 0
                return False
            return True

    def give_back(self) -> None:
        with self._lock:
            self._left += 1

    def _renew(self) -> None:
        self._lock = threading.Lock()
