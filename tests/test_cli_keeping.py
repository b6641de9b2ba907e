"""`linkback db` and `linkback doctor` as their users meet them: what is printed where, and the exit code."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from linkback.adapters.wsgi import around
from linkback.jobs import External
from linkback.site import Site, utcnow
from linkback.store import Edit, migrations, open_store
from linkback.store.engine import Database, read_url
from linkback.store.schema import SCHEMA_REVISION
from linkback.testing import FakeWeb
from tests.commands import Ran
from tests.databases import SERVERS, Databases
from tests.serving import pages, served

OPEN = ("--allow-network", "127.0.0.0/8")
STEPS = ["database", "page", "endpoints", "reachable", "clock", "worker", "parked"]


def verdicts(ran: Ran) -> dict[str, str]:
    """What `doctor` said of each step."""
    return {row["step"]: row["verdict"] for row in ran.rows}


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A database at the newest schema."""
    url = f"sqlite:///{tmp_path}/linkback.db"
    open_store(url).close()
    return url


def at_revision(url: str, revision: str) -> str:
    """What an older linkback left."""
    database = Database(read_url(url), as_it_is=True)
    with database.write() as connection:
        migrations.upgrade(connection, to=revision)
    database.close()
    return url


def newer(url: str) -> str:
    """What a newer linkback left."""
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE linkback_version SET version_num = '9999'")
    return url


# db


def test_db_current_shows_the_newest_schema(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "db", "current", "--database", database, "--json")
    name = database.removeprefix("sqlite:///")
    assert (ran.code, ran.rows) == (
        0,
        [{"database": name, "revision": SCHEMA_REVISION, "newest": SCHEMA_REVISION}],
    )
    assert f"{SCHEMA_REVISION}, the newest" in Ran(capsys, "db", "current", "--database", database).out


def test_db_upgrade_says_from_which_schema_to_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = at_revision(f"sqlite:///{tmp_path}/old.db", "0001")
    before = Ran(capsys, "db", "current", "--database", url)
    assert (before.code, before.err) == (1, "")
    assert f"0001 is older than {SCHEMA_REVISION}: run linkback db upgrade" in before.out
    assert Ran(capsys, "db", "current", "--database", url).code == 1, "looking upgrades nothing"
    first = Ran(capsys, "db", "upgrade", "--database", url)
    assert (first.code, f"upgraded from 0001 to {SCHEMA_REVISION}" in first.out) == (0, True)
    again = Ran(capsys, "db", "upgrade", "--database", url, "--json")
    assert (again.code, again.rows[0]["from"], again.rows[0]["to"]) == (0, SCHEMA_REVISION, SCHEMA_REVISION)
    assert Ran(capsys, "db", "current", "--database", url).code == 0


@pytest.mark.parametrize("kind", SERVERS)
def test_db_upgrades_a_server(databases: Databases, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    url = at_revision(databases.server(kind).bare(), "0001")
    assert Ran(capsys, "doctor", "--database", url).code == 2
    ran = Ran(capsys, "db", "upgrade", "--database", url, "--json")
    assert (ran.code, ran.rows[0]["from"], ran.rows[0]["to"]) == (0, "0001", SCHEMA_REVISION)
    assert Ran(capsys, "doctor", "--database", url).code == 0


@pytest.mark.parametrize("command", ["current", "upgrade"])
def test_db_without_a_database_exits_2(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sqlite3.connect(tmp_path / "empty.db").close()
    for name in ("none.db", "empty.db"):
        ran = Ran(capsys, "db", command, "--database", f"sqlite:///{tmp_path / name}", "--json")
        assert (ran.code, ran.out) == (2, "")
        assert "database at" in ran.err
    assert not (tmp_path / "none.db").exists()


def test_db_leaves_a_newer_schema_alone(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    newer(database)
    current = Ran(capsys, "db", "current", "--database", database)
    assert (current.code, "update linkback" in current.out) == (1, True)
    upgrade = Ran(capsys, "db", "upgrade", "--database", database)
    assert (upgrade.code, "update linkback" in upgrade.err) == (2, True)
    assert Ran(capsys, "db", "current", "--database", database).out == current.out


# doctor


def test_doctor_says_that_all_is_well_and_then_what_is_not(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One blog over real sockets, while it breaks piece by piece."""
    holder: dict[str, Any] = {}
    posts = pages({"/": "<title>Bob</title>"})
    with contextlib.ExitStack() as running:
        url = running.enter_context(served(lambda environ, start: holder["app"](environ, start)))
        site = running.enter_context(Site(url, store=database, fetch=FakeWeb(), runner=External()))
        holder["app"] = around(posts, site)
        arguments = ("doctor", "--site", url, "--database", database, *OPEN)
        well = Ran(capsys, *arguments, "--json")
        assert (well.code, verdicts(well)) == (0, dict.fromkeys(STEPS, "yes"))
        shown = Ran(capsys, *arguments)
        assert (shown.code, [line.split(":")[0] for line in shown.out.splitlines() if line[0] != " "]) == (0, STEPS)

        hour_ago = utcnow() - timedelta(hours=1)
        site.store.record_edit(Edit(site=site.url, source=url + "/a", targets=["https://c.example/"], now=hour_ago))
        idle = Ran(capsys, *arguments, "--json")
        assert (idle.code, verdicts(idle)) == (1, {**dict.fromkeys(STEPS, "yes"), "worker": "no"})
        assert "1 job is due, the oldest for 1 h" in idle.rows[5]["summary"]

        (job,) = site.store.lease(utcnow(), utcnow() + timedelta(minutes=1))
        site.store.release(job, due=None)
        parked = Ran(capsys, *arguments, "--json")
        assert (parked.code, verdicts(parked)["parked"]) == (0, "warn"), "a warning is no error"

        holder["app"] = posts
        deaf = Ran(capsys, *arguments, "--json")
        assert (deaf.code, verdicts(deaf)["endpoints"]) == (1, "no")
    gone = Ran(capsys, *arguments, "--json")
    assert (gone.code, verdicts(gone)["page"]) == (1, "no")


def test_doctor_without_a_blog_looks_at_the_database_alone(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "doctor", "--database", database, "--json")
    assert (ran.code, verdicts(ran)["database"], verdicts(ran)["page"]) == (0, "yes", "skipped")


@pytest.mark.parametrize("broken", ["missing", "older", "newer"])
def test_doctor_exits_2_where_the_database_cannot_be_used(
    broken: str, tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And tells of the blog all the same."""
    url = {
        "missing": lambda: f"sqlite:///{tmp_path}/none.db",
        "older": lambda: at_revision(f"sqlite:///{tmp_path}/old.db", "0001"),
        "newer": lambda: newer(database),
    }[broken]()
    with served(pages({"/": "<link rel=webmention href=/>"})) as blog:
        ran = Ran(capsys, "doctor", "--site", blog, "--database", url, "--json", *OPEN)
    assert (ran.code, verdicts(ran)["database"], verdicts(ran)["reachable"]) == (2, "no", "yes")
    assert not (tmp_path / "none.db").exists()


def test_doctor_of_a_private_address_says_how_to_open_it(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "doctor", "--site", "http://127.0.0.1:8000", "--database", database)
    assert (ran.code, "--allow-network" in ran.out) == (1, True)


@pytest.mark.parametrize("arguments", [("--site", "bob.example"), ("--app", "no_such_module")])
def test_doctor_of_what_is_no_blog_exits_2(
    arguments: tuple[str, ...], database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capsys, "doctor", *arguments, "--database", database)
    assert (ran.code, ran.out) == (2, "")


def test_doctor_looks_at_the_posts_that_are_named(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a blog that is named with them, or of the host that they are on."""
    with served(pages({"/": "<p>no signpost", "/a": "<link rel=webmention href=/>"})) as blog:
        options = ("--database", database, "--json", *OPEN)
        home = Ran(capsys, "doctor", "--site", blog, *options)
        alone = Ran(capsys, "doctor", "--page", f"{blog}/a", *options)
        both = Ran(capsys, "doctor", "--site", blog, "--page", f"{blog}/a", "--page", f"{blog}/b", *options)
        other = Ran(capsys, "doctor", "--site", f"{blog}/under/", "--page", f"{blog}/a", *options)
    assert (home.code, verdicts(home)["endpoints"]) == (1, "no")
    assert (alone.code, verdicts(alone)["endpoints"], verdicts(alone)["reachable"]) == (0, "yes", "yes")
    told = [(row["step"], row["verdict"]) for row in both.rows if row["step"] in ("page", "endpoints")]
    assert (both.code, told) == (1, [("page", "yes"), ("endpoints", "yes"), ("page", "no"), ("endpoints", "skipped")])
    assert (other.code, f"{blog}/a is no page of {blog}/under/" in other.out) == (1, True)
    assert Ran(capsys, "doctor", "--page", "nonsense", *options).code == 2


OWN = """
from linkback import Site, Sites
from linkback.jobs import External
from linkback.store import open_store

def blog():
    return Site("{blog}", store="{database}", runner=External())

def blogs():
    store = open_store("{database}")
    return Sites([Site("{blog}", store=store, runner=External())], store=store)
"""


def test_doctor_looks_at_an_object_of_the_hosts_own(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its own store; a host of many blogs is asked for those to look at."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with served(pages({"/": "<link rel=webmention href=/>"})) as blog:
        (tmp_path / "examined_blogs.py").write_text(OWN.format(blog=blog, database=database))
        monkeypatch.setenv("LINKBACK_DATABASE", "sqlite:///none.db")
        options = ("--json", *OPEN)
        one = Ran(capsys, "doctor", "--app", "examined_blogs:blog", *options)
        many = Ran(capsys, "doctor", "--app", "examined_blogs:blogs", *options)
        named = Ran(capsys, "doctor", "--app", "examined_blogs:blogs", "--site", blog, *options)
        posts = Ran(capsys, "doctor", "--app", "examined_blogs:blogs", "--page", f"{blog}/", *options)
        alone = Ran(capsys, "doctor", "--app", "examined_blogs:blog", "--json")
    assert (one.code, verdicts(one)["database"], verdicts(one)["reachable"]) == (0, "yes", "yes")
    assert (many.code, verdicts(many)["database"], verdicts(many)["reachable"]) == (0, "yes", "skipped")
    assert (named.code, verdicts(named)["database"], verdicts(named)["reachable"]) == (0, "yes", "yes")
    assert (posts.code, verdicts(posts)["endpoints"]) == (0, "yes")
    assert (alone.code, "open it with Fetcher(allow=" in alone.out) == (1, True), "by the blog's own door"
    assert not (tmp_path / "none.db").exists()
