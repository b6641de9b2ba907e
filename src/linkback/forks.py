"""What a child must see to after a fork: it has none of its parent's threads, and locks that one of them may hold.

Rule: each object sees to its own. One that cannot keeps no other from it.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from linkback import logs

log = logs.named(__name__)

T = TypeVar("T")

_every: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()


def in_child(each: T, renew: Callable[[T], None]) -> None:
    """Have `renew` called with an object in every child, for as long as the object lives."""
    _every[each] = renew


def _after_fork() -> None:
    for each, renew in list(_every.items()):
        try:
            renew(each)
        except Exception:
            log.exception("%r is not ready for use in a child process", each)


if hasattr(os, "register_at_fork"):  # pragma: no branch - not where there is no fork
    os.register_at_fork(after_in_child=_after_fork)
