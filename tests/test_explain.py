"""Both sides of a claim, step by step: what is found, what is told of it, and that nothing is sent."""

from __future__ import annotations

import json

import pytest

from linkback import explain
from linkback.errors import Blocked, Refused, TooManyRedirects
from linkback.explain import Conclusion, Step, Verdict
from linkback.testing import Answering, FakeWeb, unreachable
from linkback.wire import Request, Response

SOURCE = "https://alice.example/note"
TARGET = "https://bob.example/post"
NOTE = (
    "<title>A note</title><div class=h-entry><p class=e-content>On <a class='u-in-reply-to' rel=nofollow "
    f"href='{TARGET}'>Bob's post</a>.</p><a class='p-author h-card' href='/me'>Alice</a>"
    "<time class=dt-published datetime='2024-05-06T07:08:09+00:00'></time></div>"
)
LISTENING = "<link rel=webmention href='/wm'><link rel=pingback href='/pb'>"
DEAF = "<p>post</p>"


def html(body: str | bytes, content_type: str = "text/html", **more: bool) -> Response:
    content = body if isinstance(body, bytes) else body.encode()
    return Response(200, (("Content-Type", content_type),), content, truncated=more.get("truncated", False))


def explained(source: Answering, target: Answering) -> dict[str, Step]:
    web = FakeWeb({SOURCE: source, TARGET: target})
    steps = explain.steps(web, SOURCE, TARGET)
    assert web.posts == []
    return {step.name: step for step in steps}


def test_every_step_is_told_with_its_evidence() -> None:
    """Of a claim that would be taken, with what would be sent."""
    moved = FakeWeb(
        {
            SOURCE: Response(301, (("Location", "/notes/1"),)),
            "https://alice.example/notes/1": html(NOTE, "text/html; charset=utf-8"),
            TARGET: html("<link rel=webmention href='mailto:x@y.example'>" + LISTENING),
        }
    )
    steps = explain.steps(moved, SOURCE, TARGET)
    assert moved.requested == [SOURCE, "https://alice.example/notes/1", TARGET]
    assert [(step.name, step.verdict.value) for step in steps] == [
        ("source", "yes"),
        ("link", "yes"),
        ("description", "yes"),
        ("target", "yes"),
        ("endpoints", "yes"),
        ("ping", "yes"),
    ]
    source, link, description, target, endpoints, ping = (step.facts for step in steps)
    assert source == {
        "status": 200,
        "redirects": (SOURCE,),
        "final_url": "https://alice.example/notes/1",
        "content_type": "text/html; charset=utf-8",
        "charset": "utf-8 (Content-Type)",
        "bytes": len(NOTE),
        "truncated": False,
    }
    assert link == {
        "element": "a",
        "attribute": "href",
        "href": TARGET,
        "rels": ("nofollow",),
        "properties": ("in-reply-to",),
        "text": "Bob's post",
        "counts_for": ("webmention", "pingback", "trackback"),
    }
    assert description == {
        "kind": "reply",
        "title": "A note",
        "author": "Alice",
        "author_url": "https://alice.example/me",
        "excerpt": "On Bob's post.",
        "published": "2024-05-06T07:08:09+00:00",
    }
    assert (target["final_url"], target["charset"]) == (TARGET, "utf-8 (by its bytes)")
    assert endpoints == {
        "found": ("webmention https://bob.example/wm (link)", "pingback https://bob.example/pb (link)"),
        "rejected": ("webmention mailto:x@y.example (link): it is no http or https URL",),
    }
    assert (ping["protocol"], ping["method"], ping["url"]) == ("webmention", "POST", "https://bob.example/wm")
    assert ping["body"] == "source=https%3A%2F%2Falice.example%2Fnote&target=https%3A%2F%2Fbob.example%2Fpost"
    assert "Content-Type: application/x-www-form-urlencoded" in str(ping["headers"])
    assert ping["instead"] == ("pingback",)
    assert explain.conclude(steps) is Conclusion.READY


@pytest.mark.parametrize(
    ("source", "target", "conclusion"),
    [
        (NOTE, LISTENING, Conclusion.READY),
        ("<p>nothing", LISTENING, Conclusion.NOT_LINKED),
        ("<p>nothing", unreachable(TARGET), Conclusion.NOT_LINKED),
        ("<meta http-equiv=status content='410 Gone'>" + NOTE, LISTENING, Conclusion.NOT_LINKED),
        (Response(404), LISTENING, Conclusion.NOT_LINKED),
        (Response(204), LISTENING, Conclusion.NOT_LINKED),
        (Response(403), LISTENING, Conclusion.NOT_LINKED),
        (Blocked(SOURCE, "not a public address"), LISTENING, Conclusion.NOT_LINKED),
        (NOTE, DEAF, Conclusion.NO_ENDPOINT),
        (NOTE, Response(404), Conclusion.NO_ENDPOINT),
        (NOTE, Blocked(TARGET, "not a public address"), Conclusion.NO_ENDPOINT),
        (Response(503), LISTENING, Conclusion.TEMPORARY),
        (unreachable(SOURCE), DEAF, Conclusion.TEMPORARY),
        (NOTE, Response(503), Conclusion.TEMPORARY),
        (NOTE, unreachable(TARGET), Conclusion.TEMPORARY),
        (TooManyRedirects(SOURCE, "more than 5 redirects"), LISTENING, Conclusion.TEMPORARY),
    ],
)
def test_the_steps_add_up_to_one_conclusion(source: Answering, target: Answering, conclusion: Conclusion) -> None:
    steps = list(explained(source, target).values())
    assert len(steps) == 6
    assert explain.conclude(steps) is conclusion


def test_a_page_that_could_not_be_had_shows_what_came_instead() -> None:
    steps = explained(Response(503, (("Content-Type", "text/plain"),), b"soon"), unreachable(TARGET))
    assert (steps["source"].verdict, steps["source"].summary) == (Verdict.LATER, "the server answered 503")
    assert (steps["source"].facts["status"], steps["source"].facts["bytes"]) == (503, 4)
    assert (steps["target"].summary, steps["target"].facts) == ("connection refused", {})
    assert {name for name, step in steps.items() if step.verdict is Verdict.SKIPPED} == {
        "link",
        "description",
        "endpoints",
        "ping",
    }


def test_a_page_that_does_not_link_is_told_with_its_near_misses() -> None:
    link = explained(f"<!-- {TARGET} --><a href='{TARGET}/'>b</a>", LISTENING)["link"]
    assert (link.verdict, link.facts["reason"]) == (Verdict.NO, "no-backlink")
    misses = link.facts["near_misses"]
    assert isinstance(misses, tuple)
    assert [miss.split()[0] for miss in misses] == ["comment", "<a"]
    assert misses[1] == f"<a href> {TARGET}/: a trailing slash differs"


def test_an_image_counts_for_webmention_alone() -> None:
    assert explained(f"<img src='{TARGET}'>", LISTENING)["link"].facts["counts_for"] == ("webmention",)


def test_a_page_cut_short_is_told_as_such() -> None:
    steps = explained(html("<p>long", truncated=True), html("<p>long", truncated=True))
    assert steps["link"].facts["reason"] == "truncated"
    assert steps["source"].facts["truncated"] is True
    assert "in the part that was read" in steps["endpoints"].summary


@pytest.mark.parametrize(
    ("response", "charset"),
    [
        (html(b"\xef\xbb\xbfhi", "text/html; charset=latin1"), "utf-8 (byte order mark)"),
        (html("caf\u00e9".encode("cp1252"), "text/html; charset=latin1"), "cp1252 (Content-Type)"),
        (html("<meta charset=koi8-r>\u0434\u0430".encode("koi8-r")), "koi8-r (declared in the page)"),
        (html("<meta charset=nonsense>hi"), "utf-8 (by its bytes)"),
        (html("caf\u00e9", "text/html; charset=nonsense"), "utf-8 (by its bytes)"),
        (html("caf\u00e9".encode("cp1252")), "cp1252 (by its bytes)"),
        (
            html("<?xml version='1.0' encoding='koi8-r'?><p>\u0434\u0430</p>".encode("koi8-r")),
            "as the page declares",
        ),
        (html(""), ""),
        (html("GIF89a", "image/gif"), ""),
    ],
)
def test_the_charset_is_told_with_who_named_it(response: Response, charset: str) -> None:
    assert explained(response, DEAF)["source"].facts["charset"] == charset


def test_a_pingback_is_written_out() -> None:
    ping = explained(NOTE, "<link rel=pingback href='/pb'>")["ping"]
    assert (ping.facts["protocol"], ping.facts["url"], ping.facts["instead"]) == (
        "pingback",
        "https://bob.example/pb",
        (),
    )
    assert "<methodName>pingback.ping</methodName>" in str(ping.facts["body"])


RDF = (
    "<!-- <rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' "
    "xmlns:dc='http://purl.org/dc/elements/1.1/' "
    "xmlns:trackback='http://madskills.com/public/xml/rss/module/trackback/'>"
    f"<rdf:Description rdf:about='{TARGET}' dc:identifier='{TARGET}' trackback:ping='https://bob.example/tb/1'/>"
    "</rdf:RDF> -->"
)


def test_a_trackback_is_written_out_in_the_words_of_its_source() -> None:
    """Which it does without, where the source cannot be read."""
    steps = explained(NOTE, RDF)
    assert steps["ping"].facts["url"] == "https://bob.example/tb/1"
    assert "title=A+note" in str(steps["ping"].facts["body"])
    bare = explained(unreachable(SOURCE), RDF)["ping"]
    assert (bare.verdict, "title=A+note" in str(bare.facts["body"])) == (Verdict.YES, False)
    assert "url=https%3A%2F%2Falice.example%2Fnote" in str(bare.facts["body"])


@pytest.mark.parametrize(("source", "target"), [("ftp://a.example/", TARGET), (SOURCE, "bob")])
def test_what_is_no_url_is_refused_before_anything_is_fetched(source: str, target: str) -> None:
    web = FakeWeb()
    with pytest.raises(Refused):
        explain.steps(web, source, target)
    assert web.requests == []


def test_nothing_can_be_sent_to_explain() -> None:
    """The fetch that the steps are watched with refuses, whoever should ask it."""
    web = FakeWeb()
    with pytest.raises(Blocked, match="nothing is sent"):
        explain._Watched(web).send(Request("POST", TARGET))
    assert web.requests == []


@pytest.mark.parametrize("name", ["due", "content_type", "oldest_seconds"])
def test_a_fact_stands_apart_from_its_name(name: str) -> None:
    [_, line] = explain.lines(Step("worker", Verdict.YES, "fine", {name: 2}))
    assert line.split() == [*f"{name.replace('_', ' ')}:".split(), "2"]


def test_a_step_is_plain_text_and_leaves_out_what_is_empty() -> None:
    facts: dict[str, explain.Fact] = {"final_url": "x\x1b[31m\ny", "list": ("a", "b"), "none": (), "empty": ""}
    step = Step("link", Verdict.NO, "no\x07", {**facts, "truncated": False, "late": True, "bytes": 0})
    lines = list(explain.lines(step))
    assert all(line.isprintable() for line in lines)
    assert [line.split() for line in lines[2:]] == [
        ["list:", "a"],
        ["list:", "b"],
        ["truncated:", "no"],
        ["late:", "yes"],
        ["bytes:", "0"],
    ]
    assert (lines[0].startswith("link: no, no"), lines[1].startswith("  final url:")) == (True, True)


def test_a_step_can_be_json() -> None:
    step = Step("link", Verdict.NO, "no link", {"near_misses": ("a",), "truncated": False})
    assert json.loads(json.dumps(explain.to_json(step))) == {
        "step": "link",
        "verdict": "no",
        "summary": "no link",
        "facts": {"near_misses": ["a"], "truncated": False},
    }
