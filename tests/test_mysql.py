"""What MySQL and MariaDB alone promise: strict sessions, exact columns, locks that end, upgrades that leave a mark."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from linkback.errors import StoreError
from linkback.store import open_store
from linkback.store.engine import Database, current, read_url
from linkback.store.mysql import UPGRADE_TABLE
from linkback.store.schema import SCHEMA_REVISION, metadata
from linkback.store.versions import check_mysql
from tests.databases import Databases

COLUMNS = text(
    "SELECT table_name, column_name, data_type, collation_name, datetime_precision, engine"
    " FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)"
    " WHERE table_schema = DATABASE()"
)


@pytest.fixture
def url(databases: Databases, tmp_path: Path) -> str:
    return databases.empty("mysql", tmp_path)


def test_a_session_is_strict_and_waits_for_nothing_for_ever(url: str) -> None:
    engine = read_url(url).engine(patient=False)
    names = ["time_zone", "sql_mode", "innodb_lock_wait_timeout", "lock_wait_timeout", "character_set_connection"]
    with engine.connect() as connection:
        found = [connection.scalar(text(f"SELECT @@{name}")) for name in names]
        assert found == ["+00:00", "STRICT_ALL_TABLES", 2, 2, "utf8mb4"]
        assert connection.get_isolation_level() == "READ COMMITTED"
    engine.dispose()


def test_text_is_exact_and_long_and_times_have_microseconds(url: str) -> None:
    """Autogeneration sees none of this, and a server's defaults are otherwise."""
    Database(read_url(url)).close()
    engine = read_url(url).engine(patient=False)
    with engine.connect() as connection:
        columns = [row for row in connection.execute(COLUMNS) if row[0] in metadata.tables]
    engine.dispose()
    assert {row[0] for row in columns} == set(metadata.tables)
    assert {row[5] for row in columns} == {"InnoDB"}
    assert {row[3] for row in columns if row[3]} == {"utf8mb4_bin"}
    assert {row[4] for row in columns if row[2] == "datetime"} == {6}
    assert {row[2] for row in columns} <= {"int", "tinyint", "varchar", "mediumtext", "datetime"}


def test_a_turn_ends_when_its_transaction_does(url: str) -> None:
    database, other = Database(read_url(url)), Database(read_url(url))
    with pytest.raises(StoreError, match="stop"), database.write("a"):
        raise StoreError("stop")
    for _ in range(3):
        with database.write("a"):
            pass
        with other.write("a"):
            pass
    database.close()
    other.close()


def test_an_upgrade_that_broke_off_is_told_from_one_that_did_not(databases: Databases) -> None:
    url = databases.server("mysql").bare()
    engine = databases.server("mysql").engine()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE linkback_jobs (theirs INTEGER)"))
    with pytest.raises(StoreError, match=r"Table 'linkback_jobs' already exists$"):
        open_store(url)
    for _ in range(2):
        with pytest.raises(StoreError, match=f"broke off half way.*drop the tables.*{UPGRADE_TABLE}"):
            open_store(url)
    assert current(url) is None
    databases.server("mysql").bare()
    open_store(url).close()
    assert current(url) == SCHEMA_REVISION
    with engine.connect() as connection:
        names = set(connection.scalars(text("SHOW TABLES")))
    assert UPGRADE_TABLE not in names


def test_a_mark_that_outlived_a_whole_upgrade_does_no_harm(url: str) -> None:
    """Killed after the last script and before the mark was taken away: the schema is whole."""
    Database(read_url(url)).close()
    engine = read_url(url).engine(patient=False)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {UPGRADE_TABLE} (begun INTEGER)"))
    engine.dispose()
    store = open_store(url)
    assert store.next_due() is None
    store.close()


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("8.0.1", True),
        ("8.4.3-commercial", True),
        ("9.1.0", True),
        ("10.6.0-MariaDB", True),
        ("5.5.5-10.11.19-MariaDB-0+deb12u1", True),
        ("11.4.2-MariaDB-log", True),
        ("5.7.44", False),
        ("8.0.0", False),
        ("10.5.27-MariaDB", False),
        ("5.5.5-10.3.39-MariaDB", False),
        ("who knows", False),
    ],
)
def test_a_server_that_cannot_skip_locked_rows_is_refused(version: str, fits: bool) -> None:
    if fits:
        check_mysql("mysql://h/db", version)
    else:
        with pytest.raises(StoreError, match=r"^mysql://h/db: (MySQL|MariaDB) .* is too old; linkback needs \d"):
            check_mysql("mysql://h/db", version)


def test_a_database_name_is_part_of_a_turn(url: str) -> None:
    """Such locks are the whole server's, and two blogs may have the same pair."""
    one, other = read_url(url), read_url(make_url(url).set(database="test").render_as_string(hide_password=False))
    engine, engines = one.engine(patient=False), other.engine(patient=False)
    with engine.begin() as first, engines.begin() as second:
        one.take_turn(first, "a")
        other.take_turn(second, "a")
    engine.dispose()
    engines.dispose()
