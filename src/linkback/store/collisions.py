"""Transactions that met, so that one was undone, and what is done about it: that one is done again as a whole.

Rule: whoever comes back lets the other go ahead first, and nobody comes back for ever.
"""

from __future__ import annotations

import contextlib
import functools
import random
import time
import typing
from collections.abc import Callable

from linkback.errors import StoreError

P = typing.ParamSpec("P")
T = typing.TypeVar("T")

#: SQLSTATE of a serialization failure, a deadlock, a unique violation
POSTGRES = frozenset({"40001", "40P01", "23505"})
#: error numbers of MySQL and MariaDB: a duplicate key, a deadlock, a row that changed under a transaction's snapshot
MYSQL = frozenset({1062, 1213, 1020})
#: how often a transaction is tried that others keep undoing
TRIES = 8
#: how many seconds to let the other go ahead, at most, after the first collision; twice that after the next, and so on
_PAUSE = 0.005


class Collision(StoreError):
    """Two transactions met, and this one was undone: done again as a whole, it comes after the other."""


def repeated(method: Callable[P, T]) -> Callable[P, T]:
    """Have a method that is one transaction called again where it collided with another, a few times at most."""

    @functools.wraps(method)
    def tried(*args: P.args, **kwargs: P.kwargs) -> T:
        for number in range(TRIES - 1):
            with contextlib.suppress(Collision):
                return method(*args, **kwargs)
            let_others_go(number)
        return method(*args, **kwargs)

    return tried


def let_others_go(number: int) -> None:
    """Wait a little after a collision, the longer the more there were before."""
    # those who collided once would do so again if they came back together
    time.sleep(random.uniform(0, _PAUSE * 2**number))  # noqa: S311
