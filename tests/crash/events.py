"""The moments at which a process may die or its database fail, and what happens at one of them.

Rule 1: an event lies before and after each SQL statement, each COMMIT and whatever crosses the border to the world;
        between two events nothing is written.
Rule 2: the hooks are those of every `sqlalchemy.Engine` and stay for good, so they are set in a forked child only.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|TABLE|INDEX|PRAGMA)\s+\W*(\w+)", re.IGNORECASE)
_CHANGES = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "COMMIT")


@dataclass(frozen=True, slots=True)
class Mischief:
    """What happens at one event: the process is killed, or `error` gives what is raised there.

    An error is met by SQL only. It `lasts` until the end where it is one that does not pass, and then stands in the way
    of `changes` only, as a full disk does; `codes` are the answers by which the senders may hear of it.
    """

    name: str
    error: Callable[[Any], Exception] | None = None
    lasts: bool = False
    codes: Collection[int] = ()

    def concerns(self, when: str, what: str, *, sql: bool) -> bool:
        """Whether an event is one at which this may happen."""
        if self.error is None:
            return True
        if self.lasts:
            return sql and when == "before" and what.startswith(_CHANGES)
        return sql and (when == "before" or what == "COMMIT")


KILL = Mischief("kill")


class Events:
    """Counts the events between `arm` and `disarm`, and does mischief at number `at`; each is written to `trace`."""

    def __init__(self, trace: Path, at: int, mischief: Mischief = KILL) -> None:
        trace.write_bytes(b"")
        self._file = os.open(trace, os.O_WRONLY | os.O_APPEND)
        self._at, self._mischief = at, mischief
        self._count = 0
        self._armed = False

    def arm(self) -> None:
        """From now on events count."""
        self._armed = True

    def disarm(self) -> None:
        """From now on nothing happens any more."""
        self._armed = False

    def __call__(self, when: str, what: str, dbapi: object | None = None) -> None:
        """An event, `dbapi` is the driver that it may fail in."""
        if not self._armed:
            return
        concerned = self._mischief.concerns(when, what, sql=dbapi is not None)
        self._count += concerned
        due = concerned and (self._count == self._at or (self._mischief.lasts and self._count > self._at))
        os.write(self._file, f"{'!' if due else ' '} {when} {what}\n".encode())
        if due:
            self._happen(dbapi)

    def note(self, what: str) -> None:
        """Something for the trace only."""
        if self._armed:
            os.write(self._file, f"- {what}\n".encode())

    def _happen(self, dbapi: object | None) -> None:
        if self._mischief.error is not None and dbapi is not None:
            raise self._mischief.error(dbapi)
        os.kill(os.getpid(), signal.SIGKILL)


def hook(events: Events) -> None:
    """Have everything that this process does with a database be events, until it ends."""

    def before(cursor: Any, statement: str, parameters: Any, context: Any) -> None:
        events("before", _name(statement), context.dialect.loaded_dbapi)

    def bare(cursor: Any, statement: str, context: Any) -> None:
        before(cursor, statement, (), context)

    def after(connection: Any, cursor: Any, statement: str, *more: object) -> None:
        events("after", _name(statement), connection.dialect.loaded_dbapi)

    def beginning(connection: Any) -> None:
        events.note("BEGIN")

    event.listen(Engine, "begin", beginning)
    # within these the error of a driver is met as one of its own
    event.listen(Engine, "do_execute", before)
    event.listen(Engine, "do_executemany", before)
    event.listen(Engine, "do_execute_no_params", bare)
    event.listen(Engine, "after_cursor_execute", after)
    commit: Callable[[DefaultDialect, Any], None] = DefaultDialect.do_commit

    def committing(self: DefaultDialect, connection: Any) -> None:
        events("before", "COMMIT", self.loaded_dbapi)
        commit(self, connection)
        events("after", "COMMIT", self.loaded_dbapi)

    DefaultDialect.do_commit = committing  # type: ignore[method-assign]

    def connecting(name: str, arguments: tuple[object, ...]) -> None:
        if name in ("sqlite3.connect", "sqlite3.connect/handle"):
            events("before" if name == "sqlite3.connect" else "after", "CONNECT", sqlite3)

    # the store also opens SQLite's files past SQLAlchemy
    sys.addaudithook(connecting)


def _name(statement: str) -> str:
    """A statement by its verb and its table: the parameters say nothing of what it may break."""
    verb = (statement.split() or [""])[0].upper()
    table = _TABLE.search(statement)
    return f"{verb} {table[1]}" if table else verb
