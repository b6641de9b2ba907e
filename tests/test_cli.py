"""The command line as its users meet it: what is printed where, and the exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest

from linkback import __version__, cli, demo, verbs
from linkback.adapters.wsgi import around
from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.model import Claim, ClaimState, Delivery, Outcome, Status
from linkback.policy import Policy
from linkback.site import Site, utcnow
from tests.commands import Ran
from tests.serving import LOOPBACK, eventually, pages, served

OPEN = ("--allow-network", "127.0.0.0/8")


@pytest.fixture
def blog(tmp_path: Path) -> Iterator[Site]:
    """A blog with three posts, served on loopback, listening to all protocols; its mentions are not checked."""
    bodies = {path: f"<title>{path}</title><p>post</p>" for path in ("/a", "/b", "/c")}
    holder: dict[str, Any] = {}
    with served(lambda environ, start: holder["app"](environ, start)) as url:
        site = Site(
            url,
            store=f"sqlite:///{tmp_path}/blog.db",
            fetch=Fetcher(allow=LOOPBACK),
            runner=External(),
            policy=Policy(settle_seconds=0),
        )
        with site:
            holder["app"] = around(pages(bodies), site)
            yield site


@pytest.fixture
def source(blog: Site) -> Iterator[str]:
    """A page on loopback that links to the blog's first two posts."""
    root = blog.url.rstrip("/")
    bodies = {
        "/note": f"<title>A note</title><p>On <a href='{root}/a'>a</a> and <a href='{root}/b'>b</a>.</p>",
        "/plain": "<title>Plain</title>",
    }
    with served(pages(bodies)) as url:
        yield f"{url}/note"


def post(blog: Site, path: str) -> str:
    return blog.url.rstrip("/") + path


def test_discover_shows_where_a_page_listens(blog: Site, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "discover", post(blog, "/a"), "--json", *OPEN)
    root = blog.url.rstrip("/")
    target = urllib.parse.quote(post(blog, "/a"), safe="")
    assert (ran.code, ran.rows) == (
        0,
        [
            {
                "url": post(blog, "/a"),
                "final_url": post(blog, "/a"),
                "webmention": {"url": f"{root}/linkback/webmention", "via": "link-header"},
                "pingback": {"url": f"{root}/linkback/pingback", "via": "x-pingback"},
                "trackback": {"url": f"{root}/linkback/trackback?target={target}", "via": "rdf"},
            }
        ],
    )
    assert "webmention" in Ran(capsys, "discover", post(blog, "/a"), *OPEN).out


def test_discover_without_an_endpoint_exits_3(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "discover", source, "--json", *OPEN)
    assert (ran.code, ran.rows[0]["webmention"]) == (3, None)
    assert "advertises no endpoint" in ran.err


def test_discover_says_why_an_endpoint_is_not_used(capsys: pytest.CaptureFixture[str]) -> None:
    """In plain text, whatever a page calls its endpoint."""
    with served(pages({"/": "<link rel=webmention href='mailto:\x1b]0;owned\x07@t.example'>"})) as url:
        ran = Ran(capsys, "discover", url, *OPEN)
    assert ran.code == 3
    assert "not used: webmention" in ran.err
    assert (ran.out + ran.err).replace("\n", "").isprintable()


def test_verify_says_yes_with_what_the_source_says(blog: Site, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "verify", source, post(blog, "/a"), "--json", *OPEN)
    [row] = ran.rows
    assert ran.code == 0
    assert (row["linked"], row["reason"], row["title"]) == (True, None, "A note")
    assert row["excerpt"] == "On a and b."
    assert row["author"] == {"name": None, "url": None, "photo": None}
    assert {"source", "target", "published", "kind", "final_url"} <= row.keys()
    assert "A note" in Ran(capsys, "verify", source, post(blog, "/a"), *OPEN).out


@pytest.mark.parametrize(
    ("path", "reason", "read"),
    [("/note", "no-backlink", True), ("/none", "source-missing", False)],
    ids=["no link", "404"],
)
def test_verify_says_no_with_the_reason(
    blog: Site, source: str, capsys: pytest.CaptureFixture[str], path: str, reason: str, read: bool
) -> None:
    """With where it was read, if it was."""
    at = source.replace("/note", path)
    ran = Ran(capsys, "verify", at, post(blog, "/c"), "--json", *OPEN)
    [row] = ran.rows
    assert (ran.code, row["linked"], row["reason"]) == (1, False, reason)
    assert row["final_url"] == (at if read else None)
    assert (row["title"], row["author"]["name"]) == (None, None)
    assert reason in ran.err


@pytest.mark.parametrize(
    ("path", "target", "code"),
    [("/note", "/a", 0), ("/note", "/c", 1), ("/none", "/a", 1)],
    ids=["linked", "no link", "404"],
)
def test_explain_shows_both_sides_and_sends_nothing(
    blog: Site, source: str, capsys: pytest.CaptureFixture[str], path: str, target: str, code: int
) -> None:
    arguments = ("explain", source.replace("/note", path), post(blog, target), *OPEN)
    ran = Ran(capsys, *arguments, "--json")
    assert (ran.code, [row["step"] for row in ran.rows]) == (
        code,
        ["source", "link", "description", "target", "endpoints", "ping"],
    )
    assert ran.rows[5]["facts"]["url"] == f"{blog.url.rstrip('/')}/linkback/webmention"
    in_words = Ran(capsys, *arguments)
    assert (in_words.code, in_words.out.splitlines()[0].startswith("source: ")) == (code, True)
    assert blog.drain() == 0


def test_explain_exits_3_without_an_endpoint_and_4_for_temporary_trouble(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = source.removesuffix("/note")
    with served(pages({"/": f"<a href='{root}/plain'>p</a><a href='http://127.0.0.1:1/'>nobody is there</a>"})) as url:
        assert Ran(capsys, "explain", url, f"{root}/plain", *OPEN).code == 3
        assert Ran(capsys, "explain", url, "http://127.0.0.1:1/", *OPEN).code == 4


def test_temporary_trouble_exits_4(capsys: pytest.CaptureFixture[str]) -> None:
    with served(pages({})) as url:
        dead = url
    ran = Ran(capsys, "verify", dead, "https://t.example/", "--json", *OPEN)
    assert (ran.code, ran.rows[0]["reason"]) == (4, "source-unreadable")
    assert Ran(capsys, "discover", dead, *OPEN).code == 4


def test_an_address_that_was_not_opened_is_named(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "discover", source)
    assert ran.code == 1
    assert "--allow-network" in ran.err
    assert ran.err.count("\n") == 1


def test_networks_can_be_opened_by_the_environment(
    source: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKBACK_ALLOW_NETWORKS", "::1/128,127.0.0.0/8")
    assert Ran(capsys, "discover", source).code == 3


def test_send_tells_every_page_that_the_source_links_to(
    blog: Site, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capsys, "send", source, "--json", *OPEN)
    assert ran.code == 0
    assert [(row["target"], row["protocol"], row["outcome"]) for row in ran.rows] == [
        (post(blog, "/a"), "webmention", "accepted"),
        (post(blog, "/b"), "webmention", "accepted"),
    ]
    assert {"source", "endpoint", "code", "detail"} <= ran.rows[0].keys()
    assert blog.drain() == 1, "one look at the source is for both"
    assert len(blog.mentions()) == 2


def test_send_to_a_page_that_does_not_listen_exits_3(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "send", source, source.replace("note", "plain"), "--json", *OPEN)
    assert (ran.code, ran.rows[0]["outcome"]) == (3, "no-endpoint")


def test_send_that_is_refused_exits_1(blog: Site, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "send", post(blog, "/a"), post(blog, "/a#top"), *OPEN)
    assert ran.code == 1
    assert ran.out.startswith("refused by webmention")


def test_send_to_nobody_there_exits_4(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    with served(pages({})) as url:
        dead = url
    assert Ran(capsys, "send", source, dead, *OPEN).code == 4


def test_send_without_links_says_so(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "send", source.replace("note", "plain"), *OPEN)
    assert (ran.code, ran.out) == (0, "")
    assert "links to no other page" in ran.err


def test_send_checks_every_target_before_it_sends_anything(
    blog: Site, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says which of them is wrong."""
    ran = Ran(capsys, "send", source, post(blog, "/a"), "nonsense", *OPEN)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "'nonsense'" in ran.err
    assert blog.drain() == 0


def test_a_link_that_cannot_be_told_keeps_no_other_from_being_told(
    blog: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = f"https://t.example/{'x' * 3000}"
    links = "".join(f"<a href='{link}'>l</a>" for link in (post(blog, "/a"), wrong, post(blog, "/b")))
    with served(pages({"/": links})) as url:
        ran = Ran(capsys, "send", url, "--json", *OPEN)
        shown = Ran(capsys, "send", url, *OPEN)
    assert (ran.code, shown.code) == (1, 1)
    assert [(row["target"], row["outcome"]) for row in ran.rows] == [
        (post(blog, "/a"), "accepted"),
        (wrong, "refused"),
        (post(blog, "/b"), "accepted"),
    ]
    assert "longer than 2048" in ran.rows[1]["detail"]
    assert "longer than 2048" in shown.out


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["sent"], 0),
        (["sent", "accepted", "no-endpoint"], 0),
        (["no-endpoint", "no-endpoint"], 3),
        (["failed"], 4),
        (["unknown", "failed", "queued"], 4),
        (["sent", "failed", "no-endpoint"], 1),
        (["failed", "no-endpoint"], 4),
        (["refused"], 1),
        (["sent", "refused"], 1),
        (["refused", "failed"], 1),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else str(value),
)
def test_the_exit_code_sums_up_all_deliveries(
    outcomes: list[str], code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = {f"https://t.example/{number}": Outcome(outcome) for number, outcome in enumerate(outcomes)}

    def send(source: str, target: str, fetch: object) -> Delivery:
        return Delivery(source=source, target=target, outcome=targets[target])

    monkeypatch.setattr(verbs, "send", send)
    assert Ran(capsys, "send", "https://s.example/", *targets).code == code


def test_publish_tells_each_page_once(
    blog: Site, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--database", f"sqlite:///{tmp_path}/out.db", "--json", *OPEN)
    first = Ran(capsys, "publish", source, *at)
    assert (first.code, [row["outcome"] for row in first.rows]) == (0, ["accepted", "accepted"])
    again = Ran(capsys, "publish", source, *at)
    assert (again.code, again.out) == (0, "")
    assert "nothing new; linked pages told before: 2, not listening: 0" in again.err


@pytest.fixture
def out(tmp_path: Path) -> tuple[str, ...]:
    """Options of `publish`, with a database of its own."""
    return ("--database", f"sqlite:///{tmp_path}/out.db", "--json", *OPEN)


def publisher(source: str, tmp_path: Path, *, later: timedelta = timedelta(0)) -> Site:
    """The site that `publish` uses, as another process would have it, or this one at a later time."""
    return Site(
        urllib.parse.urljoin(source, "/"),
        store=f"sqlite:///{tmp_path}/out.db",
        fetch=Fetcher(allow=LOOPBACK),
        runner=External(),
        policy=Policy(settle_seconds=0),
        clock=lambda: utcnow() + later,
    )


def test_publish_leaves_claims_to_whoever_receives(
    blog: Site, source: str, tmp_path: Path, out: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """A claim in the same store is judged by the policy of `serve`, which `publish` does not know."""
    with publisher(source, tmp_path) as receiving:
        receipt = receiving.receive(Claim("webmention", post(blog, "/a"), source))
        assert Ran(capsys, "publish", source, *out).code == 0
        claim = receiving.claim(receipt.id)
        assert claim is not None
        assert claim.state is ClaimState.QUEUED
        assert receiving.drain() == 1


def test_publish_shows_what_has_not_arrived_until_it_is_given_up(
    blog: Site, tmp_path: Path, out: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that comes too early for another try does not call it done."""
    with served(pages({})) as url:
        dead = url
    with served(pages({"/": f"<a href='{post(blog, '/a')}'>a</a><a href='{dead}/'>b</a>"})) as source:
        first = Ran(capsys, "publish", source, *out)
        assert (first.code, [row["outcome"] for row in first.rows]) == (1, ["accepted", "failed"])
        early = Ran(capsys, "publish", source, *out)
        assert (early.code, [row["outcome"] for row in early.rows]) == (1, ["failed"])
        assert "nothing new" not in early.err
        for days in (1, 2):
            with publisher(source + "/", tmp_path, later=timedelta(days=days)) as site:
                assert site.drain() == 1
        late = Ran(capsys, "publish", source, *out)
        assert (late.code, [row["outcome"] for row in late.rows]) == (1, ["failed"])


def test_publish_counts_what_another_process_is_sending_as_not_done(
    blog: Site, source: str, tmp_path: Path, out: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with publisher(source, tmp_path) as other:
        assert len(other.publish(source)) == 2
        leased = other.store.lease(utcnow(), utcnow() + timedelta(hours=1), limit=1)
        ran = Ran(capsys, "publish", source, *out)
    assert len(leased) == 1
    assert (ran.code, sorted(row["outcome"] for row in ran.rows)) == (1, ["accepted", "queued"])


def test_publish_where_no_page_listens_exits_3_each_time(
    tmp_path: Path, out: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with served(pages({"/": "<a href='/deaf'>d</a>", "/deaf": "deaf"})) as source:
        first = Ran(capsys, "publish", source, *out)
        assert (first.code, [row["outcome"] for row in first.rows]) == (3, ["no-endpoint"])
        again = Ran(capsys, "publish", source, *out)
    assert (again.code, again.out) == (3, "")
    assert "linked pages told before: 0, not listening: 1" in again.err


GONE = '<meta http-equiv="status" content="410 Gone"><title>Deleted</title>'


def test_an_edit_and_a_deletion_are_told_to_whom_they_concern(
    blog: Site, out: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each step shows first whom it would tell; webmention hears of all of them."""
    bodies = {"/": f"<p>1 <a href='{post(blog, '/a')}'>a</a>"}
    told: list[list[str]] = []
    with served(pages(bodies)) as source:
        for command, body in (
            ("publish", bodies["/"]),
            ("publish", bodies["/"] + " and more"),
            ("publish", f"<p>2 <a href='{post(blog, '/b')}'>b</a>"),
            ("unpublish", GONE),
        ):
            bodies["/"] = body
            dry = Ran(capsys, command, source, "--dry-run", *out)
            ran = Ran(capsys, command, source, *out)
            assert (dry.code, ran.code) == (0, 0)
            shown, told_of = ({(row["target"], row["cause"]) for row in each.rows} for each in (dry, ran))
            assert shown == told_of
            told.append(sorted(row["cause"] for row in ran.rows))
            again = Ran(capsys, command, source, *out)
            assert (again.code, again.out) == (0, "")
    assert told == [["new"], ["update"], ["new", "removed"], ["deleted"]]


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_post_that_is_still_there_is_not_unpublished(
    blog: Site, source: str, out: tuple[str, ...], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    Ran(capsys, "publish", source, *out)
    ran = Ran(capsys, "unpublish", source, *arguments, *out)
    assert (ran.code, ran.out) == (2, "")
    assert "answers 200: it must answer 410 Gone first" in ran.err


def test_whom_a_dry_run_would_tell_is_readable(
    blog: Site, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capsys, "publish", source, "--dry-run", "--database", f"sqlite:///{tmp_path}/out.db", *OPEN)
    assert ran.out.splitlines() == [f"new {post(blog, '/a')}", f"new {post(blog, '/b')}"]


def test_publish_of_a_post_without_links_says_so(
    source: str, out: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capsys, "publish", source.replace("note", "plain"), *out)
    assert (ran.code, ran.out) == (0, "")
    assert "links to no other page" in ran.err


@pytest.fixture
def stored(blog: Site, source: str, tmp_path: Path) -> str:
    """A database URL with two mentions in it."""
    for path in ("/a", "/b"):
        blog.receive(Claim("webmention", source, post(blog, path)))
    blog.drain()
    return f"sqlite:///{tmp_path}/blog.db"


def test_list_shows_the_mentions(stored: str, blog: Site, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "list", "--json", "--database", stored)
    assert [row["target"] for row in ran.rows] == [post(blog, "/a"), post(blog, "/b")]
    assert set(ran.rows[0]) == {
        *("id", "source", "target", "protocols", "status", "title", "author"),
        *("excerpt", "published", "received", "missing_since", "kind", "final_url"),
    }
    only = Ran(capsys, "list", "--json", "--database", stored, "--target", post(blog, "/b"), "--status", "approved")
    assert [row["target"] for row in only.rows] == [post(blog, "/b")]
    assert Ran(capsys, "list", "--json", "--database", stored, "--site", "https://other.example").rows == []
    assert Ran(capsys, "list", "--json", "--database", stored, "--status", "spam").rows == []
    table = Ran(capsys, "list", "--database", stored)
    assert "A note" in table.out


def test_moderate_decides(stored: str, blog: Site, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "moderate", "rejected", "1", "--database", stored, "--json")
    assert (ran.code, ran.rows[0]["status"]) == (0, "rejected")
    assert len(blog.mentions(statuses=[Status.REJECTED])) == 1
    ran = Ran(capsys, "moderate", "approved", "1", "99", "x", "--database", stored)
    assert (ran.code, ran.out.split()[:2]) == (1, ["1", "approved"])
    assert "no mention 99" in ran.err


def test_recheck_has_a_source_looked_at_again(stored: str, blog: Site, capsys: pytest.CaptureFixture[str]) -> None:
    before = {mention.id: mention.checked for mention in blog.mentions()}
    ran = Ran(capsys, "recheck", "1", "--database", stored)
    assert (ran.code, ran.out, ran.err) == (0, "", "linkback: the source of 1 will be looked at again\n")
    blog.drain()
    after = {mention.id: mention.checked for mention in blog.mentions()}
    assert (after["1"] > before["1"], after["2"] == before["2"]) == (True, True)
    ran = Ran(capsys, "recheck", "99", "2", "--database", stored)
    assert (ran.code, "no mention 99" in ran.err, "the source of 2" in ran.err) == (1, True, True)


@pytest.mark.parametrize("status", ["rejected", "spam"])
def test_recheck_says_that_what_a_person_turned_down_is_not_looked_at(
    stored: str, blog: Site, status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    blog.moderate("1", Status(status))
    ran = Ran(capsys, "recheck", "1", "--database", stored)
    assert (ran.code, f"1 is {status}, and stays so" in ran.err, "will be" in ran.err) == (1, True, False)


WRONG = [
    pytest.param(["discover"], id="a missing argument"),
    pytest.param(["no-such-command"], id="a command that is none"),
    pytest.param(["discover", "https://t.example/", "--no-such-option"], id="an option that is none"),
    pytest.param(["discover", "not a url"], id="no URL"),
    pytest.param(["discover", "ftp://t.example/"], id="another scheme"),
    pytest.param(["verify", "https://s.example/", "t.example"], id="a target that is no URL"),
    pytest.param(["send", "mailto:a@b"], id="a source that is no URL"),
    pytest.param(["publish", "nonsense"], id="a post that is no URL"),
    pytest.param(["discover", "https://t.example/", "--allow-network", "300.0.0.0/8"], id="no network"),
    pytest.param(["discover", "https://t.example/", "--allow-port", "x"], id="no port"),
    pytest.param(["serve"], id="no site"),
    pytest.param(["serve", "--site", "nonsense", "--database", "sqlite://"], id="a site that is no URL"),
    pytest.param(
        ["serve", "--site", "https://t.example", "--bind", "nonsense", "--database", "sqlite://"], id="no address"
    ),
    pytest.param(["list", "--status", "lost"], id="a status that is none"),
    pytest.param(["list", "--database", "nonsense"], id="a database that is none"),
    pytest.param(["list", "--database", "sqlite:////no/such/folder/linkback.db"], id="a folder that is none"),
    pytest.param(["moderate", "approved"], id="no mention"),
    pytest.param(["list", "--target", "nonsense", "--database", "sqlite://"], id="list of no URL"),
]


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_usage_is_one_clear_line_and_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("linkback: ")
    assert ran.err.count("\n") == 1


def test_a_database_that_is_none_stays_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same promise for every command that opens one."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"these are no records\n" * 100)
    before = path.read_bytes()
    at = ("--database", f"sqlite:///{path}")
    for arguments in (["list"], ["moderate", "spam", "1"], ["publish", "https://s.example/"]):
        ran = Ran(capsys, *arguments, *at)
        assert (ran.code, ran.err.count("\n")) == (2, 1)
    ran = Ran(capsys, "serve", "--site", "https://t.example", "--bind", "127.0.0.1:0", *at)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert path.read_bytes() == before


def test_no_command_at_all_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys)
    assert ran.code == 2
    assert "discover" in ran.err


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["send", "--help"]])
def test_help_is_no_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, *arguments)
    assert ran.code == 0
    assert "Usage: linkback" in ran.out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert Ran(capsys, "--version").out == f"linkback {__version__}\n"


@pytest.mark.parametrize(
    ("raised", "code"),
    [(KeyboardInterrupt(), 130), (click.exceptions.Abort(), 130)],
    ids=["interrupted", "interrupted in click"],
)
def test_being_stopped_is_no_traceback(raised: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise raised

    monkeypatch.setattr(cli.cli, "main", stop)
    assert cli.main(["list"]) == code


@pytest.mark.parametrize(
    ("arguments", "code"), [(["list"], 0), (["list", "--json"], 0), (["demo"], 0), ([], 2), (["--help"], None)]
)
def test_a_reader_who_leaves_gets_no_traceback(arguments: list[str], code: int | None, stored: str) -> None:
    """As `| head -1` does: the output stops, the work does not."""
    environment = {**os.environ, "LINKBACK_DATABASE": stored}
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run(arguments, stdout=writer, stderr=subprocess.PIPE, env=environment)
        with_both = run(arguments, stdout=writer, stderr=writer, env=environment)
    finally:
        os.close(writer)
    assert "Traceback" not in done.stderr
    assert "rror" not in done.stderr
    # help is written by click, which ends with 1
    assert code is None or (done.returncode, with_both.returncode) == (code, code)


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"]])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_one_clear_line(arguments: list[str], stored: str) -> None:
    with open("/dev/full", "w") as full:
        done = run([*arguments, "--database", stored], stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, "linkback: cannot write: No space left on device\n")


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["verify", "SOURCE", "TARGET"], ["--help"], []])
@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}])
def test_no_locale_fails_a_command(arguments: list[str], locale: dict[str, str], blog: Site, tmp_path: Path) -> None:
    with served(pages({"/": f"<title>Grüße, 世界 \U0001f600</title><a href='{post(blog, '/a')}'>é</a>"})) as url:
        blog.receive(Claim("webmention", url, post(blog, "/a")))
        blog.drain()
        words = {"SOURCE": url, "TARGET": post(blog, "/a")}
        environment = {**os.environ, **locale, "LINKBACK_ALLOW_NETWORKS": "127.0.0.0/8"}
        environment["LINKBACK_DATABASE"] = f"sqlite:///{tmp_path}/blog.db"
        given = [words.get(word, word) for word in arguments]
        done = run(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, errors="replace")
    assert done.returncode == (0 if arguments else 2)
    assert "Traceback" not in done.stderr
    assert ("Gr" in done.stdout) is bool(arguments and arguments[0] in ("list", "verify"))


def run(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "linkback", *arguments]
    return subprocess.run(command, text=True, timeout=90, check=False, **options)


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_without_a_server_nothing_is_created(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "waitress.server", None)
    options = ["--site", "https://t.example", "--database", f"sqlite:///{tmp_path}/s.db"] if command == "serve" else []
    ran = Ran(capsys, command, *options)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "linkback[server]" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_whatever_else_fails_is_one_line_and_exit_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "BLOGS", "linkback.demo.no_such_module")
    ran = Ran(capsys, "demo")
    assert (ran.code, ran.err) == (1, "linkback: bob's blog did not start\n")


class Serving:
    """`linkback serve` in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "linkback", "serve", "--bind", "127.0.0.1:0", *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line.startswith("linkback: listening on "), line
        self.url = line.split()[3]

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path) as response:
            return json.load(response)

    def webmention(self, source: str, target: str) -> int:
        body = urllib.parse.urlencode({"source": source, "target": target}).encode()
        with urllib.request.urlopen(f"{self.url}/webmention", body) as response:
            return int(response.status)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_serve_stops_when_it_is_told_to(tmp_path: Path, number: int, code: int) -> None:
    serving = Serving("--site", "https://t.example", "--database", f"sqlite:///{tmp_path}/s.db")
    assert serving.get("/healthz") == {"status": "ok"}
    assert serving.stop(number) == code


def test_what_serve_took_before_it_was_killed_is_checked_after_it_starts_again(
    source: str, blog: Site, tmp_path: Path
) -> None:
    """An accepted claim survives SIGKILL: here before its first look at the source."""
    target = post(blog, "/a")
    arguments = ("--site", blog.url, "--database", f"sqlite:///{tmp_path}/s.db", *OPEN)
    first = Serving(*arguments)
    assert first.webmention(source, target) == 201
    first.stop(signal.SIGKILL)
    second = Serving(*arguments)
    query = urllib.parse.urlencode({"target": target})
    eventually(lambda: second.get(f"/mentions?{query}")["count"] == 1)
    assert second.stop(signal.SIGTERM) == 0


def test_serve_can_hold_mentions_for_a_moderator(
    source: str, blog: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = f"sqlite:///{tmp_path}/s.db"
    serving = Serving("--site", blog.url, "--database", database, "--moderate", *OPEN)
    assert serving.webmention(source, post(blog, "/a")) == 201
    rows = eventually(lambda: Ran(capsys, "list", "--json", "--database", database).rows)
    assert rows[0]["status"] == "pending"
    query = urllib.parse.urlencode({"target": post(blog, "/a")})
    assert serving.get(f"/mentions?{query}")["count"] == 0
    assert Ran(capsys, "moderate", "approved", rows[0]["id"], "--database", database).code == 0
    assert serving.get(f"/mentions?{query}")["count"] == 1
    assert serving.stop(signal.SIGTERM) == 0
