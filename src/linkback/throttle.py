"""Whether a site takes one more ping: from this client, in this hour, and on top of what waits (protocols.md C-8).

Rule 1: a client that sends too much is told so before anything is asked: neither the host's functions nor the store.
Rule 2: for the site only what is recorded anew counts, so that repeats take nothing from others.
Rule 3: the last places of a site are for clients that send little, so that those who send much cannot take them all.
Rule 4: a client that is not known is not limited: a proxy that nobody named would stand for everybody behind it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import datetime

from linkback import addresses, forks
from linkback.errors import Reason, Refused
from linkback.glance import Glance
from linkback.policy import Policy
from linkback.rates import TokenBuckets
from linkback.store import ClaimRecord, Counting, Storage

#: when to come back where too much waits, in seconds
_RETRY_SECONDS = 60
#: the name of the one bucket of a site
_ALL = ""
#: a client owes no more than so many pings that has one of the last places, of which there is one in so many
_FEW, _ONE_IN = 3, 10


class Unheard(Refused):
    """A client has sent too many pings for one more of its to be looked at (TOO_OFTEN)."""

    def __init__(self, client: str, wait: float) -> None:
        super().__init__(Reason.TOO_OFTEN, f"too many pings from {client}", retry_after=math.ceil(wait))


class Clients:
    """How many pings are heard from each client: `burst` at once, then one each `seconds`; 0 seconds set no limit.

    `clock` gives seconds that only go forward.
    """

    def __init__(self, burst: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._shares = TokenBuckets(burst, seconds, clock=clock)

    def hear(self, client: str) -> None:
        """Count a ping from an address; raises `Unheard`, and counts nothing, where that has sent too many."""
        key = addresses.client_key(client)
        if key and (wait := self._shares.take(key)):
            raise Unheard(key, wait)

    def sends_little(self, client: str) -> bool:
        """Whether few pings of an address were counted of late; so of one that nobody knows."""
        return self._shares.owed(addresses.client_key(client)) <= _FEW

    def forget(self, client: str) -> None:
        """Give back what was counted of a ping that is not to count."""
        self._shares.give_back(addresses.client_key(client))


class Throttle:
    """The limits of one site, by its `policy`. What it counts is this process's own: each of several has its own.

    `clock` gives seconds that only go forward.
    """

    def __init__(
        self, policy: Policy, store: Storage, site: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clients = Clients(policy.client_burst, policy.client_seconds, clock=clock)
        self._site = TokenBuckets(policy.site_burst, policy.site_seconds, clock=clock)
        self._last = policy.site_burst // _ONE_IN
        self._room = _Room(policy.most_waiting, store, site, clock)

    def hear(self, client: str) -> None:
        """Count a ping from an address, good or bad; raises `Unheard` where that has sent too many."""
        self._clients.hear(client)

    def keep(self, record: ClaimRecord, keep: Callable[[], ClaimRecord], *, client: str = "") -> ClaimRecord:
        """What `keep` gives for a claim of a client; it takes a place where it is recorded anew.

        Raises `Refused` (TOO_OFTEN), with `keep` not called, where there is no place; and what `keep` raises.
        """
        self._take(record.received, leave=0 if self._clients.sends_little(client) else self._last)
        kept = None
        try:
            kept = keep()
        finally:
            if kept is None or kept.id != record.id:
                self._site.give_back(_ALL)
                self._room.give_back()
        return kept

    def _take(self, now: datetime, *, leave: int) -> None:
        if not self._room.take(now):
            raise Refused(Reason.TOO_OFTEN, "too many checks wait", retry_after=_RETRY_SECONDS)
        if wait := self._site.take(_ALL, leave=leave):
            self._room.give_back()
            raise Refused(Reason.TOO_OFTEN, "too many claims for this site", retry_after=math.ceil(wait))


class _Room:
    """How many more checks may wait: counted in the store every few seconds, and by what was taken since."""

    def __init__(self, most: int, store: Storage, site: str, clock: Callable[[], float]) -> None:
        # a store of the host's own may not be able to count
        self._store = store if most > 0 and isinstance(store, Counting) else None
        self._most = most
        self._site = site
        self._left = most
        # what is left changes from one look to the next
        self._glance = Glance(None, clock=clock)
        self._renew()
        forks.in_child(self, _Room._renew)

    def take(self, now: datetime) -> bool:
        if self._store is None:
            return True
        left = self._glimpse(self._store, now) if self._glance.is_due() else None
        with self._lock:
            self._left = (self._left if left is None else left) - 1
            if self._left < 0:
                self._left = 0
                return False
            return True

    def _glimpse(self, store: Counting, now: datetime) -> int:
        try:
            return self._most - store.checks_due(now, site=self._site, most=self._most)
        finally:
            self._glance.has_looked()

    def give_back(self) -> None:
        with self._lock:
            self._left += 1

    def _renew(self) -> None:
        self._lock = threading.Lock()
