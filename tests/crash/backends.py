"""Empty databases, one after the other, for processes that are killed while they use them."""

from __future__ import annotations

import os
import secrets
import shutil
import typing
from pathlib import Path

from sqlalchemy import URL, Engine, NullPool, create_engine, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from linkback.errors import StoreError
from linkback.store import open_store
from linkback.store.schema import VERSION_TABLE, metadata

#: a database of the server of this URL is what the sweep on PostgreSQL uses
POSTGRES = "LINKBACK_TEST_POSTGRES"


class Backend(typing.Protocol):
    """A kind of database. No connection is held while a process is forked."""

    #: for the files of a sweep
    folder: Path

    def fresh(self, *, bare: bool) -> str:
        """The URL of a database with our tables and nothing in them, or without any tables."""

    def settle(self) -> None:
        """Wait until nothing is left of the sessions of a process that was killed."""

    def close(self) -> None:
        """Leave nothing behind."""


def engine(url: str) -> Engine:
    """A way into a database past the store; no connection outlives its use."""
    # an option of ours, which no driver knows
    parsed = make_url(url).difference_update_query(["timeout"])
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(parsed, poolclass=NullPool)


class SqliteFile:
    """A file, and beside it what SQLite left there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path, self._template = folder / "linkback.db", folder / "template.db"
        open_store(f"sqlite:///{self._template}").close()

    def fresh(self, *, bare: bool) -> str:
        """A new file, or none."""
        for end in ("", "-wal", "-shm", "-journal"):
            Path(f"{self._path}{end}").unlink(missing_ok=True)
        if not bare:
            shutil.copyfile(self._template, self._path)
        return f"sqlite:///{self._path}"

    def settle(self) -> None:
        """The kernel let go of the locks of the process when it ended."""

    def close(self) -> None:
        """The folder is the test's."""


class PostgresSchema:
    """A schema of a random name on a server."""

    def __init__(self, server: str, folder: Path) -> None:
        self.folder = folder
        self._name = f"linkback_crash_{secrets.token_hex(6)}"
        self._server = make_url(server)
        self._run(f"CREATE SCHEMA {self._name}")
        try:
            open_store(self._url()).close()
        except StoreError:
            self.close()
            raise

    def _url(self) -> str:
        # it is the client that is killed, so what the server keeps in memory is kept
        options = f"-csearch_path={self._name} -capplication_name={self._name} -csynchronous_commit=off"
        return _shown(self._server.update_query_dict({"options": options}))

    def _run(self, *statements: str) -> None:
        with engine(_shown(self._server)).begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def fresh(self, *, bare: bool) -> str:
        """The same schema, emptied, or made anew where it is bare, was bare or holds what is not ours."""
        with engine(self._url()).connect() as connection:
            there = set(inspect(connection).get_table_names())
        if not bare and there == {*metadata.tables, VERSION_TABLE}:
            self._run(*(f"DELETE FROM {self._name}.{table.name}" for table in reversed(metadata.sorted_tables)))
            return self._url()
        self._run(f"DROP SCHEMA {self._name} CASCADE", f"CREATE SCHEMA {self._name}")
        if not bare:
            open_store(self._url()).close()
        return self._url()

    def settle(self) -> None:
        """Have the server see that the clients are gone: it may do so only when it next writes to them."""
        ours = f"SELECT pid FROM pg_stat_activity WHERE application_name = '{self._name}'"
        self._run(f"SELECT pg_terminate_backend(pid, 5000) FROM ({ours}) AS ours")

    def close(self) -> None:
        """Drop the schema."""
        self._run(f"DROP SCHEMA {self._name} CASCADE")


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def postgres(folder: Path) -> Backend | str:
    """The server that the environment names, or why there is none."""
    server = os.environ.get(POSTGRES)
    if not server:
        return f"no PostgreSQL: {POSTGRES} names none, and this takes minutes"
    try:
        return PostgresSchema(server, folder)
    except (SQLAlchemyError, StoreError, ModuleNotFoundError) as error:
        return f"no PostgreSQL: {' '.join(str(error).split())[:200]}"
