"""The schema makes and renews itself, whole or not at all."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, create_engine, inspect, text

from linkback.errors import StoreError
from linkback.model import Claim, ClaimState, JobKind, Outcome, Status
from linkback.store import Gathering, migrations, open_store
from linkback.store import engine as engine_module
from linkback.store.engine import Database, current, read_url, upgrade
from linkback.store.schema import SCHEMA_REVISION, VERSION_TABLE, metadata
from tests.databases import SERVERS, Databases

KINDS = ("sqlite file", *SERVERS)


@pytest.fixture(params=KINDS)
def bare(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    """The URL of a database with no tables at all."""
    if request.param == "sqlite file":
        return f"sqlite:///{tmp_path / 'a.db'}"
    return databases.server(request.param).bare()


def table_names(url: str) -> set[str]:
    engine = read_url(url).engine(patient=False)
    with engine.connect() as connection:
        names = set(inspect(connection).get_table_names())
    engine.dispose()
    return names


def tables(path: Path) -> set[str]:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        names = set(inspect(connection).get_table_names())
    engine.dispose()
    return names


@pytest.mark.parametrize(("asked", "said"), [(logging.NOTSET, False), (logging.INFO, True)], ids=["not asked", "asked"])
def test_a_host_that_logs_at_info_hears_of_a_migration_only_if_it_asks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, asked: int, said: bool
) -> None:
    caplog.set_level(logging.INFO)
    alembic = logging.getLogger("alembic.runtime.migration")
    alembic.setLevel(asked)
    try:
        open_store(f"sqlite:///{tmp_path / 'a.db'}").close()
        assert alembic.level == asked
    finally:
        alembic.setLevel(logging.NOTSET)
    assert any(record.name.startswith("alembic") for record in caplog.records) is said


def test_the_revision_we_compare_with_is_the_newest_script() -> None:
    directory = Path(migrations.__file__).parent
    assert ScriptDirectory(str(directory)).get_heads() == [SCHEMA_REVISION]


def revisions() -> list[str]:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    return sorted(script.revision for script in scripts.walk_revisions())


def test_the_scripts_make_exactly_the_tables_of_the_schema(bare: str) -> None:
    open_store(bare).close()
    engine = read_url(bare).engine(patient=False)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []
        foreign_keys = inspect(connection).get_foreign_keys("linkback_mention_protocols")
    engine.dispose()
    assert foreign_keys[0]["options"] == {"ondelete": "CASCADE"}


def test_the_job_numbers_of_the_scripts_are_never_reused(tmp_path: Path) -> None:
    """Autogeneration does not see this property of the table."""
    open_store(f"sqlite:///{tmp_path / 'a.db'}").close()
    probe = sqlite3.connect(tmp_path / "a.db")
    (sql,) = probe.execute("SELECT sql FROM sqlite_master WHERE name = 'linkback_jobs'").fetchone()
    probe.close()
    assert "AUTOINCREMENT" in sql
    assert metadata.tables["linkback_jobs"].dialect_kwargs["sqlite_autoincrement"]


NOON = datetime(2024, 5, 6, 12, 0, 0, 123456)
#: a row for each table of any revision; a column that a revision does not have yet is left out
ROWS: dict[str, dict[str, object]] = {
    "linkback_claims": {
        "id": 7,
        "public_id": "an-id",
        "site": "https://bob.example",
        "key": "0" * 64,
        "page": "https://bob.example/post",
        "received": NOON,
        "open": True,
        "checked": None,
        "protocol": "trackback",
        "source": "https://alice.example/a",
        "target": "https://bob.example/post#1",
        "title": "猫",
        "excerpt": "so she said",
        "blog_name": "Blog",
        "endpoint": "https://bob.example/tb/1",
        "state": "pending",
        "reason": "no-backlink",
    },
    "linkback_mentions": {
        "id": 8,
        "key": "0" * 64,
        "page_key": "1" * 64,
        "site": "https://bob.example",
        "received": NOON,
        "checked": NOON,
        "source": "https://alice.example/a",
        "target": "https://bob.example/post",
        "title": "猫",
        "author_name": "Ann",
        "author_url": "https://alice.example/",
        "author_photo": "",
        "excerpt": "so she said",
        "published": "2024-05-06T09:00:00-07:00",
        "kind": "reply",
        "final_url": "https://alice.example/a/",
        "status": "removed",
        "decided": True,
        "decided_status": "approved",
    },
    "linkback_mention_protocols": {"mention_id": 8, "position": 1, "protocol": "pingback"},
    "linkback_feed_documents": {
        "key": "6" * 64,
        "feed_key": "7" * 64,
        "site": "https://alice.example",
        "url": "https://alice.example/feed.xml",
        "etag": '"x"',
        "last_modified": "",
        "walked": True,
    },
    "linkback_feed_posts": {
        "id": 11,
        "key": "8" * 64,
        "feed_key": "7" * 64,
        "site": "https://alice.example",
        "url": "https://alice.example/a",
        "entry_id": "tag:alice.example:a",
        "stamp": "9" * 64,
        "part": "https://alice.example/feed.xml",
        "todo": "look",
        "unpaid": "",
        "gone": False,
    },
    "linkback_deliveries": {
        "id": 9,
        "key": "2" * 64,
        "source_key": "3" * 64,
        "site": "https://bob.example",
        "source": "https://bob.example/post",
        "target": "https://carol.example/x",
        "attempts": 2,
        "protocol": "webmention",
        "endpoint": "https://carol.example/wm",
        "outcome": "failed",
        "code": 503,
        "detail": "busy",
        "status_url": "",
        "again": 1,
        "cause": "new",
        "told": "",
        "revision": 1,
    },
    "linkback_posts": {
        "id": 1,
        "key": "4" * 64,
        "site": "https://bob.example",
        "url": "https://bob.example/post",
        "content": "",
        "changed": NOON,
        "gone": False,
    },
    "linkback_hosts": {"key": "5" * 64, "host": "carol.example", "next_slot": NOON, "free_at": NOON},
    "linkback_jobs": {
        "site_key": "6" * 64,
        "leases": 2,
        "id": 10,
        "site": "https://bob.example",
        "kind": "deliver",
        "subject": "9",
        "due": NOON,
        "attempts": 2,
        "leased_until": None,
    },
}


def fill(connection: Connection) -> None:
    """Put a row in each table that there is."""
    there = MetaData()
    there.reflect(connection)
    for table in there.sorted_tables:
        if table.name != VERSION_TABLE:
            row = ROWS[table.name]
            connection.execute(table.insert().values({name: row[name] for name in row if name in table.columns}))


def at_revision(url: str, revision: str) -> None:
    """Make what an older linkback left: its tables, with a row in each."""
    dialect = read_url(url)
    dialect.prepare()
    database = Database(dialect, as_it_is=True)
    with database.write() as connection:
        migrations.upgrade(connection, to=revision)
    with database.write() as connection:
        fill(connection)
    database.close()


@pytest.mark.parametrize("revision", revisions())
def test_what_an_older_linkback_wrote_is_kept(bare: str, revision: str) -> None:
    at_revision(bare, revision)
    assert current(bare) == revision
    assert upgrade(bare) == (revision, SCHEMA_REVISION)
    assert current(bare) == SCHEMA_REVISION
    store = open_store(bare)
    claim, mention, delivery = store.claim("an-id"), store.mention("8"), store.delivery("9")
    assert claim is not None
    assert claim.claim == Claim(
        "trackback",
        "https://alice.example/a",
        "https://bob.example/post#1",
        "猫",
        "so she said",
        "Blog",
        "https://bob.example/tb/1",
    )
    assert (claim.received, claim.state, claim.open) == (NOON.replace(tzinfo=UTC), ClaimState.PENDING, True)
    assert mention is not None
    assert (mention.title, mention.protocols, mention.status) == ("猫", ("pingback",), Status.REMOVED)
    assert mention.checked == NOON.replace(tzinfo=UTC)
    assert delivery is not None
    assert (delivery.target, delivery.outcome, delivery.code) == ("https://carol.example/x", Outcome.FAILED, 503)
    (job,) = store.lease(NOON.replace(tzinfo=UTC), datetime(2024, 5, 7, tzinfo=UTC))
    assert (job.kind, job.subject, job.attempts) == (JobKind.DELIVER, "9", 3)
    store.close()


@pytest.mark.parametrize("revision", revisions()[:-1])
def test_a_claim_from_before_sources_were_kept_is_found_by_its_own_pair_alone(bare: str, revision: str) -> None:
    at_revision(bare, revision)
    upgrade(bare)
    store = open_store(bare)
    assert isinstance(store, Gathering)
    [old] = store.open_claims("0" * 64)
    new = replace(old, id="new", key="1" * 64)
    store.add_claim(new, due=old.received)
    assert store.siblings(new, now=old.received) == ([], None)
    assert store.siblings(replace(new, key="2" * 64), now=old.received)[0][0].claims == [new]
    store.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_is_upgraded_only_when_someone_says_so(
    databases: Databases, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other programs of an older version may be at work on it."""
    url = databases.server(kind).bare()
    open_store(url).close()
    with monkeypatch.context() as patch:
        patch.setattr(engine_module, "SCHEMA_REVISION", "9002")
        with pytest.raises(
            StoreError, match=f"its schema {SCHEMA_REVISION} is older than 9002: run linkback db upgrade$"
        ):
            open_store(url)
    open_store(url).close()


def test_there_is_nothing_to_upgrade_where_there_is_nothing(bare: str) -> None:
    if not bare.startswith("sqlite"):
        assert current(bare) is None
    with pytest.raises(StoreError, match=r"no (linkback )?database at"):
        upgrade(bare)
    with pytest.raises(StoreError, match=r"no (linkback )?database at"):
        open_store(bare, create=False)
    if not bare.startswith("sqlite"):
        assert table_names(bare) == set()


def test_every_table_has_our_prefix_and_the_hosts_are_untouched(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    host = sqlite3.connect(path)
    host.execute("CREATE TABLE posts (title TEXT)")
    host.execute("CREATE TABLE alembic_version (version_num TEXT)")
    host.execute("INSERT INTO alembic_version VALUES ('theirs')")
    host.commit()
    open_store(f"sqlite:///{path}").close()
    assert host.execute("SELECT version_num FROM alembic_version").fetchall() == [("theirs",)]
    host.close()
    ours = tables(path) - {"posts", "alembic_version"}
    assert ours == {*metadata.tables, VERSION_TABLE}
    assert all(name.startswith("linkback_") for name in ours)


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    host = sqlite3.connect(path)
    host.execute("CREATE TABLE theirs (name TEXT)")
    host.execute("CREATE INDEX ix_linkback_hosts_holder ON theirs (name)")
    host.close()
    with pytest.raises(StoreError, match=r"host\.db: index ix_linkback_hosts_holder already exists$"):
        open_store(f"sqlite:///{path}")
    assert tables(path) == {"theirs"}


def test_a_table_of_our_name_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    host = sqlite3.connect(path)
    host.execute("CREATE TABLE linkback_jobs (theirs TEXT)")
    host.close()
    with pytest.raises(StoreError, match=r"host\.db: table linkback_jobs is there, without the version of its schema$"):
        open_store(f"sqlite:///{path}")
    assert tables(path) == {"linkback_jobs"}


def test_a_migration_that_was_begun_by_nobody_is_begun(tmp_path: Path) -> None:
    """An empty version table is what stands before the first script."""
    path = tmp_path / "a.db"
    host = sqlite3.connect(path)
    host.execute("CREATE TABLE linkback_version (version_num VARCHAR(32) NOT NULL)")
    host.close()
    open_store(f"sqlite:///{path}").close()
    assert set(metadata.tables) <= tables(path)


def test_a_newer_schema_is_refused_and_left_alone(bare: str) -> None:
    open_store(bare).close()
    engine = read_url(bare).engine(patient=False)
    with engine.begin() as future:
        future.execute(text("UPDATE linkback_version SET version_num = '9001'"))
    for opened in (open_store, upgrade):
        with pytest.raises(StoreError, match="its schema 9001 is newer than"):
            opened(bare)
    assert current(bare) == "9001"
    engine.dispose()


def test_opening_an_up_to_date_database_imports_no_migration_tool(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    open_store(url).close()
    code = "import sys; from linkback.store import open_store; open_store(sys.argv[1]).close(); print(*sys.modules)"
    command = [sys.executable, "-c", code, url]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "sqlalchemy" in loaded
    assert not {"alembic", "mako"} & set(loaded)


def test_threads_may_all_open_a_new_database_first(tmp_path: Path) -> None:
    """Some the same file and some their own: Alembic by itself runs once in a process."""
    failed: list[Exception] = []
    gate = threading.Barrier(6)

    def first(number: int) -> None:
        gate.wait()
        try:
            open_store(f"sqlite:///{tmp_path / f'{number % 3}.db'}").close()
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=first, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert all(set(metadata.tables) <= tables(tmp_path / f"{number}.db") for number in range(3))


def test_processes_may_all_open_a_new_database_first(bare: str) -> None:
    code = """if True:
        import sys
        from linkback.store import Gathering, migrations, open_store
        print("ready", flush=True)
        sys.stdin.readline()
        open_store(sys.argv[1]).close()
    """
    command = [sys.executable, "-W", "error", "-c", code, bare]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in started]
    assert outputs == [""] * 4
    assert table_names(bare) == {*metadata.tables, VERSION_TABLE}


def test_a_percent_sign_in_the_installation_path_is_no_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "__file__", "/opt/100%(sure)s/__init__.py")
    assert migrations._config().get_main_option("script_location") == "/opt/100%(sure)s"
