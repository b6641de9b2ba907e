"""Empty databases of every kind for the tests of the store.

A server is the one that LINKBACK_TEST_POSTGRES or LINKBACK_TEST_MYSQL names (the URL of a database in which the tests
may make a schema, or beside which they may make a database), else one of this machine that lets us in. Without one the
tests are skipped, or fail where LINKBACK_REQUIRE_DATABASES=1. What is made has a random name and is dropped at the end.
"""

from __future__ import annotations

import getpass
import os
import secrets
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import URL, Connection, Engine, make_url, text

from linkback.errors import StoreError
from linkback.store.engine import read_url
from linkback.store.schema import SCHEMA_REVISION, VERSION_TABLE, metadata

SERVERS = ("postgresql", "mysql")
KINDS = ("sqlite file", "sqlite memory", *SERVERS)
_VARIABLES = {"postgresql": "LINKBACK_TEST_POSTGRES", "mysql": "LINKBACK_TEST_MYSQL"}


class Server:
    """A place of our own on a database server: a schema of PostgreSQL, a database of MySQL."""

    def __init__(self, given: URL) -> None:
        self._given = given
        self._name = f"linkback_test_{secrets.token_hex(6)}"
        self._word = "SCHEMA" if given.get_backend_name().startswith("postgres") else "DATABASE"
        self._engine: Engine | None = None
        self.url = self._ours()
        self._run(f"CREATE {self._word} {self._name}")

    def _ours(self) -> str:
        if self._word == "DATABASE":
            return self._given.set(database=self._name).render_as_string(hide_password=False)
        # what a power cut takes away does not matter to tests
        options = f"-csearch_path={self._name} -csynchronous_commit=off"
        return self._given.update_query_dict({"options": options}).render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        engine = read_url(self._given.render_as_string(hide_password=False)).engine(patient=False)
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def emptied(self) -> str:
        """Its URL, with our tables and nothing in them."""
        engine = self.engine()
        with engine.begin() as connection:
            known = set(sqlalchemy.inspect(connection).get_table_names())
            if known != {*metadata.tables, VERSION_TABLE} or _revision(connection) != SCHEMA_REVISION:
                _drop_tables(connection, known)
            else:
                for table in reversed(metadata.sorted_tables):
                    connection.execute(table.delete())
        return self.url

    def bare(self) -> str:
        """Its URL, with no tables at all."""
        with self.engine().begin() as connection:
            _drop_tables(connection, set(sqlalchemy.inspect(connection).get_table_names()))
        return self.url

    def engine(self) -> Engine:
        """A way past the store, to look at what it did and to get in its way."""
        if self._engine is None:
            self._engine = read_url(self.url).engine(patient=False)
        return self._engine

    def drop(self) -> None:
        """Leave nothing behind."""
        if self._engine is not None:
            self._engine.dispose()
        self._run(f"DROP {self._word} {self._name}" + (" CASCADE" if self._word == "SCHEMA" else ""))


def _revision(connection: Connection) -> str | None:
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return found


def _drop_tables(connection: Connection, names: set[str]) -> None:
    # those that refer to others come first
    order = [table.name for table in metadata.sorted_tables]
    for name in sorted(names, key=lambda name: order.index(name) if name in order else -1, reverse=True):
        connection.execute(text(f"DROP TABLE {name}"))


def candidates(kind: str) -> list[str]:
    """Where a server may be, by what the environment says or by custom."""
    named = os.environ.get(_VARIABLES[kind])
    if named:
        return [named]
    if kind == "mysql":
        return ["mysql://root@127.0.0.1/test?timeout=2"]
    users = dict.fromkeys((getpass.getuser(), "postgres"))
    return [f"postgresql://{user}@127.0.0.1/{name}?timeout=2" for user in users for name in ("test", "postgres")]


class Databases:
    """The databases of one run of the tests, made when they are first asked for."""

    def __init__(self) -> None:
        self._servers: dict[str, Server | str] = {}

    def server(self, kind: str) -> Server:
        """The server of a kind; skips the test, or fails it, where there is none."""
        if kind not in self._servers:
            self._servers[kind] = self._find(kind)
        found = self._servers[kind]
        if isinstance(found, Server):
            return found
        if os.environ.get("LINKBACK_REQUIRE_DATABASES") == "1":
            pytest.fail(found)
        pytest.skip(found)

    def _find(self, kind: str) -> Server | str:
        reasons = []
        for url in candidates(kind):
            try:
                return Server(make_url(url))
            except (StoreError, sqlalchemy.exc.SQLAlchemyError) as error:
                reasons.append(" ".join(str(error).split())[:200])
        return f"no {kind} server, {_VARIABLES[kind]} may name one: {'; '.join(dict.fromkeys(reasons))}"

    def empty(self, kind: str, folder: Path) -> str:
        """The URL of an empty database of a kind."""
        if kind == "sqlite memory":
            return "sqlite://"
        if kind == "sqlite file":
            return f"sqlite:///{folder / 'linkback.db'}"
        return self.server(kind).emptied()

    def close(self) -> None:
        """Leave nothing behind."""
        for server in self._servers.values():
            if isinstance(server, Server):
                server.drop()
