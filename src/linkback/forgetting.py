"""What nobody needs any more is forgotten: by whoever works, beside the work, so nothing else need run.

Rule: a process looks through the records again and again, some hundred rows a minute and then nothing for an hour. It
begins anywhere, so that processes that do not live long come to all of them too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from linkback import logs
from linkback.forks import in_child
from linkback.hooks import report
from linkback.store import Forgetful, Place, Storage

log = logs.named(__name__)

#: between two looks at some hundred rows, and after all of them
_NEXT, _ANEW = timedelta(minutes=1), timedelta(hours=1)

#: of a site, and a time: by when its claims must have ended to be forgotten then; None for never
Ended = Callable[[str, datetime], datetime | None]


class Forgetting:
    """Has a store forget. Safe to share between threads, and to use after a fork."""

    def __init__(self, store: Storage, ended: Ended) -> None:
        # a store of the host's own may not be able to
        self._store = store if isinstance(store, Forgetful) else None
        self._ended = ended
        self._begin()
        in_child(self, Forgetting._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._due: datetime | None = None
        self._place: Place | None = None

    def step(self, now: datetime) -> None:
        """Look through some more of the records, if it is time for that and no other thread does.

        Never raises: what went wrong is logged, and tried again in an hour.
        """
        if self._store is None or not self._lock.acquire(blocking=False):
            return
        try:
            # a clock that was set back would have it wait for ever
            if self._due is None or not now < self._due <= now + _ANEW:
                self._due = now + _ANEW
                self._forget(self._store, now)
        except Exception as error:  # noqa: BLE001 -- it is logged
            report(log, "could not forget what is needed no more", error)
        finally:
            self._lock.release()

    def _forget(self, store: Forgetful, now: datetime) -> None:
        place = store.anywhere() if self._place is None else self._place
        place = store.forget(place, now=now, ended=lambda site: self._ended(site, now))
        self._place = Place() if place.is_end else place
        if not place.is_end:
            self._due = now + _NEXT
