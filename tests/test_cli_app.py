"""Commands that act for a host's own `Site`, by `--app`: with its pages, its protocols, its records."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from linkback.jobs import External
from linkback.model import Claim, Mention, Status
from linkback.policy import Policy
from linkback.site import Site
from linkback.store import open_store
from linkback.testing import FakeWeb
from tests.commands import Ran

ALICE, BOB, CAROL = "https://alice.example/", "https://bob.example/", "https://carol.example/"
QUICK = Policy(settle_seconds=0, second_look_seconds=0, recheck_days=0)

#: what `--app host:site` names: pages known by their path alone, one protocol, and a web of its own
HOST = """
from linkback import ConfigurationError, Pingback, Site, Sites, StoreError
from linkback.jobs import External
from linkback.policy import Outgoing
from linkback.store import open_store
from linkback.testing import FakeWeb
from linkback.wire import Response

ALICE, BOB, CAROL = "https://alice.example/", "https://bob.example/", "https://carol.example/"
PONG = b"<methodResponse><params><param><value>ok</value></param></params></methodResponse>"
OFFERS = (("Content-Type", "text/html"), ("Link", f'<{{BOB}}wm>; rel="webmention"'), ("X-Pingback", f"{{BOB}}ping"))
store = open_store({database!r})
web = FakeWeb({{
    ALICE + "a": f"<a href={{BOB}}b>b</a><a href={{CAROL}}>no</a>",
    ALICE + "feed": f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="{{ALICE}}a"/></entry></feed>',
    BOB + "b": Response(200, OFFERS, b"<p>post"),
    BOB + "ping": Response(200, (("Content-Type", "text/xml"),), PONG),
}})

def resolve(url):
    path = url.partition("//")[2].partition("/")[2].rstrip("/")
    if path == "broken":
        raise OSError("the database is away")
    return ALICE + path if path in ("a", "c") else None

outgoing = Outgoing(skip_hosts=["carol.example"])
own = {{"resolve": resolve, "protocols": [Pingback()], "outgoing": outgoing}}
alice = Site(ALICE, store=store, fetch=web, runner=External(), **own)

def site():
    return alice

def broken():
    return Sites(lambda url: 1 / 0, store=store)

def failing(error):
    def resolve(url):
        raise error
    return Site(ALICE, store=store, fetch=web, runner=External(), resolve=resolve)

def unset():
    return failing(ConfigurationError("BLOG has no post_url"))

def away():
    return failing(StoreError("the database is away"))

def sites():
    return Sites([alice, Site(CAROL, store=store, fetch=web, runner=External())], store=store)
"""


class Fresh(Ran):
    """One run of the command line, as a process of its own would have it: the host's module is imported for it."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        sys.modules.pop("host", None)
        super().__init__(capsys, *arguments)
        sys.modules.pop("host", None)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of the records of the host's blog, whose module `host` is; the environment speaks of another blog."""
    url = f"sqlite:///{tmp_path}/host.db"
    (tmp_path / "host.py").write_text(HOST.format(database=url))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("LINKBACK_SITE", "https://other.example")
    monkeypatch.setenv("LINKBACK_DATABASE", f"sqlite:///{tmp_path}/other.db")
    yield url
    assert not (tmp_path / "other.db").exists()


def mention(database: str, blog: str, page: str, resolve: str = "") -> Mention:
    """A mention of a page of one blog, whose source says so."""
    source = f"https://s.example/{page.rpartition('//')[2]}"
    web = FakeWeb({source: f"<a href='{page}'>x</a>"})
    known = (lambda url: resolve) if resolve else None
    with Site(blog, store=database, fetch=web, runner=External(), policy=QUICK, resolve=known) as site:
        site.receive(Claim("webmention", source, page))
        site.drain()
        return site.mentions()[-1]


@pytest.mark.parametrize("named", ["option", "environment"])
@pytest.mark.parametrize("what", ["site", "sites"])
@pytest.mark.parametrize("about", [(f"{ALICE}a",), ("--feed", f"{ALICE}feed")], ids=["source", "feed"])
def test_publish_speaks_as_the_hosts_own_blog(
    about: tuple[str, ...],
    what: str,
    named: str,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By its protocols, to whom it tells, with its records: Bob prefers webmention, Carol is nobody's to tell."""
    monkeypatch.setenv("LINKBACK_APP", f"host:{what}" if named == "environment" else "no_such_module")
    app = () if named == "environment" else ("--app", f"host:{what}")
    if about[0] == "--feed":
        # what reads documents has room for them, and goes to the real web: here it is the host's
        monkeypatch.setattr("linkback.following._default_fetch", lambda site: site.fetch)
    ran = Fresh(capsys, "publish", *about, "--json", *app)
    assert (ran.code, [(row["target"], row["protocol"]) for row in ran.rows]) == (0, [(f"{BOB}b", "pingback")]), ran.err
    with Site(ALICE, store=database, runner=External()) as site:
        assert [delivery.target for delivery in site.deliveries()] == [f"{BOB}b"]


def test_links_beyond_those_that_are_told_are_shown(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a dry run, by the command, and in the list of deliveries; they fail nothing."""
    host = tmp_path / "host.py"
    module = host.read_text().replace("Outgoing(", "Outgoing(most_told_a_host=1, ")
    host.write_text(module.replace("href={BOB}b>", "href={BOB}b>b</a><a href={BOB}c>"))
    why = f"withdrawn {BOB}c: no more than 1 of a post's links to bob.example are told"
    for arguments in (("publish", f"{ALICE}a", "--dry-run"), ("publish", f"{ALICE}a")):
        ran = Fresh(capsys, *arguments, "--app", "host:site")
        assert (ran.code, ran.out.splitlines().count(why)) == (0, 1)
    ran = Fresh(capsys, "deliveries", "--outcome", "withdrawn", "--json", "--app", "host:site")
    assert [(row["target"], row["outcome"]) for row in ran.rows] == [(f"{BOB}c", "withdrawn")]


def test_unpublish_asks_the_hosts_own_blog(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Fresh(capsys, "unpublish", f"{ALICE}a", "--app", "host:site")
    assert (ran.code, "must answer 410 Gone" in ran.err) == (2, True)
    ran = Fresh(capsys, "unpublish", f"{BOB}a", "--app", "host:site")
    assert (ran.code, f"no page of {ALICE}" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["publish", f"{ALICE}a", "--app", "host:site", "--site", ALICE], "not both"),
        (["publish", f"{ALICE}a", "--app", "host:site", "--database", "sqlite://"], "--database means nothing there"),
        (["publish", f"{ALICE}a", "--app", "host:site", "--post-only"], "--post-only/--all-links means nothing"),
        (["publish", f"{ALICE}a", "--app", "host:site", "--all-links"], "--post-only/--all-links means nothing"),
        (["publish", f"{BOB}a", "--app", "host:sites"], "on none of our sites"),
        (["publish", "--feed", "none.xml", "--app", "host:sites"], "which of the blogs"),
        (["publish", "--feed", "none.xml", "--app", "host:site"], "none.xml"),
        (["list", "--app", "host:site", "--site", BOB], f"is not the blog of the application, which is {ALICE}"),
        (["list", "--app", "host:sites", "--target", f"{ALICE}broken"], "the database is away"),
        (["moderate", "spam", "1", "--app", "host:site", "--database", "sqlite://"], "--database means nothing there"),
        (["jobs", "--app", "no_such_module"], "No module named"),
        (["publish", f"{ALICE}a", "--app", "host:broken"], "ZeroDivisionError"),
        (["unpublish", f"{ALICE}a", "--app", "host:broken"], "ZeroDivisionError"),
        (["publish", "--feed", f"{ALICE}feed", "--app", "host:broken"], "ZeroDivisionError"),
        (["doctor", "--page", f"{ALICE}a", "--app", "host:broken"], "ZeroDivisionError"),
        (["doctor", "--app", "host:site", "--database", "sqlite://"], "--database means nothing there"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_the_hosts_own_blog_would_not_heed_is_one_clear_line(
    arguments: list[str], said: str, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Fresh(capsys, *arguments)
    assert (ran.code, ran.out, ran.err.count("\n"), said in ran.err) == (2, "", 1, True), ran.err


@pytest.mark.parametrize("given", [("--site", ALICE), ("--database", "{database}")], ids=["site", "database"])
def test_what_stands_on_the_line_sets_an_app_of_the_environment_aside(
    given: tuple[str, str], database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LINKBACK_APP", "no_such_module")
    monkeypatch.setenv("LINKBACK_DATABASE", database)
    option, value = given
    ran = Fresh(capsys, "publish", "http://127.0.0.1:1/a", option, value.format(database=database))
    assert ("--allow-network" in ran.err or "is no page of" in ran.err, "no_such_module" in ran.err) == (True, False)


def test_the_records_are_those_of_one_blog(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Two blogs share a database: neither sees nor touches what is the other's."""
    ours, theirs = mention(database, ALICE, f"{ALICE}a"), mention(database, CAROL, f"{CAROL}c")
    for limit in (("--app", "host:site"), ("--site", ALICE, "--database", database)):
        assert [row["id"] for row in Fresh(capsys, "list", "--json", *limit).rows] == [ours.id]
        assert Fresh(capsys, "render", "--target", f"{CAROL}c", *limit).out == ""
        for command in (("moderate", "rejected"), ("recheck",)):
            ran = Fresh(capsys, *command, theirs.id, *limit)
            assert (ran.code, f"there is no mention {theirs.id}" in ran.err) == (1, True)
        assert Fresh(capsys, "recheck", ours.id, *limit).code == 0
        assert Fresh(capsys, "moderate", "approved", ours.id, *limit).code == 0
    every = Fresh(capsys, "list", "--json", "--app", "host:sites").rows
    assert [(row["id"], row["status"]) for row in every] == [(ours.id, "approved"), (theirs.id, "approved")]
    one = Fresh(capsys, "list", "--json", "--app", "host:sites", "--site", CAROL).rows
    assert [row["id"] for row in one] == [theirs.id]


def test_the_doctor_looks_at_the_hosts_own_blogs_whatever_the_environment_says(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LINKBACK_SITE", "garbage")
    for what, post, looked_at in (("site", "a", True), ("sites", "a", True), ("sites", "//bob.example/", False)):
        ran = Fresh(capsys, "doctor", "--json", "--app", f"host:{what}", "--page", urljoin(ALICE, post))
        page = next(row for row in ran.rows if row["step"] == "page")
        assert (ran.code, urljoin(ALICE, post) in page["summary"]) == (1, looked_at), ran.out


def test_jobs_that_wait_for_a_person_are_those_of_one_blog(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = mention(database, ALICE, f"{ALICE}a"), mention(database, CAROL, f"{CAROL}c")
    store = open_store(database)
    parked = {}
    for one in (ours, theirs):
        store.recheck(one.id, due=one.received)
        (job,) = store.lease(one.received, one.received, site=one.site)
        store.release(job, due=None)
        parked[one.site] = job.id
    store.close()
    app = ("--app", "host:site")
    assert [json.loads(line)["id"] for line in Fresh(capsys, "jobs", "--json", *app).out.splitlines()] == [
        parked[ALICE]
    ]
    assert Fresh(capsys, "revive", str(parked[CAROL]), *app).code == 1
    assert Fresh(capsys, "revive", "--all", *app).err == "linkback: 1 to be tried again\n"
    assert [row["id"] for row in Fresh(capsys, "jobs", "--json", "--app", "host:sites").rows] == [parked[CAROL]]


@pytest.mark.parametrize(
    ("app", "page", "says"),
    [
        (
            "host:site",
            "broken",
            "resolve (host.resolve), the blog's own function, failed for https://alice.example/broken",
        ),
        ("host:broken", "a", "sites (host.broken.<locals>.<lambda>), the blog's own function, failed for"),
        ("host:unset", "a", "linkback: BLOG has no post_url\n"),
        ("host:away", "a", "linkback: the database is away\n"),
    ],
)
def test_a_page_that_the_hosts_own_function_fails_for_is_told_by_the_function_and_what_it_raised(
    database: str, app: str, page: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Fresh(capsys, "list", "--target", ALICE + page, "--app", app)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert says in ran.err


def test_a_page_is_asked_for_by_any_of_its_names(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also by one that no mention came by, where the blog is known; without it by the permalink."""
    names = (f"{ALICE}a", f"{ALICE}a/", "http://alice.example/a", "http://www.alice.example/a/")
    ids = [mention(database, ALICE, name, resolve=f"{ALICE}a").id for name in names[1:]]
    mention(database, ALICE, f"{ALICE}c")
    for target, limit in ((names[0], ("--database", database)), *((name, ("--app", "host:site")) for name in names)):
        listed = Fresh(capsys, "list", "--json", "--target", target, *limit)
        assert [row["id"] for row in listed.rows] == ids, target
        drawn = Fresh(capsys, "render", "--format", "json", "--target", target, *limit)
        assert drawn.rows[0]["count"] == len(ids)
    spam = Fresh(capsys, "list", "--target", names[0], "--status", Status.SPAM.value, "--app", "host:site")
    assert "no mentions" in spam.err
