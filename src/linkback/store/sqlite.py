"""Everything that only SQLite needs: its files, its pragmas, its transactions.

Rule 1: a file is looked at before SQLite may touch it, and one that is not a database stays as it is.
Rule 2: what was committed survives a power cut: WAL with synchronous=FULL.
Rule 3: a transaction that writes says so when it begins (BEGIN IMMEDIATE), so it waits for its turn at once
        instead of failing half way.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.exc import OperationalError

from linkback.errors import StoreError
from linkback.store.dialect import Dialect, seconds

_MAGIC = b"SQLite format 3\0"
_IN_MEMORY = ":memory:"


class Sqlite(Dialect):
    """A SQLite file, or a database in memory, whose URL has no path."""

    upgrades_itself = True
    one_writer = True
    driver_errors = (sqlite3.Error,)

    @classmethod
    def of(cls, url: URL) -> Sqlite:
        """The database a URL means, by its absolute path; raises `StoreError` where it means no place."""
        if url.drivername not in ("sqlite", "sqlite+pysqlite"):
            raise StoreError(f"linkback opens SQLite files by Python's own driver: sqlite://, not {url.drivername}://")
        if url.host or url.username or url.password or url.port:
            raise StoreError("a SQLite database URL has a path and no host: it begins with three slashes, sqlite:///")
        unknown = sorted(set(url.query) - {"timeout"})
        if unknown:
            raise StoreError(f"the database URL has an unknown option {unknown[0]!r}; only timeout= is understood")
        database = url.database or ""
        if database.startswith("file:"):
            raise StoreError("a SQLite database URL takes a path, not a file: URI")
        if "\0" in database:
            raise StoreError("the path of the database contains a NUL character")
        place = _IN_MEMORY if database in ("", _IN_MEMORY) else str(Path(database).absolute())
        return cls(url.set(database=place, query={"timeout": str(seconds(url))}))

    @property
    def name(self) -> str:
        """What messages call the database."""
        return "the database in memory" if self.in_memory else str(self.url.database)

    @property
    def in_memory(self) -> bool:
        """Whether it lives in one connection of one process."""
        return self.url.database == _IN_MEMORY

    def look(self, *, create: bool) -> None:
        """See that there is a database file that can be used, or a place for one; nothing is changed.

        Raises `StoreError` for a missing file or directory, a file that is no database, or one that may
        not be written.
        """
        if self.in_memory:
            return
        path = Path(self.name)
        if path.is_dir():
            raise StoreError(f"{path} is a directory, not a database")
        if not path.parent.is_dir():
            raise StoreError(f"the directory {path.parent} does not exist")
        if path.exists():
            _check_file(path)
        elif not create:
            raise StoreError(f"no database at {path}")
        # SQLite writes its log beside the file
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise StoreError(f"the directory {path.parent} cannot be written to")

    def engine(self, *, patient: bool) -> Engine:
        """A new engine; in memory it has a single connection for all threads."""
        arguments: dict[str, Any] = {"connect_args": {"check_same_thread": False}}
        if self.in_memory:
            arguments["poolclass"] = StaticPool
        else:
            # one is kept for each thread: to open one costs as much as several claims (durable receive)
            arguments["pool_size"] = 0
        engine = create_engine(self.url, **arguments)
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
        return engine

    def prepare(self) -> None:
        """Put the database file in WAL mode, which lasts; may raise an error of the driver."""
        if self.in_memory:
            return
        wait = seconds(self.url)
        deadline = time.monotonic() + wait
        with contextlib.closing(sqlite3.connect(self.name, timeout=wait, isolation_level=None)) as connection:
            # SQLite does not wait for others here as it does elsewhere: of two processes that open a new file at
            # once, one would fail
            while not _switch(connection, last=time.monotonic() >= deadline):
                time.sleep(0.02)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise StoreError(f"{path} is not a file")
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if head not in (b"", _MAGIC):
        raise StoreError(f"{path} is not a SQLite database; it was left as it is")
    if not os.access(path, os.W_OK):
        raise StoreError(f"{path} is read-only")


def _switch(connection: sqlite3.Connection, *, last: bool) -> bool:
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if last or "locked" not in str(error):
            raise
        return False
    return True


def _on_connect(connection: sqlite3.Connection, record: object) -> None:
    # the driver must not begin transactions by itself: `_on_begin` does
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _on_begin(connection: Connection) -> None:
    words = "BEGIN IMMEDIATE" if connection.get_execution_options().get("linkback_writes", False) else "BEGIN"
    driver: Any = connection.connection.dbapi_connection
    try:
        # by SQLAlchemy it would cost as much as a statement that does something (backlog drain)
        driver.execute(words)
    except sqlite3.OperationalError as error:
        raise OperationalError(words, None, error) from error
