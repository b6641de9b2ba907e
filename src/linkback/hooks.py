"""What a host is told of, once it is recorded.

Rule: what a hook raises is logged and changes nothing: the record stands, and what the host does with it is the host's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from linkback.errors import blamed
from linkback.model import Delivery, Mention

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """The host's own functions: for a mention that a check wrote, for one that a check took away, and for a delivery
    that will not be tried again by itself. Each is called in the thread that did the work."""

    mention: Callable[[Mention], None] | None = None
    removed: Callable[[Mention], None] | None = None
    delivery: Callable[[Delivery], None] | None = None


def tell(hook: Callable[[T], None] | None, value: T | None) -> None:
    """Call a hook, where there is one and something to tell."""
    if hook is None or value is None:
        return
    try:
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
