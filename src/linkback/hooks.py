"""What a host is told of, once it is recorded.

Rule: what a hook raises is logged and changes nothing: the record stands, and what the host does with it is the host's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from linkback import desk, logs
from linkback.errors import Blocked, blamed
from linkback.model import Delivery, Mention

log = logs.named(__name__)

T = TypeVar("T")

#: a closed address is a warning this often, and so many of them in that time: strangers choose the addresses
_WARN_EVERY = timedelta(hours=1)
_MOST_WARNED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """The host's own functions: for a mention that is new or changed, for one that a check took away, and for a
    delivery that will not be tried again by itself. Each is called in the thread that did the work."""

    mention: Callable[[Mention], None] | None = None
    removed: Callable[[Mention], None] | None = None
    delivery: Callable[[Delivery], None] | None = None


def tell(hook: Callable[[T], None] | None, value: T | None) -> None:
    """Call a hook, where there is one and something to tell."""
    if hook is None or value is None:
        return
    try:
        with desk.away():
            hook(value)
    except Exception:
        log.exception("the hook %r failed", hook)


def report(log: logging.Logger, doing: str, error: Exception) -> bool:
    """Log that something failed: in one line what is the host's to mend, else with its trace; whether it was that."""
    why = blamed(error)
    if why:
        # its trace on request: what asks a database that is away fails every time
        log.error("%s: %s", doing, why)
        log.debug("%s", doing, exc_info=error)
    else:
        log.error("%s", doing, exc_info=error)
    return bool(why)


@dataclass(slots=True)
class Loudness:
    """How loud the failure to read a source is logged.

    One at an address that nobody opened is a warning: on a machine of one's own it is why nothing happens. Each address
    is so once an hour, and no more than 20 are; all else is an information. May be shared by threads: at worst one is
    told twice.
    """

    _began: datetime | None = None
    _warned: set[str] = field(default_factory=set)

    def of(self, failure: object, now: datetime) -> int:
        """The level of `logging` for what a look at a source found."""
        if not isinstance(failure, Blocked) or not failure.address:
            return logging.INFO
        if self._began is None or not self._began <= now < self._began + _WARN_EVERY:
            self._began, self._warned = now, set()
        if failure.address in self._warned or len(self._warned) >= _MOST_WARNED:
            return logging.INFO
        self._warned.add(failure.address)
        return logging.WARNING
