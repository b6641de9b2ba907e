"""What a stranger's page says does no harm where it is shown (security.md F1 to F3, F6 to F8), in any field, in every
place but Django's admin and a browser, which have files of their own."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import feedparser
import html5lib  # type: ignore[import-untyped]
import pytest
from flask import Flask, render_template_string

from linkback import explain
from linkback.adapters.asyncsite import AsyncSite
from linkback.adapters.flask import Linkback
from linkback.adapters.pelican import Build
from linkback.errors import Refused
from linkback.jobs import External
from linkback.model import Author, Claim, Mention, Outcome
from linkback.policy import Policy
from linkback.protocols.trackback import TrackBack
from linkback.site import Site
from linkback.testing import FakeWeb
from linkback.web import render, shapes
from linkback.web.app import App
from linkback.wire import Request, Response
from tests.commands import Ran
from tests.display import FIELDS, PAYLOADS
from tests.hostile.displaying import HARMLESS, KINDS, STORED, every, mention_with, outline, unfit
from tests.threads import T

HOME = "https://bob.example/"
BASE = "https://bob.example/linkback"
FORM = (("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),)


class Stored(Site):
    """A site whose mentions are given, whatever the store would let in."""

    shown: Sequence[Mention] = ()

    def mentions(self, *arguments: Any, **options: Any) -> list[Mention]:
        return list(self.shown)


@contextlib.contextmanager
def showing(mentions: Sequence[Mention]) -> Iterator[Stored]:
    with Stored(HOME, store="sqlite://", fetch=FakeWeb(), runner=External()) as site:
        site.shown = mentions
        yield site


# the markup


def drawn(mention: Mention, **options: Any) -> tuple[Any, ...]:
    return outline(str(render.thread([mention], **options)))


@pytest.mark.parametrize("photos", [False, True], ids=["", "photos"])
@pytest.mark.parametrize("facepile", [False, True], ids=["listed", "faces"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", STORED)
def test_no_word_adds_to_the_markup_of_a_thread(field: str, kind: str, facepile: bool, photos: bool) -> None:
    options = {"facepile": facepile, "photos": photos}
    allowed = {drawn(mention_with(field, value, kind=kind), **options) for value in HARMLESS}
    for payload in PAYLOADS:
        assert drawn(mention_with(field, payload, kind=kind), **options) in allowed, ascii(payload[:80])


def spoken(page: Any) -> list[str]:
    """The names and the paragraphs on a page."""
    return ["".join(element.itertext()) for name in ("bdi", "p") for element in page.iter(name)]


def test_a_thread_of_all_of_them_says_nothing_that_cannot_be_seen() -> None:
    mentions = [mention_with(field, value, kind=kind, minute=at) for at, (field, kind, value) in enumerate(every())]
    page = html5lib.parse(str(render.thread(mentions, photos=True)), namespaceHTMLElements=False)
    words = spoken(page)
    assert len(words) > len(mentions)
    assert [ascii(each[:80]) for each in words if unfit(each)] == []
    assert max(map(len, words)) <= 501


def test_no_place_of_a_picture_is_asked_unless_pictures_are_wanted() -> None:
    mentions = [mention_with(field, value, kind=kind) for field, kind, value in every()]
    for facepile in (True, False):
        assert "<img" not in render.thread(mentions, facepile=facepile)


def by_flask(site: Stored) -> str:
    app = Flask("blog")
    app.add_url_rule("/post", "post", lambda: render_template_string("{{ linkback_thread() }}"))
    Linkback(app, site=site)
    return app.test_client().get("/post").text


def by_fastapi(site: Stored) -> str:
    return str(asyncio.run(AsyncSite(site).thread(T)))


def by_pelican(site: Stored) -> str:
    build = Build({"SITEURL": HOME.rstrip("/"), "LINKBACK_DATABASE": "sqlite://"})
    build._site = site
    return str(build.thread("post"))


@pytest.mark.parametrize("framework", [by_flask, by_fastapi, by_pelican])
def test_every_framework_shows_what_the_library_draws(framework: Callable[[Stored], str]) -> None:
    mentions = [mention_with(field, value, kind=kind, minute=at) for at, (field, kind, value) in enumerate(every())]
    with showing(mentions) as site:
        # a framework may stand its signposts beside it
        assert str(render.thread(mentions)).encode("utf-8", "replace").decode() in framework(site)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("https://р\u0430ypal.example/", "xn--ypal-43d9g.example"),
        ("https://xn--80ak6aa92e.com/", "xn--80ak6aa92e.com"),
        ("https://пример.рф/", "xn--e1afmkfd.xn--p1ai"),
        ("https://ｐaypal.example/", "paypal.example"),
    ],
)
def test_no_host_is_shown_in_letters_that_pass_for_others(source: str, shown: str) -> None:
    """Also where the page is titled with its address."""
    for title in ("", source):
        page = render.thread([replace(mention_with("title", title), source=source, author=Author())])
        assert f'<bdi class="p-name">{shown}</bdi>' in page
        assert page.isascii()


LIMITS = [("title", 250), ("author_name", 100), ("excerpt", 500)]


@pytest.mark.parametrize(("field", "limit"), LIMITS)
@pytest.mark.parametrize("letter", ["x", "é", "😀"], ids=ascii)
def test_words_are_cut_one_past_the_limit(field: str, limit: int, letter: str) -> None:
    for length, shown in ((limit, letter * limit), (limit + 1, letter * limit + "…")):
        page = str(render.thread([mention_with(field, letter * length)]))
        assert shown in spoken(html5lib.parse(page, namespaceHTMLElements=False))


# the real way in: a page of a stranger, its form


def source_page(payload: str, form: str) -> Response:
    """A page whose microformats say it, as text, or as it is where it may break the page."""
    word = html.escape(payload) if form == "escaped" else payload
    body = (
        f"<!doctype html><title>x</title><article class='h-entry'><a href='{T}'>before</a>"
        f'<h1 class="p-name">{word}</h1><a class="p-author h-card" href="{word}"><img class="u-photo" src="{word}" '
        f'alt="">{word}</a><time class="dt-published" datetime="{word}">{word}</time>'
        f'<div class="e-content">{word} <a class="u-in-reply-to" href="{T}">{word}</a></div></article>'
    )
    return Response(200, (("Content-Type", "text/html; charset=utf-8"),), body.encode("utf-8", "replace"))


def receiving(web: FakeWeb, store: str = "sqlite://") -> Site:
    policy = Policy(settle_seconds=0, recheck_days=0)
    protocols = [
        *(each for each in Site(HOME, store="sqlite://").protocols if each.name != "trackback"),
        TrackBack(rss=True),
    ]
    return Site(HOME, store=store, fetch=web, runner=External(), policy=policy, protocols=protocols)


def posted(app: App, path: str, **form: str) -> Response:
    body = urlencode(form, errors="replace").encode()
    return app.handle(Request("POST", f"{BASE}{path}", FORM, body), path.partition("?")[0])


@pytest.mark.parametrize("form", ["escaped", "raw"])
def test_what_a_page_says_is_kept_as_text_and_shown_as_such(form: str) -> None:
    pages = {f"https://s{number}.example/": source_page(word, form) for number, word in enumerate(PAYLOADS)}
    with receiving(FakeWeb(pages)) as site:
        app = App(site, base=BASE)
        for source in pages:
            assert posted(app, "/webmention", source=source, target=T).status == 201
        site.drain()
        mentions = site.mentions(T)
        assert len(mentions) == len(pages)
        for each in mentions:
            assert_kept_well(each)
        assert_shown_well(site)


def test_what_a_form_says_is_kept_as_text_and_shown_as_such() -> None:
    page = f"<title>A page</title><p>As <a href='{T}'>Bob</a> says."
    # a body of more than 256 KiB is refused
    sources = {f"https://s{number}.example/": payload[:50_000] for number, payload in enumerate(PAYLOADS)}
    with receiving(FakeWeb(dict.fromkeys(sources, page))) as site:
        app = App(site, base=BASE)
        for source, word in sources.items():
            target = urlencode({"target": T})
            told = posted(app, f"/trackback?{target}", url=source, title=word, excerpt=word, blog_name=word)
            assert b"<error>0</error>" in told.body
        site.drain()
        mentions = site.mentions(T)
        assert len(mentions) == len(sources)
        for each in mentions:
            assert_kept_well(each, most_author=250)
        assert_shown_well(site)


@pytest.mark.parametrize("protocol", ["webmention", "pingback", "trackback"])
def test_a_source_is_an_address_on_the_web_or_none(protocol: str) -> None:
    """Whatever its host, the page links, so nothing but the address is judged."""

    class Everywhere(FakeWeb):
        def _answer(self, request: Request) -> Response:
            return source_page("Harmless", "escaped")

    with receiving(Everywhere()) as site:
        for payload in PAYLOADS:
            with contextlib.suppress(Refused):
                site.receive(Claim(protocol, payload, T))
        site.drain()
        mentions = site.mentions(T)
        assert 3 <= len(mentions) <= 6
        for each in mentions:
            assert_kept_well(each)
        assert_shown_well(site)


def assert_kept_well(each: Mention, *, most_author: int = 100) -> None:
    author = each.author
    words = ((each.title, 250), (each.excerpt, 500), (author.name, most_author))
    assert [text for text, most in words if unfit(text) or "\n" in text or len(text) > most + 1] == []
    assert [url for url in (author.url, author.photo) if url and not url.startswith(("http://", "https://"))] == []
    assert all(url.isascii() for url in (author.url, author.photo))
    assert each.source.startswith(("http://", "https://"))


def assert_shown_well(site: Site) -> None:
    """Each mention looks like one of somebody harmless, who gives some of it and leaves out the rest."""
    given = product(("Harmless", ""), ("Harm Less", ""), HARMLESS[1:], ("harmless", ""), KINDS)
    allowed = {
        drawn(replace(mention_with("title", title, kind=kind), author=Author(name, url), excerpt=excerpt))
        for title, name, url, excerpt, kind in given
    }
    for each in site.mentions(T):
        assert drawn(replace(each, protocols=("webmention",))) in allowed, ascii(each)[:300]


# JSON, feeds, headers


def answered(site: Site, path: str, query: str) -> Response:
    return App(site, base=BASE).handle(Request("GET", f"{BASE}{path}?{query}"), path)


def shape(value: Any) -> Any:
    """The structure of JSON; whether a value is there is a stranger's to choose."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return list(map(shape, value))
    return "text" if value is None or isinstance(value, str) else type(value).__name__


@pytest.mark.parametrize("path", ["/mentions", "/thread"])
@pytest.mark.parametrize("field", STORED)
def test_json_has_the_same_shape_and_headers_whatever_it_says(path: str, field: str) -> None:
    query = urlencode({"target": T})
    with showing([]) as site:

        def told(value: str, kind: str) -> tuple[Any, list[tuple[str, str]], Any]:
            site.shown = [mention_with(field, value, kind=kind)]
            answer = answered(site, path, query)
            body = json.loads(answer.body)
            return shape(body), list(answer.headers), body

        for kind in KINDS:
            harmless, headers, _ = told("Harmless", kind)
            assert ("X-Content-Type-Options", "nosniff") in headers
            assert ("Content-Type", "application/json; charset=utf-8") in headers
            for payload in PAYLOADS:
                found, sent, body = told(payload, kind)
                assert (found, sent) == (harmless, headers), ascii(payload[:80])
                assert_links(body)


def assert_links(value: Any, name: str = "") -> None:
    """What a script makes a link or a picture of leads to the web."""
    for key, each in value.items() if isinstance(value, dict) else ():
        assert_links(each, key)
    for each in value if isinstance(value, list) else ():
        assert_links(each, name)
    if name in ("url", "photo") and value is not None:
        assert value.startswith(("http://", "https://")), value
        assert value.isascii()


def test_the_words_of_a_thread_in_json_are_fit_to_be_shown() -> None:
    mentions = [mention_with(field, value, kind=kind, minute=at) for at, (field, kind, value) in enumerate(every())]
    thread = shapes.thread_to_json(T, render.context(mentions)["thread"])

    def words(value: Any) -> Iterator[str]:
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from words(each)
        if isinstance(value, str):
            yield value

    # what stands around a name keeps its blanks
    assert [ascii(each) for each in words(thread) if unfit(each.strip())] == []


@pytest.mark.parametrize("field", STORED)
def test_a_feed_is_xml_with_the_same_elements_whatever_it_says(field: str) -> None:
    def items(value: str) -> tuple[Any, list[Any]]:
        request = Request("GET", f"{BASE}/trackback?__mode=rss")
        answer = TrackBack(rss=True).write_mentions(T, [mention_with(field, value)], request)
        text = answer.body.decode()
        # the format wraps its feed
        read = feedparser.parse(text[text.index("<rss") : text.index("</rss>") + 6])
        assert not read.bozo, read.get("bozo_exception")
        return shape_of_xml(text), [sorted(entry) for entry in read.entries]

    harmless = items("Harmless")
    nothing = items("")
    for payload in PAYLOADS:
        assert items(payload) in (harmless, nothing), ascii(payload[:80])


def shape_of_xml(text: str) -> Any:
    from xml.etree import ElementTree

    def structure(element: Any) -> Any:
        return element.tag, sorted(element.attrib), [structure(each) for each in element]

    return structure(ElementTree.fromstring(text))


#: what an answer may say of itself; how much and when to come again is not a stranger's to choose
HEADERS = {
    "Content-Type",
    "Vary",
    "Location",
    "Retry-After",
    "X-Content-Type-Options",
    "Content-Security-Policy",
    "Linkback",
}


@pytest.mark.parametrize("field", FIELDS)
def test_no_header_of_an_answer_comes_of_what_was_sent(field: str) -> None:
    names = {"author_name": "name", "author_url": "url", "author_photo": "photo"}
    with receiving(FakeWeb()) as site:
        app = App(site, base=BASE)
        for path in ("/webmention", f"/trackback?{urlencode({'target': T})}"):
            for payload in PAYLOADS:
                form = {"source": "https://s.example/", "url": "https://s.example/", "target": T}
                form |= {names.get(field, field): payload} | ({"url": payload} if field == "source" else {})
                headers = posted(app, path, **form).headers
                assert {name for name, _ in headers} <= HEADERS
                assert all(value.isprintable() and value.isascii() for _, value in headers)
                assert dict(headers).get("Location", BASE).startswith(BASE)


# the command line, and what is logged


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A database with a mention for each payload, in all that can hold it, as another program may have put it."""
    url = f"sqlite:///{tmp_path}/hostile.db"
    pages = {f"https://s{number}.example/": source_page("Harmless", "escaped") for number in range(len(PAYLOADS))}
    with receiving(FakeWeb(pages), url) as site:
        for source in pages:
            site.receive(Claim("webmention", source, T))
        site.drain()
        assert len(site.mentions(T)) == len(PAYLOADS)
    with contextlib.closing(sqlite3.connect(tmp_path / "hostile.db")) as db:
        columns = ", ".join(f"{column} = ?" for column in STORED)
        for number, payload in enumerate(PAYLOADS, start=1):
            word = payload.encode("utf-8", "replace").decode()
            db.execute(f"UPDATE linkback_mentions SET {columns} WHERE id = ?", [*[word] * len(STORED), number])
        db.commit()
    return url


def test_the_command_line_shows_rows_of_plain_text(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    listed = Ran(capsys, "list", "--database", database)
    assert listed.code == 0
    assert unfit(listed.out) == ""
    # each row begins with its id, and no stranger begins one
    ids = [line.split()[0] for line in listed.out.splitlines() if line[2:3].isdigit() and " approved " in line[:20]]
    assert ids == [str(number) for number in range(1, len(PAYLOADS) + 1)]
    assert "р\u0430ypal" not in listed.out.replace("https://р\u0430ypal.example/", "", 1)
    moderated = Ran(capsys, "moderate", "approved", *ids, "--database", database)
    assert len(moderated.out.splitlines()) == len(ids)
    assert unfit(moderated.out) == ""


def test_json_of_the_command_line_is_one_object_a_line(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is data: every character is kept, escaped."""
    listed = Ran(capsys, "list", "--json", "--database", database)
    assert listed.out.isascii()
    assert unfit(listed.out) == ""
    rows = listed.rows
    assert len({json.dumps(shape(row)) for row in rows}) == 1
    assert [row["title"] for row in rows] == [
        word.encode("utf-8", "replace").decode().replace("\0", "") if "\0" not in word else row["title"]
        for word, row in zip(PAYLOADS, rows, strict=True)
    ]
    for row in rows:
        assert_links(row)


def test_a_thread_from_the_command_line_is_the_librarys(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Ran(capsys, "render", "--target", T, "--database", database)
    tags = {element.tag for element in html5lib.parse(shown.out, namespaceHTMLElements=False).iter()}
    assert tags <= {
        *("html", "head", "body", "section", "h2", "h3", "ul", "ol", "li"),
        *("div", "strong", "span", "bdi"),
    } | {
        *("a", "p", "time"),
    }


@pytest.mark.parametrize("form", ["escaped", "raw"])
def test_what_is_explained_is_plain_text(form: str) -> None:
    for payload in PAYLOADS:
        page = source_page(payload, form)
        signposts = f"<link rel=webmention href='{html.escape(payload)}'><link rel=pingback href='/pb'>"
        web = FakeWeb({"https://s.example/": page, T: signposts.encode("utf-8", "replace").decode()})
        steps = explain.steps(web, "https://s.example/", T)
        assert len(steps) == 6
        for step in steps:
            lines = list(explain.lines(step))
            assert [ascii(line) for line in lines if unfit(line) or "\n" in line] == []
            assert json.dumps(explain.to_json(step)).isascii()


def test_what_is_logged_is_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    """By whatever handler: everything that happens to a hostile source, its page and its answers."""
    caplog.set_level(logging.DEBUG, "linkback")
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    web = FakeWeb()
    for number, payload in enumerate(PAYLOADS):
        web.pages[f"https://s{number}.example/"] = source_page(payload, "escaped")
        web.pages[f"https://e{number}.example/"] = ValueError(payload)
        web.pages[f"https://t{number}.example/"] = f"<link rel=webmention href='/wm{number}'>"
        body = payload.encode("utf-8", "replace")
        web.pages[f"https://t{number}.example/wm{number}"] = Response(400, (("Content-Type", "text/plain"),), body)
    with receiving(web) as site:
        app = App(site, base=BASE)
        for number, payload in enumerate(PAYLOADS):
            for source in (payload, f"https://s{number}.example/?{payload}", f"https://e{number}.example/"):
                posted(app, "/webmention", source=source, target=T)
                posted(app, "/webmention", source=T, target=source)
        links = "".join(f"<a href='https://t{number}.example/'>x</a>" for number in range(len(PAYLOADS)))
        site.publish(f"{HOME}news", links)
        site.drain()
        assert {each.outcome for each in site.deliveries()} == {Outcome.REFUSED}
    assert len(caplog.records) > 2 * len(PAYLOADS)
    for record in caplog.records:
        first, *trace = formatter.format(record).split("\n")
        assert first.isprintable(), ascii(first)
        assert all(line.startswith("    ") and line.isprintable() for line in trace)
        assert len(record.getMessage().encode()) < 4096
