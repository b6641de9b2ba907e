"""A database file that cannot be used (security.md R7): one clear line, exit 2, and not a byte of it changed."""

from __future__ import annotations

import ctypes
import hashlib
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linkback import cli
from linkback.jobs import External
from linkback.model import Claim
from linkback.policy import Policy
from linkback.site import Site
from linkback.store import open_store
from tests.hostile.pinging import HOME, PINGS, TARGET, UNAVAILABLE, EveryPageLinks
from tests.serving import pages, served

PAGE = 4096
Damage = Callable[[Path], object]
#: a bind address that is none: were the store opened after all, the message would be about it
COMMANDS = {
    "list": ("list",),
    "moderate": ("moderate", "spam", "1"),
    "publish": ("publish", f"{HOME}/post"),
    "serve": ("serve", "--site", HOME, "--bind", "nonsense"),
}


def filled(path: Path) -> None:
    """A database of ours with a mention and some deliveries, all of it in the one file."""
    with Site(
        HOME, store=f"sqlite:///{path}", fetch=EveryPageLinks(), runner=External(), policy=Policy(settle_seconds=0)
    ) as site:
        site.receive(Claim("webmention", "https://s.example/a", TARGET))
        assert site.drain() == 1
        site.publish(TARGET, "".join(f"<a href='https://{n}.example/{'x' * 500}'>" for n in range(50)))


def garbage(path: Path, begin: int, end: int | None = None) -> None:
    """Random bytes from one offset to another, or to the end of the file."""
    content = path.read_bytes()
    end = len(content) if end is None else end
    path.write_bytes(content[:begin] + random.Random(begin).randbytes(end - begin) + content[end:])


def statements(*lines: str) -> Damage:
    """What somebody did with SQL."""

    def run(path: Path) -> None:
        connection = sqlite3.connect(path)
        for line in lines:
            connection.execute(line)
        connection.commit()
        connection.close()

    return run


def ours(*then: Damage) -> Damage:
    """A database of ours, and what befell it."""

    def make(path: Path) -> None:
        filled(path)
        for step in then:
            step(path)

    return make


def root_of(table: str) -> Damage:
    """Random bytes over the first page of a table."""

    def spoil(path: Path) -> None:
        connection = sqlite3.connect(path)
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        connection.close()
        garbage(path, (page - 1) * PAGE, page * PAGE)

    return spoil


def halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


NEWER = "UPDATE linkback_version SET version_num = '9001'"
UNUSABLE: dict[str, Damage] = {
    "a text file": lambda path: path.write_bytes(b"these are no records\n" * 100),
    "a picture": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000)),
    "a directory": lambda path: path.mkdir(),
    "a head without a body": lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000),
    "garbage over the schema": ours(lambda path: garbage(path, 100, PAGE)),
    "garbage over the second page": ours(lambda path: garbage(path, PAGE, 2 * PAGE)),
    "garbage over all but the first page": ours(lambda path: garbage(path, PAGE)),
    "half of a file": ours(halved),
    "another format of SQLite": ours(lambda path: garbage(path, 18, 20)),
    "a newer schema": ours(statements(NEWER)),
    "a schema that nobody knows": ours(statements("UPDATE linkback_version SET version_num = 'mine'")),
    "a version that is no text": ours(statements("UPDATE linkback_version SET version_num = x'ff00ff'")),
    "a version table of another shape": ours(
        statements("DROP TABLE linkback_version", "CREATE TABLE linkback_version (number INTEGER)")
    ),
    "tables of ours without their version": ours(statements("DELETE FROM linkback_version")),
    "tables of ours without their version table": ours(statements("DROP TABLE linkback_version")),
    "a newer schema, not in WAL mode": ours(statements("PRAGMA journal_mode=DELETE", NEWER)),
    "another program's table of our name": statements("CREATE TABLE linkback_mentions (theirs TEXT)"),
}


def state(folder: Path) -> dict[str, str]:
    """The files of a folder with digests of what is in them; the log and its index are SQLite's own."""
    names = (path for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm")))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in names}


def refused(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str) -> str:
    """Run a command that cannot use its database; the one line that it says."""
    before = state(path.parent)
    code = cli.main([*arguments, "--database", f"sqlite:///{path}"])
    told = capsys.readouterr()
    assert (code, told.out) == (2, "")
    assert told.err.startswith("linkback: ")
    assert told.err.count("\n") == 1
    assert "Traceback" not in told.err
    assert state(path.parent) == before
    return told.err


def cases() -> Iterator[object]:
    for what in UNUSABLE:
        for command in COMMANDS:
            yield pytest.param(what, command, id=f"{command}: {what}")


@pytest.mark.parametrize(("what", "command"), list(cases()))
def test_a_file_that_is_no_use_is_one_line_and_stays_as_it_is(
    what: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "linkback.db"
    UNUSABLE[what](path)
    assert "linkback.db" in refused(capsys, path, *COMMANDS[command])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_not_there_is_not_made(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "linkback.db"
    arguments = [*COMMANDS[command], "--database", f"sqlite:///{tmp_path}/missing/linkback.db"]
    assert cli.main(arguments) == 2
    assert f"the directory {tmp_path}/missing does not exist\n" in capsys.readouterr().err
    assert not path.parent.joinpath("missing").exists()


@pytest.mark.parametrize(
    ("table", "command"),
    [("linkback_mentions", "list"), ("linkback_mentions", "moderate"), ("linkback_deliveries", "publish")],
)
def test_damage_that_is_met_later_is_one_line_too(
    table: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Opening a database does not read all of it."""
    path = tmp_path / "linkback.db"
    with served(pages({"/post": "<a href='https://u.example/'>"})) as url:
        with Site(url, store=f"sqlite:///{path}", fetch=EveryPageLinks(), runner=External()) as site:
            site.publish(f"{url}/post", "<a href='https://t.example/'>")
        # of a table without rows SQLite need not read anything
        with Site(HOME, store=f"sqlite:///{path}", fetch=EveryPageLinks(), runner=External()) as site:
            site.receive(Claim("webmention", "https://alice.example/note", TARGET))
            site.drain(patience=5)
            assert site.mentions()
        root_of(table)(path)
        arguments = ["publish", f"{url}/post", "--allow-network", "127.0.0.0/8"]
        err = refused(capsys, path, *(arguments if command == "publish" else COMMANDS[command]))
    assert err.endswith("linkback.db: database disk image is malformed\n")


@pytest.mark.parametrize("protocol", PINGS)
def test_damage_that_a_ping_meets_is_told_as_not_now(protocol: str, tmp_path: Path) -> None:
    path = tmp_path / "linkback.db"
    ours(root_of("linkback_claims"))(path)
    before = state(tmp_path)
    with (
        Site(HOME, store=f"sqlite:///{path}", fetch=EveryPageLinks(), runner=External()) as site,
        served(site.wsgi()) as url,
    ):
        told, answer = PINGS[protocol](url, "https://s.example/new")
        assert answer == UNAVAILABLE, told
        assert b"malformed" not in told.body
    assert state(tmp_path) == before


@pytest.mark.parametrize("command", ["list", "moderate"])
def test_another_programs_database_is_only_looked_at(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "host.db"
    statements("CREATE TABLE posts (title TEXT)", "INSERT INTO posts VALUES ('theirs')")(path)
    assert "no linkback database at" in refused(capsys, path, *COMMANDS[command])


def test_another_programs_database_may_be_shared_and_keeps_its_own(tmp_path: Path) -> None:
    """Our tables stand beside the host's, so that a post and its deliveries can be one transaction."""
    path = tmp_path / "host.db"
    statements("CREATE TABLE posts (title TEXT)", "INSERT INTO posts VALUES ('theirs')")(path)
    filled(path)
    host = sqlite3.connect(path)
    assert host.execute("SELECT * FROM posts").fetchall() == [("theirs",)]
    names = {name for (name,) in host.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {name for name in names if not name.startswith(("linkback_", "sqlite_"))} == {"posts"}
    assert host.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    host.close()


# what the system forbids


def powerless() -> None:
    """Even root obeys the permissions of files in this process."""
    if os.geteuid() == 0:
        drop_from_bounding_set, write_anywhere, read_anywhere = 24, 1, 2
        for power in (write_anywhere, read_anywhere):
            ctypes.CDLL(None).prctl(drop_from_bounding_set, power, 0, 0, 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs prctl to be refused as root")
@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "why"),
    [(0o444, 0o755, "is read-only"), (0o644, 0o555, "cannot be written to"), (0o000, 0o755, "Permission denied")],
    ids=["the file is read-only", "the folder is read-only", "the file cannot be read"],
)
def test_what_may_not_be_written_is_one_line_and_stays_as_it_is(
    file_mode: int, folder_mode: int, why: str, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "linkback.db"
    open_store(f"sqlite:///{path}").close()
    before = state(folder)
    path.chmod(file_mode)
    folder.chmod(folder_mode)
    each = [[*command, "--database", f"sqlite:///{path}"] for command in COMMANDS.values()]
    code = f"from linkback import cli; print(*(cli.main(arguments) for arguments in {each}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, preexec_fn=powerless)
    folder.chmod(0o755)
    path.chmod(0o644)
    assert ran.stdout == "2 2 2 2\n"
    assert [why in line for line in ran.stderr.splitlines()] == [True] * len(COMMANDS)
    assert state(folder) == before
