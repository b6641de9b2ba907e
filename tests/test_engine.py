"""One border for every database: what cannot be used is one clear line, and connections stay where they belong."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from linkback.errors import StoreError
from linkback.model import Claim
from linkback.store import ClaimRecord, open_store
from linkback.store.collisions import Collision, repeated
from linkback.store.engine import Database, read_url
from tests.databases import SERVERS, Databases

SITE = "https://bob.example"
PAGE = SITE + "/post"
NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
CLAIM = ClaimRecord(
    id="a",
    site=SITE,
    key="0" * 64,
    page=PAGE,
    claim=Claim("webmention", "https://alice.example/a", PAGE),
    received=NOON,
)


@pytest.fixture(params=SERVERS)
def url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    """An empty database on each kind of server."""
    return databases.empty(request.param, tmp_path)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "not a database URL"),
        ("linkback.db", "not a database URL"),
        ("postgresql://u:secret@h:port/db", "not a database URL"),
        ("oracle://u:secret@h/db?password=secret", r"which this is not: oracle://u:\*\*\*@h/db$"),
        ("postgresql+psycopg2://u:secret@h/db", r"psycopg 3: postgresql://, not postgresql\+psycopg2://$"),
        ("postgresql+asyncpg://u:secret@h/db", "psycopg 3"),
        ("mysql+mysqldb://u:secret@h/db", r"PyMySQL: mysql://, not mysql\+mysqldb://$"),
        ("mariadb+mariadbconnector://u:secret@h/db", "PyMySQL"),
        ("postgresql://u:secret@h", "names no database"),
        ("mysql://u:secret@h/", "names no database"),
        ("postgresql://u:secret@h/db?timeout=soon", "number of seconds"),
        ("mysql://u:secret@h/db?timeout=1&timeout=2", "number of seconds"),
        ("postgresql://u:secret@h/db?sslmode=a&sslmode=b", "sslmode= more than once"),
        ("mysql://u:secret@h/db?password=secret", "unknown option 'password'"),
        ("mysql://u:secret@h/db?ssl_ca=a&ssl_ca=b", "ssl_ca= more than once"),
        ("postgresql://u:secret@127.0.0.1:1/db", r"^postgresql://127\.0\.0\.1:1/db: .*refused"),
        ("mysql://u:secret@127.0.0.1:1/db", r"^mysql://127\.0\.0\.1:1/db: .*refused"),
        ("postgresql://u:secret@127.0.0.1:1/db?nonsense=secret", "invalid connection option"),
    ],
)
def test_a_url_that_cannot_be_used_is_one_clear_line(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        open_store(url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:///a.db", "sqlite"),
        ("postgresql://h/db", "postgresql+psycopg"),
        ("postgres://h/db", "postgresql+psycopg"),
        ("postgresql+psycopg://h/db", "postgresql+psycopg"),
        ("mysql://h/db", "mysql+pymysql"),
        ("mariadb://h/db", "mysql+pymysql"),
        ("mariadb+pymysql://h/db", "mysql+pymysql"),
    ],
)
def test_each_kind_has_one_driver(given: str, driver: str) -> None:
    assert read_url(given).url.drivername == driver


@pytest.mark.parametrize(
    ("url", "module", "message"),
    [
        ("postgresql://h/db", "psycopg", r'pip install "linkback\[postgres\]"'),
        ("mysql://h/db", "pymysql", r'pip install "linkback\[mysql\]"'),
    ],
)
def test_a_driver_that_is_not_there_is_told_with_its_remedy(
    url: str, module: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StoreError, match=message):
        open_store(url)


def test_a_server_that_turns_us_away_is_told_without_the_password(url: str) -> None:
    wrong = make_url(url).set(username="nobody_of_that_name", password="s3cret/:", database="no_such_database")
    with pytest.raises(StoreError) as caught:
        open_store(wrong.render_as_string(hide_password=False))
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_connection_that_the_server_closed_is_replaced(url: str, databases: Databases) -> None:
    """A restart of the server costs nobody an error, save who was in the middle of something."""
    database = Database(read_url(url))
    postgres = url.startswith("postgres")
    with database.read() as connection:
        own = connection.scalar(text("SELECT pg_backend_pid()" if postgres else "SELECT CONNECTION_ID()"))
    kill = f"SELECT pg_terminate_backend({own})" if postgres else f"KILL {own}"
    with databases.server("postgresql" if postgres else "mysql").engine().begin() as other:
        other.execute(text(kill))
    with database.read() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    database.close()


def test_a_forked_process_gets_connections_of_its_own(url: str) -> None:
    store = open_store(url)
    store.add_claim(CLAIM, due=NOON)
    child = os.fork()
    if child == 0:  # pragma: no cover  (the child's lines are not measured)
        status = 1
        try:
            store.add_claim(replace(CLAIM, id="b", key="b" * 64), due=NOON)
            status = 0 if store.claim("a") is not None else 2
            store.close()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.claim("b") is not None
    store.add_claim(replace(CLAIM, id="c", key="c" * 64), due=NOON)
    assert store.claim("c") is not None
    store.close()


def test_a_method_is_called_again_only_for_a_collision(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    calls: list[str] = []

    @repeated
    def work(fails: type[StoreError], times: int) -> int:
        calls.append("x")
        if len(calls) <= times:
            raise fails("no")
        return len(calls)

    assert work(Collision, 3) == 4
    assert len(pauses) == 3
    calls.clear()
    with pytest.raises(StoreError, match="no"):
        work(StoreError, 1)
    assert len(calls) == 1
    calls.clear()
    with pytest.raises(Collision):
        work(Collision, 99)
    assert len(calls) == 8


def test_a_hosts_transaction_survives_what_we_could_not_write(url: str) -> None:
    """What failed is undone alone; the host may go on and commit."""
    database = Database(read_url(url))
    engine = read_url(url).engine(patient=False)
    with engine.begin() as connection:
        connection.execute(text("UPDATE linkback_version SET version_num = '0000'"))
        with pytest.raises(StoreError, match="no_such_table"):
            database.join(connection, lambda: connection.execute(text("DELETE FROM no_such_table")))
    assert database.revision() == "0000"
    engine.dispose()
    database.close()
