"""Writing transactions that come at one moment are one for the disk: each is a part of it, and one commit is for all.

Rule 1: nobody comes back before the commit that holds his part has ended; where it failed, all of them are told.
Rule 2: what one part raises undoes that part alone, unless the database has given up the whole.
Rule 3: a part is done by whichever thread leads, so it is statements and nothing else.

Each part does without a transaction of its own, and the threads without a switch for each statement: of the CPU of a
check that is a quarter (backlog drain).
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from linkback.errors import StoreError
from linkback.store.together import Together

R = TypeVar("R")

#: how many parts one transaction has at most: the first waits for the last
_MOST = 16


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a part ended."""

    result: Any = None
    error: Exception | None = None


class _Here(threading.local):
    connection: Connection | None = None


class Shared:
    """Does parts of transactions; `whole` begins one and commits it at its end. For SQLite, where one writes at a time.

    Safe to share between threads, and to use after a fork.
    """

    def __init__(self, whole: Callable[[], contextlib.AbstractContextManager[Connection]]) -> None:
        self._whole = whole
        self._together: Together[Callable[[], Any], _Outcome] = Together(self._do, _MOST)
        self._here = _Here()

    def __call__(self, part: Callable[[], R]) -> R:
        """What a part gives or raises, once it is committed or undone; raises `StoreError` where the whole failed.

        It is called in any thread, and writes by `current`.
        """
        outcome = self._together(part)
        if outcome.error is not None:
            raise outcome.error
        return outcome.result  # type: ignore[no-any-return]  # what that part gave

    @property
    def current(self) -> Connection | None:
        """The connection of the whole that this thread is at work on."""
        return self._here.connection

    def _do(self, parts: Sequence[Callable[[], Any]]) -> Sequence[_Outcome]:
        if len(parts) == 1:
            return [_ended(parts[0])]
        with self._whole() as connection:
            self._here.connection = connection
            try:
                return [_inside(connection, part) for part in parts]
            finally:
                self._here.connection = None


def _ended(part: Callable[[], Any]) -> _Outcome:
    try:
        return _Outcome(part())
    except Exception as error:  # noqa: BLE001 - handed over to its caller, whole
        return _Outcome(error=error)


def _inside(connection: Connection, part: Callable[[], Any]) -> _Outcome:
    outcome = _ended(part)
    if not _driver(connection).in_transaction:
        # the disk is full or failed: with this part, those before it are undone, and a further one would be alone
        raise outcome.error or StoreError("the transaction ended before its time")
    return outcome


@contextlib.contextmanager
def undone_alone(connection: Connection) -> Iterator[None]:
    """Have what raises undo what was written since, and not what was written before."""
    driver = _driver(connection)
    driver.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if driver.in_transaction:
            driver.execute("ROLLBACK TO part")
            driver.execute("RELEASE part")
        raise
    driver.execute("RELEASE part")


def _driver(connection: Connection) -> sqlite3.Connection:
    driver: Any = connection.connection.dbapi_connection
    return driver  # type: ignore[no-any-return]  # SQLite's
