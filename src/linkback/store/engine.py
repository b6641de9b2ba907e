"""The way into the database: one engine per process, whole transactions, one border for errors.

Rule 1: what SQLAlchemy or the driver raises leaves here as a `StoreError` of one line, its cause kept.
Rule 2: a connection is never carried over a fork.
Rule 3: no message shows a password.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from sqlalchemy import URL, Column, Connection, Engine, MetaData, String, Table, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from linkback.errors import StoreError
from linkback.store import sqlite
from linkback.store.schema import SCHEMA_REVISION, VERSION_TABLE

_version = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32)))


def read_url(text: str) -> URL:
    """The database URL that a text means; raises `StoreError` where we cannot use it."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        # the text is not repeated: it may hold a password in a place where nobody can find it
        raise StoreError("not a database URL; one looks like sqlite:///linkback.db") from error
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        # a query may hold a password too
        shown = url.set(query={}).render_as_string(hide_password=True)
        raise StoreError(f"linkback speaks only SQLite in this version: {shown}")
    return sqlite.normalise(url)


class Database:
    """A database, opened and at the newest schema.

    `url` comes from `read_url`. With `create=False` a database without our tables is an error. Raises
    `StoreError` where it cannot be used.
    """

    def __init__(self, url: URL, *, create: bool = True) -> None:
        self.name = url.database or "the database in memory"
        self._url = url
        self._closed = False
        self._abandoned: list[Engine] = []
        # in memory, all threads share one connection and so one transaction
        self._turn: contextlib.AbstractContextManager[object] = (
            threading.RLock() if url.database is None else contextlib.nullcontext()
        )
        with self.border():
            sqlite.look_at(url, create=create)
        self._engine, self._process = sqlite.engine(url), os.getpid()
        try:
            self._bring_up_to_date(create=create)
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def border(self) -> Iterator[None]:
        """Translate what the database, its driver or a value it cannot hold raises."""
        try:
            yield
        except (SQLAlchemyError, sqlite.DriverError, OSError, ValueError, OverflowError) as error:
            raise StoreError(f"{self.name}: {_one_line(error)}") from error

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self.border(), self._turn, self._current().connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: committed at the end, undone by any exception."""
        with self.border(), self._turn, self._current().connect() as connection:
            connection.execution_options(**sqlite.WRITES)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Let go of the connections of this process; any later use is an error."""
        self._closed = True
        if self._process == os.getpid():
            self._engine.dispose()

    def _current(self) -> Engine:
        if self._closed:
            raise StoreError(f"{self.name}: the store is closed")
        if self._process != os.getpid():
            if self._url.database is None:
                raise StoreError(f"{self.name}: it cannot be used after a fork")
            # closing the parent's connections here would disturb its locks, so they are kept, unused
            self._abandoned.append(self._engine)
            self._engine, self._process = sqlite.engine(self._url), os.getpid()
        return self._engine

    def _bring_up_to_date(self, *, create: bool) -> None:
        with self.read() as connection:
            revision = _revision(connection)
        if revision is None and not create:
            raise StoreError(f"no linkback database at {self.name}")
        with self.border():
            sqlite.use_wal(self._url)
        if revision != SCHEMA_REVISION:
            self._migrate()

    def _migrate(self) -> None:
        from linkback.store import migrations  # slow to import, and seldom needed

        with self.write() as connection:
            # read again: another process may have migrated while this one waited
            revision = _revision(connection)
            if revision is not None and not migrations.knows(revision):
                raise StoreError(f"{self.name}: its schema {revision} is newer than {SCHEMA_REVISION}: update linkback")
            migrations.upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(_version.c.version_num))


def _one_line(error: Exception) -> str:
    """What went wrong in the driver's or the system's words, without statement, parameters or error number."""
    words = getattr(error, "orig", None) or getattr(error, "strerror", None) or error
    return " ".join(str(words).split())[:300]
