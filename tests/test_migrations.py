"""The schema makes and renews itself, whole or not at all."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from linkback.errors import StoreError
from linkback.store import migrations, open_store
from linkback.store.schema import SCHEMA_REVISION, VERSION_TABLE, metadata


def tables(path: Path) -> set[str]:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        names = set(inspect(connection).get_table_names())
    engine.dispose()
    return names


def test_the_revision_we_compare_with_is_the_newest_script() -> None:
    directory = Path(migrations.__file__).parent
    assert ScriptDirectory(str(directory)).get_heads() == [SCHEMA_REVISION]


def test_the_scripts_make_exactly_the_tables_of_the_schema(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path / 'a.db'}").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
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
    host.execute("CREATE TABLE linkback_jobs (theirs TEXT)")
    host.close()
    with pytest.raises(StoreError, match=r"host\.db: table linkback_jobs already exists$"):
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


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    open_store(f"sqlite:///{path}").close()
    future = sqlite3.connect(path)
    future.execute("UPDATE linkback_version SET version_num = '9001'")
    future.commit()
    with pytest.raises(StoreError, match="its schema 9001 is newer than"):
        open_store(f"sqlite:///{path}")
    assert future.execute("SELECT version_num FROM linkback_version").fetchall() == [("9001",)]
    future.close()


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


def test_processes_may_all_open_a_new_database_first(tmp_path: Path) -> None:
    code = """if True:
        import sys
        from linkback.store import migrations, open_store
        print("ready", flush=True)
        sys.stdin.readline()
        open_store(sys.argv[1]).close()
    """
    command = [sys.executable, "-W", "error", "-c", code, f"sqlite:///{tmp_path / 'a.db'}"]
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
    assert set(metadata.tables) <= tables(tmp_path / "a.db")


def test_a_percent_sign_in_the_installation_path_is_no_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "__file__", "/opt/100%(sure)s/__init__.py")
    assert migrations._config().get_main_option("script_location") == "/opt/100%(sure)s"
