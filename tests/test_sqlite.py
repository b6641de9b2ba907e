"""What SQLite alone promises: its file, its locks, its processes; and the host's own transaction."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy

from linkback.errors import StoreError
from linkback.model import Claim
from linkback.store import ClaimRecord, Edit, Storage, open_store
from linkback.store.engine import Database, read_url
from linkback.store.sql import SqlStore

SITE = "https://bob.example"
PAGE = "https://bob.example/post"
SOURCE = "https://alice.example/a"
NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
CLAIM = ClaimRecord(id="a", site=SITE, key="0" * 64, page=PAGE, claim=Claim("webmention", SOURCE, PAGE), received=NOON)
EDIT = Edit(site=SITE, source=PAGE, targets=["https://carol.example/x"], now=NOON)


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'linkback.db'}"


@pytest.fixture
def file_store(file_url: str) -> Iterator[Storage]:
    store = open_store(file_url)
    yield store
    store.close()


# the host's own transaction


def test_deliveries_join_the_hosts_transaction(file_store: Storage, file_url: str) -> None:
    """What the host rolls back was never owed; what it commits is."""
    host = sqlalchemy.create_engine(file_url)
    with host.connect() as connection:
        assert len(file_store.record_edit(EDIT, connection=connection)) == 1
        connection.rollback()
    assert file_store.deliveries() == []
    assert file_store.next_due() is None
    with host.begin() as connection:
        (owed,) = file_store.record_edit(EDIT, connection=connection)
        assert connection.in_transaction()
    assert file_store.deliveries() == [owed]
    assert file_store.next_due() == NOON
    host.dispose()


def test_a_connection_to_a_database_without_our_tables_is_a_clear_error(file_store: Storage) -> None:
    host = sqlalchemy.create_engine("sqlite://")
    with host.connect() as connection, pytest.raises(StoreError, match="no such table: linkback_posts"):
        file_store.record_edit(EDIT, connection=connection)
    host.dispose()


def test_a_connection_that_is_none_of_sqlalchemys_is_refused(file_store: Storage, tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "linkback.db")
    with pytest.raises(StoreError, match="SQLAlchemy Connection, not Connection"):
        file_store.record_edit(EDIT, connection=raw)
    raw.close()


# opening


def test_what_was_written_is_there_after_reopening(file_url: str) -> None:
    first = open_store(file_url)
    first.add_claim(CLAIM, due=NOON)
    first.close()
    second = open_store(file_url, create=False)
    assert second.claim("a") == CLAIM
    second.close()


def test_two_stores_in_memory_are_two() -> None:
    one, other = open_store("sqlite://"), open_store("sqlite:///:memory:")
    one.add_claim(CLAIM, due=NOON)
    assert other.claim("a") is None
    one.close()
    other.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///:memory:?timeout=1"])
def test_all_threads_see_one_database_in_memory(url: str) -> None:
    """However it is spelled: what a request takes, a worker's thread must find."""
    store = open_store(url)
    store.add_claim(CLAIM, due=NOON)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(store.claim("a")))
    thread.start()
    thread.join()
    assert found == [CLAIM]
    store.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite+aiosqlite:///x.db", r"sqlite://, not sqlite\+aiosqlite://$"),
        ("sqlite://linkback.db", "three slashes"),
        ("sqlite://u:secret@/x.db", "three slashes"),
        ("sqlite:///x.db?uri=true", "unknown option 'uri'"),
        ("sqlite:///x.db?timeout=soon", "number of seconds"),
        ("sqlite:///x.db?timeout=-1", "number of seconds"),
        ("sqlite:///x.db?timeout=nan", "number of seconds"),
        ("sqlite:///x.db?timeout=1&timeout=2", "number of seconds"),
        ("sqlite:///file:x.db", "not a file: URI"),
        ("sqlite:///a\0b.db", "NUL"),
        ("sqlite:////nowhere/at/all/x.db", "the directory /nowhere/at/all does not exist"),
        ("sqlite:////dev/null", "/dev/null is not a file"),
        ("sqlite:////" + "x" * 300, "File name too long"),
    ],
)
def test_a_url_that_cannot_be_used_is_one_clear_line(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        open_store(url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a directory"):
        open_store(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("content", [b"Dear diary,\n" * 900, b"x", b"SQLite format 3"])
def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "diary.txt"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is not a SQLite database"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_database_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(StoreError, match=r"broken\.db: (file is not a database|database disk image is malformed)$"):
        open_store(f"sqlite:///{path}")


@pytest.mark.parametrize(("name", "message"), [("linkback.db", "is read-only"), ("", "cannot be written to")])
def test_what_may_not_be_written_is_refused_when_opening(
    file_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    """The system's answer is played: tests may run as root, who may write anywhere."""
    open_store(file_url).close()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / name)
    with pytest.raises(StoreError, match=message):
        open_store(file_url)


def test_create_false_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no database at .*missing\.db"):
        open_store(f"sqlite:///{tmp_path / 'missing.db'}", create=False)
    assert list(tmp_path.iterdir()) == []


def test_create_false_leaves_another_programs_database_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (id INTEGER)")
    other.close()
    content = path.read_bytes()
    with pytest.raises(StoreError, match="no linkback database at"):
        open_store(f"sqlite:///{path}", create=False)
    assert path.read_bytes() == content


def test_a_file_is_in_wal_mode(file_store: Storage, tmp_path: Path) -> None:
    probe = sqlite3.connect(tmp_path / "linkback.db")
    assert probe.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    probe.close()


def test_a_commit_is_on_the_disk_and_references_hold(file_url: str) -> None:
    database = Database(read_url(file_url))
    with database.write() as connection:
        pragmas = [connection.exec_driver_sql("PRAGMA " + name).scalar() for name in ("synchronous", "foreign_keys")]
    database.close()
    assert pragmas == [2, 1], "2 is FULL"


def test_the_switch_to_wal_waits_for_a_reader(file_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite gives up on its own here, so a first failure is not the last word."""
    reader = sqlite3.connect(tmp_path / "linkback.db", isolation_level=None)
    reader.execute("CREATE TABLE posts (title TEXT)")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM posts").fetchall()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        reader.execute("ROLLBACK")

    monkeypatch.setattr(time, "sleep", pause)
    open_store(file_url + "?timeout=0.1").close()
    assert len(pauses) == 1
    reader.close()
    probe = sqlite3.connect(tmp_path / "linkback.db")
    assert probe.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    probe.close()


def test_a_locked_database_is_an_error_after_the_timeout(file_url: str, tmp_path: Path) -> None:
    open_store(file_url).close()
    waiting = open_store(file_url + "?timeout=0.05")
    holder = sqlite3.connect(tmp_path / "linkback.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert waiting.claim("a") is None, "readers do not wait"
    with pytest.raises(StoreError, match=r"linkback\.db: database is locked$"):
        waiting.add_claim(CLAIM, due=NOON)
    holder.execute("ROLLBACK")
    waiting.add_claim(CLAIM, due=NOON)
    waiting.close()
    holder.close()


@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_new_database_that_another_holds_is_an_error_after_the_timeout(
    file_url: str, tmp_path: Path, begin: str
) -> None:
    holder = sqlite3.connect(tmp_path / "linkback.db", isolation_level=None)
    holder.execute(begin)
    with pytest.raises(StoreError, match=r"linkback\.db: database is locked$"):
        open_store(file_url + "?timeout=0.05")
    holder.close()
    open_store(file_url).close()


def test_a_value_that_was_edited_by_hand_is_a_clear_error(file_store: Storage, tmp_path: Path) -> None:
    file_store.add_claim(CLAIM, due=NOON)
    hand = sqlite3.connect(tmp_path / "linkback.db")
    hand.execute("UPDATE linkback_claims SET state = 'nice'")
    hand.commit()
    hand.close()
    with pytest.raises(StoreError, match="'nice' is not a valid ClaimState"):
        file_store.claim("a")


# processes


def test_processes_never_share_a_job(file_store: Storage, file_url: str) -> None:
    targets = [f"https://c.example/{n}" for n in range(60)]
    file_store.record_edit(Edit(site=SITE, source=SOURCE, targets=targets, now=NOON))
    code = """
        import sys
        from datetime import datetime, timedelta, UTC
        from linkback.store import open_store
        now = datetime(2024, 5, 6, 13, 0, tzinfo=UTC)
        store = open_store(sys.argv[1], create=False)
        print("ready", flush=True)
        sys.stdin.readline()
        while jobs := store.lease(now, now + timedelta(hours=1), limit=2):
            print(*(job.subject for job in jobs))
        store.close()
    """
    outputs = together(code, file_url, count=4)
    subjects = [subject for output in outputs for subject in output.split()]
    assert sorted(subjects, key=int) == [delivery.id for delivery in file_store.deliveries()]


def together(code: str, url: str, count: int) -> list[str]:
    """Run a script in some processes at once, let go when all are ready; give what each printed then."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), url]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(count)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * count, outputs
    return outputs


def test_a_forked_process_gets_connections_of_its_own(file_store: Storage, tmp_path: Path) -> None:
    file_store.add_claim(CLAIM, due=NOON)
    child = os.fork()
    if child == 0:  # pragma: no cover  (the child's lines are not measured)
        status = 1
        try:
            file_store.add_claim(replace(CLAIM, id="b", key="b" * 64), due=NOON)
            status = 0 if file_store.claim("a") is not None else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert file_store.claim("b") is not None
    file_store.add_claim(replace(CLAIM, id="c", key="c" * 64), due=NOON)
    probe = sqlite3.connect(tmp_path / "linkback.db")
    assert probe.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    probe.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///linkback.db"])
def test_another_process_number_means_another_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What a fork does, in one process: a file is opened again, what was in memory cannot be shared."""
    monkeypatch.chdir(tmp_path)
    database = Database(read_url(url))
    store, parents = SqlStore(database), database._engine
    store.add_claim(CLAIM, due=NOON)
    monkeypatch.chdir("/")  # the file is still the one that was opened
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        if url == "sqlite://":
            with pytest.raises(StoreError, match="after a fork"):
                store.claim("a")
        else:
            assert store.claim("a") == CLAIM
            assert database._engine is not parents
        store.close()
    parents.dispose()


def test_opening_the_package_imports_no_database_library() -> None:
    code = "import linkback.store, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sqlalchemy", "alembic", "sqlite3"} & set(loaded)
