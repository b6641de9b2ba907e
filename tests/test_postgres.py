"""What PostgreSQL alone promises: its session's settings and its version."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from linkback.errors import StoreError
from linkback.store.engine import read_url
from linkback.store.postgres import check_version
from tests.databases import Databases


@pytest.mark.parametrize(("patient", "statement"), [(False, "1min"), (True, "0")])
def test_nothing_waits_for_ever(databases: Databases, tmp_path: Path, patient: bool, statement: str) -> None:
    """What is set lasts beyond a transaction that was undone."""
    engine = read_url(databases.empty("postgresql", tmp_path)).engine(patient=patient)
    for _ in range(2):
        with engine.connect() as connection:
            found = {name: connection.scalar(text(f"SHOW {name}")) for name in NAMES}
            connection.rollback()
        assert found == dict(zip(NAMES, ["UTC", "read committed", "2s", statement, "linkback"], strict=True))
    engine.dispose()


NAMES = ["timezone", "transaction_isolation", "lock_timeout", "statement_timeout", "application_name"]


def test_an_option_of_libpq_in_the_url_wins(databases: Databases, tmp_path: Path) -> None:
    url = databases.empty("postgresql", tmp_path) + "&application_name=mine"
    engine = read_url(url).engine(patient=False)
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW application_name")) == "mine"
    engine.dispose()


def test_a_server_that_is_too_old_is_refused() -> None:
    check_version("postgresql://h/db", 120000)
    with pytest.raises(StoreError, match=r"^postgresql://h/db: PostgreSQL 11 is too old; linkback needs 12$"):
        check_version("postgresql://h/db", 110022)
