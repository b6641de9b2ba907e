"""What a static page asks the endpoints for: the thread as JSON, the script, the style."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from linkback.jobs import External
from linkback.model import Claim, Status
from linkback.policy import Policy
from linkback.site import Site
from linkback.sites import Sites
from linkback.testing import FakeWeb
from linkback.web import render
from linkback.web.app import App
from linkback.wire import Request, Response

T = "https://bob.example/post"
AT_T = "?target=https%3A%2F%2Fbob.example%2Fpost"
LIKE = (
    "<div class=h-entry><a class='p-author h-card' href='https://social.example/@ann'>Ann Lee</a>"
    f"<a class=u-like-of href='{T}'>liked</a></div>"
)
NOTE = f"<title>A &lt;b&gt;note</title><p>On <a href='{T}'>this</a>.</p>"


@pytest.fixture
def site() -> Iterator[Site]:
    """A blog whose post is mentioned by a note, by pingback, and liked, by webmention."""
    web = FakeWeb({"https://s.example/note": NOTE, "https://s.example/like": LIKE})
    policy = Policy(settle_seconds=0, second_look_seconds=0, recheck_days=0)
    with Site("https://bob.example", store="sqlite://", fetch=web, runner=External(), policy=policy) as site:
        for protocol, source in (("pingback", "note"), ("webmention", "like")):
            site.receive(Claim(protocol, f"https://s.example/{source}", T))
        site.drain()
        yield site


def ask(site: Site | Sites, path: str, query: str = "", *headers: tuple[str, str], method: str = "GET") -> Response:
    return App(site).handle(Request(method, f"https://bob.example{path}{query}", headers), path)


def told(response: Response) -> Any:
    return json.loads(response.body)


def test_the_thread_is_told_in_words_that_only_want_layout(site: Site) -> None:
    response = ask(site, "/thread", AT_T)
    assert (response.status, response.header("Access-Control-Allow-Origin")) == (200, "*")
    thread = told(response)
    assert {name: thread[name] for name in ("target", "count", "heading", "language", "dir")} == {
        "target": T,
        "count": 2,
        "heading": "2 comments",
        "language": "en",
        "dir": "ltr",
    }
    [entry] = thread["entries"]
    when = entry.pop("time"), entry.pop("shown_time")
    assert all(when)
    assert entry == {
        "number": 1,
        "id": f"mention-{site.mentions(T)[0].id}",
        "kind": "pingback",
        "label": "Pingback:",
        "before": "Pingback: ",
        "name": "A <b>note",
        "after": "",
        "text": "Pingback: A <b>note",
        "personal": False,
        "url": "https://s.example/note",
        "title": "",
        "author": {"name": None, "url": None, "photo": None},
        "initials": "AB",
        "excerpt": "On this.",
    }
    [group] = thread["faces"]
    assert (group["kind"], group["heading"]) == ("like", "1 like")
    assert [(face["text"], face["initials"], face["number"]) for face in group["entries"]] == [
        ("Ann Lee liked this", "AL", None)
    ]


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [
        ("", "", "en"),
        ("&lang=de-AT", "", "de"),
        ("&lang=de", "ja", "de"),
        ("", "ja, de;q=0.5", "ja"),
        ("&lang=tlh", "fr-CA", "fr"),
        ("&lang=tlh", "tlh", "en"),
        ("&lang=" + "x" * 3000, ",;q=1,\x00", "en"),
    ],
)
def test_the_thread_is_in_a_language_that_the_reader_asks_for(
    site: Site, query: str, header: str, expected: str
) -> None:
    response = ask(site, "/thread", AT_T + query, ("Accept-Language", header))
    assert (response.status, told(response)["language"]) == (200, expected)
    assert (response.header("Vary"), response.header("Cache-Control")) == ("Accept-Language", "no-store")


@pytest.mark.parametrize("query", ["", "?target=", "?target=javascript:alert(1)", "?target=/post", "?target=%00"])
def test_a_thread_of_no_page_is_refused_as_mentions_are(site: Site, query: str) -> None:
    thread, mentions = ask(site, "/thread", query), ask(site, "/mentions", query)
    assert (thread.status, thread.headers, thread.body) == (mentions.status, mentions.headers, mentions.body)
    assert thread.status == 400


@pytest.mark.parametrize("target", ["https://bob.example/other", "https://elsewhere.example/"])
def test_a_page_without_mentions_has_an_empty_thread(site: Site, target: str) -> None:
    thread = told(ask(site, "/thread", f"?target={target}"))
    assert (thread["count"], thread["entries"], thread["faces"]) == (0, [], [])


def test_what_is_not_approved_is_not_told(site: Site) -> None:
    for mention in site.mentions(T):
        site.moderate(mention.id, Status.SPAM)
    assert told(ask(site, "/thread", AT_T))["count"] == 0


def test_many_blogs_have_threads_too(site: Site) -> None:
    with Sites([site], store=site.store, runner=External()) as sites:
        assert told(ask(sites, "/thread", AT_T))["count"] == 2


FILES = {"/linkback.js": "text/javascript; charset=utf-8", "/thread.css": "text/css; charset=utf-8"}


@pytest.mark.parametrize(("path", "kind"), FILES.items())
def test_our_files_are_served_and_kept(site: Site, path: str, kind: str) -> None:
    response = ask(site, path)
    assert (response.status, response.header("Content-Type")) == (200, kind)
    assert response.header("X-Content-Type-Options") == "nosniff"
    assert response.header("Cache-Control") == "public, max-age=3600"
    assert response.header("Access-Control-Allow-Origin") == "*"
    assert b"linkback" in response.body
    assert ask(site, path, method="HEAD").header("ETag") == response.header("ETag")


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize(
    ("known", "status"),
    [("{}", 304), ("W/{}", 304), ('"x", {}', 304), ("*", 304), ('"x"', 200), ("", 200), ("x{}", 200)],
)
def test_a_browser_that_has_a_file_is_told_so(site: Site, path: str, known: str, status: int) -> None:
    tag = ask(site, path).header("ETag")
    response = ask(site, path, "", ("If-None-Match", known.format(tag)))
    assert (response.status, response.header("ETag")) == (status, tag)
    assert bool(response.body) == (status == 200)


@pytest.mark.parametrize("path", [*FILES, "/thread"])
def test_nothing_else_is_done_with_them(site: Site, path: str) -> None:
    response = ask(site, path, method="POST")
    assert (response.status, response.header("Allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/linkback.py", "/static/linkback.js", "/../app.py", "/linkback.js/", "/thread.html"])
def test_no_other_file_is_served(site: Site, path: str) -> None:
    assert ask(site, path).status == 404


def test_an_answer_is_told_by_its_author_and_in_its_own_words() -> None:
    """And not by the line over it, which says what the thread says itself."""
    answer = (
        "<title>Zoe in reply to Hello</title><article class=h-entry><p><a class='p-author h-card' href='/'>Zoe</a>"
        f"<span>in reply to</span><a class=u-in-reply-to href='{T}'>Hello</a></p>"
        "<div class=e-content><p>I agree.</p><p>Fully.</p></div></article>"
    )
    web = FakeWeb({"https://s.example/answer": answer})
    policy = Policy(settle_seconds=0, recheck_days=0)
    with Site("https://bob.example", store="sqlite://", fetch=web, runner=External(), policy=policy) as site:
        site.receive(Claim("webmention", "https://s.example/answer", T))
        site.drain()
        [entry] = told(ask(site, "/thread", AT_T))["entries"]
        assert (entry["text"], entry["excerpt"]) == ("Zoe replied", "I agree. Fully.")
        assert "I agree. Fully." in render.thread(site.mentions(T))
