"""`linkback render`: the thread for a static site's build."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from linkback.jobs import External
from linkback.model import Claim, Mention
from linkback.policy import Policy
from linkback.site import Site
from linkback.testing import FakeWeb
from linkback.web.app import App
from linkback.web.render import thread
from linkback.wire import Request
from tests.commands import Ran

T = "https://bob.example/post"
PHOTO = "https://social.example/ann.png"


@pytest.fixture
def database(tmp_path: Path) -> tuple[str, str]:
    """The records of a blog with a post that got one reply and one like, as an option."""
    card = f"<a class='p-author h-card' href='https://social.example/@ann'><img src='{PHOTO}' alt=''>Ann</a>"
    web = FakeWeb(
        {
            "https://s.example/reply": f"<div class=h-entry>{card}<a class=u-in-reply-to href='{T}'>yes</a></div>",
            "https://s.example/like": f"<div class=h-entry>{card}<a class=u-like-of href='{T}'>like</a></div>",
        }
    )
    policy = Policy(settle_seconds=0, second_look_seconds=0, recheck_days=0)
    store = f"sqlite:///{tmp_path}/blog.db"
    with Site("https://bob.example", store=store, fetch=web, runner=External(), policy=policy) as site:
        site.receive(Claim("webmention", "https://s.example/reply", T))
        site.receive(Claim("webmention", "https://s.example/like", T))
        site.drain()
    return "--database", store


def recorded(database: tuple[str, str]) -> Sequence[Mention]:
    with Site("https://bob.example", store=database[1], runner=External()) as site:
        return site.mentions(T)


OPTIONS: dict[tuple[str, ...], dict[str, Any]] = {
    (): {},
    ("--lang", "de"): {"language": "de"},
    ("--photos",): {"photos": True},
    ("--no-facepile",): {"facepile": False},
}


@pytest.mark.parametrize(("given", "options"), OPTIONS.items(), ids=str)
def test_the_fragment_is_the_one_that_the_library_draws(
    given: tuple[str, ...],
    options: dict[str, Any],
    database: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran = Ran(capsys, "render", "--target", T, *given, *database)
    mentions = recorded(database)
    assert len(mentions) == 2
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == thread(mentions, **options) + "\n"
    assert (PHOTO in ran.out) == ("--photos" in given)


def test_the_json_is_that_of_the_api(database: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "render", "--target", T, "--format", "json", "--lang", "ja", *database)
    with Site("https://bob.example", store=database[1], runner=External()) as site:
        asked = Request("GET", f"https://bob.example/thread?target={T}&lang=ja")
        told = App(site).handle(asked, "/thread").body.decode()
    [row] = ran.rows
    assert (ran.code, row["count"], row["heading"]) == (0, 2, "コメント2件")
    assert ran.out.isascii()
    assert row == json.loads(told)


def test_the_thread_of_a_post_is_the_same_by_whichever_name_it_was_mentioned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As under the post itself, where `resolve` says which names are one page's."""
    web = FakeWeb({f"https://s.example/{name}": f"<a href='{T}{name}'>x</a>" for name in ("", "/")})
    policy = Policy(settle_seconds=0, second_look_seconds=0, recheck_days=0)
    store = f"sqlite:///{tmp_path}/blog.db"
    with Site(
        "https://bob.example",
        store=store,
        fetch=web,
        runner=External(),
        policy=policy,
        resolve=lambda url: url.rstrip("/") + "/",
    ) as site:
        for name in ("", "/"):
            site.receive(Claim("webmention", f"https://s.example/{name}", T + name))
        site.drain()
        mentions = site.mentions(T)
    assert len(mentions) == 2
    ran = Ran(capsys, "render", "--target", T + "/", "--database", store)
    assert (ran.code, ran.out) == (0, thread(mentions) + "\n")


def test_no_locale_breaks_a_fragment(database: tuple[str, str]) -> None:
    """A build may run where the output is not UTF-8; nothing may become a question mark."""
    drawn = html.unescape(thread(recorded(database), language="ja"))
    command = [sys.executable, "-m", "linkback", "render", "--target", T, "--lang", "ja", *database]
    for encoding in ("ascii", "cp1252", "utf-8"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        done = subprocess.run(command, check=True, capture_output=True, timeout=60, env=environment)
        assert html.unescape(done.stdout.decode(encoding)) == drawn + "\n"


def test_templates_may_be_ones_own(
    tmp_path: Path, database: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own" / "linkback").mkdir(parents=True)
    (tmp_path / "own" / "linkback" / "thread.html").write_text("<p>{{ thread.count }} of <i>{{ thread.heading }}</i>")
    ran = Ran(capsys, "render", "--target", T, "--templates", str(tmp_path / "own"), *database)
    assert (ran.code, ran.out) == (0, "<p>2 of <i>2 comments</i>\n")


@pytest.mark.parametrize("target", ["https://bob.example/other", T + "/x"])
def test_a_post_without_mentions_gives_nothing_and_says_so(
    target: str, database: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capsys, "render", "--target", target, *database)
    assert (ran.code, ran.out, ran.err) == (0, "", f"linkback: no mentions of {target}\n")
    ran = Ran(capsys, "render", "--target", target, "--format", "json", *database)
    assert (ran.code, ran.rows[0]["count"], ran.err) == (0, 0, "")


WRONG = {
    ("--target", "post"): "it is not an absolute http or https URL",
    ("--target", "javascript:alert(1)"): "it is not an absolute http or https URL",
    (): "Missing option '--target'",
    ("--target", T, "--format", "xml"): "'xml' is not one of 'html', 'json'",
    ("--target", T, "--database", "sqlite:////nowhere/x.db"): "the directory /nowhere does not exist",
    ("--target", T, "--templates", "nowhere"): "there is no folder of templates nowhere",
    ("--target", T, "--format", "json", "--photos"): "--photos is about HTML: it means nothing with --format json",
    ("--target", T, "--format", "json", "--templates", "x"): "--templates is about HTML",
}


@pytest.mark.parametrize(("given", "why"), WRONG.items(), ids=str)
def test_what_is_wrong_is_said_in_a_line(
    given: tuple[str, ...], why: str, database: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capsys, "render", *database, *given)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert why in ran.err


def test_a_template_that_fails_is_a_line_too(
    tmp_path: Path, database: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "linkback").mkdir()
    (tmp_path / "linkback" / "entry.html").write_text("{% if %}")
    ran = Ran(capsys, "render", "--target", T, "--templates", str(tmp_path), *database)
    assert (ran.code, ran.out) == (2, "")
    why = "line 1: Expected an expression, got 'end of statement block'"
    assert ran.err == f"linkback: the template {tmp_path}/linkback/entry.html, {why}\n"
