"""What was found out about endpoints lately, so that a page is not asked again while its own answer holds.

Rule 1: how long that is the page says, by HTTP's rules; without a word it is asked each time (protocols.md A-12).
Rule 2: that there is no endpoint holds for an hour at most; that there is one, for a day.
Rule 3: this is a memory of one process, and may be lost at any time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from linkback import urls
from linkback.model import Endpoints
from linkback.protocols import Protocol
from linkback.sender import look
from linkback.wire import Fetch, Response, http_date

_MOST = 1_000
_NEGATIVE_SECONDS = 3_600
_POSITIVE_SECONDS = 86_400


class Discoveries:
    """Finds endpoints, and remembers them as long as the pages allow. May be shared by threads."""

    def __init__(self, fetch: Fetch, protocols: Sequence[Protocol], now: Callable[[], datetime]) -> None:
        self._fetch = fetch
        self._protocols = protocols
        self._now = now
        self._known: OrderedDict[str, tuple[datetime, Endpoints]] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, url: str) -> Endpoints | None:
        """What is remembered of a page and still holds."""
        with self._lock:
            until, endpoints = self._known.get(_name(url), (None, None))
        return endpoints if until is not None and until > self._now() else None

    def find(self, url: str) -> Endpoints:
        """The endpoints of a page, remembered or looked up; raises as `sender.discover` does."""
        known = self.recall(url)
        return self.look(url) if known is None else known

    def look(self, url: str) -> Endpoints:
        """The endpoints of a page, looked up now; raises as `sender.discover` does."""
        endpoints, response = look(self._fetch, url, self._protocols)
        seconds = min(freshness(response, self._now()), _POSITIVE_SECONDS if endpoints else _NEGATIVE_SECONDS)
        self._remember(url, endpoints, seconds)
        return endpoints

    def _remember(self, url: str, endpoints: Endpoints, seconds: float) -> None:
        with self._lock:
            self._known.pop(_name(url), None)
            if seconds > 0:
                self._known[_name(url)] = self._now() + timedelta(seconds=seconds), endpoints
            while len(self._known) > _MOST:
                self._known.popitem(last=False)


def _name(url: str) -> str:
    return urls.without_fragment(url)


def freshness(response: Response, now: datetime) -> float:
    """For how many seconds an answer holds (RFC 9111 4.2); 0 where it does not say, or was reached by a redirect."""
    directives = _directives(response)
    if response.redirects or not {"no-store", "no-cache"}.isdisjoint(directives) or response.header("Vary") == "*":
        return 0
    expires, date = http_date(response.header("Expires")), http_date(response.header("Date")) or now
    if "max-age" in directives:
        seconds: float = _seconds(directives["max-age"])
    else:
        seconds = (expires - date).total_seconds() if expires else 0
    return max(0.0, seconds - _seconds(response.header("Age", "0")))


def _directives(response: Response) -> dict[str, str]:
    """The directives of `Cache-Control`. A comma in quotes splits one in two, which costs us no more than memory."""
    parts = (part for field in response.header_all("Cache-Control") for part in field.split(","))
    pairs = (part.partition("=") for part in parts)
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def _seconds(text: str) -> int:
    return min(int(text), _POSITIVE_SECONDS) if text.isascii() and text.isdigit() and len(text) < 20 else 0
