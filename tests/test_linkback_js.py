"""linkback.js in a browser: the thread on a static page, from an API on another origin."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from linkback.adapters.wsgi import endpoints
from linkback.jobs import External
from linkback.model import Mention
from linkback.site import Site
from linkback.web import render
from tests.browsers import browser, opened, tree
from tests.serving import served
from tests.threads import HOSTILE, VARIED, T, mention

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["browser"]

SCRIPT = Path(render.__file__).parent / "static" / "linkback.js"
#: what a careful static site sends: nothing inline, and only the two origins that it names
STRICT = "default-src 'none'; script-src {api}; style-src {api}; connect-src {api}"


class Stored(Site):
    """A site whose mentions are given, whatever the store would let in."""

    shown: Sequence[Mention] = ()

    def mentions(self, *arguments: Any, **options: Any) -> list[Mention]:
        return list(self.shown)


@contextlib.contextmanager
def api(mentions: Sequence[Mention]) -> Iterator[str]:
    """The endpoints on a port of their own; gives their URL."""
    with Stored("https://bob.example/", store="sqlite://", runner=External()) as site:
        site.shown = mentions
        with served(endpoints(site)) as url:
            yield url


@contextlib.contextmanager
def answering(status: str, body: str) -> Iterator[str]:
    """Endpoints that answer so when they are asked for a thread; gives their URL."""
    with Site("https://bob.example/", store="sqlite://", runner=External()) as site:
        own = endpoints(site)

        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"] != "/thread":
                return own(environ, start_response)
            start_response(status, [("Content-Type", "application/json"), ("Access-Control-Allow-Origin", "*")])
            return [body.encode()]

        with served(application) as url:
            yield url


def blog(html: str, headers: Mapping[str, str]) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), *headers.items()])
        return [html.encode("utf-8", "replace")]

    return application


class Seen:
    """What a page did while it was looked at."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.warnings: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.warnings.append(message.text) if message.type == "warning" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: Dialog) -> None:
        self.errors.append("a dialog opened")
        dialog.dismiss()


@contextlib.contextmanager
def read(browser: Browser, html: str, policy: str = "", *, path: str = "/") -> Iterator[tuple[Page, Seen]]:
    """A page of that markup once a browser has loaded it and it is quiet."""
    headers = {"Content-Security-Policy": policy} if policy else {}
    with served(blog(html, headers)) as url, opened(browser) as page:
        seen = Seen(page)
        page.goto(url + path, wait_until="networkidle")
        yield page, seen


def static_page(at: str, attributes: str = "", *, inside: str = "", lang: str = "en", target: str = T) -> str:
    return (
        f'<!doctype html><html lang="{lang}"><meta charset="utf-8"><title>A post</title>'
        f'<link rel="stylesheet" href="{at}/thread.css"><link rel="canonical" href="{T}"><h1>A post</h1>'
        f'<div id="here" data-linkback-thread="{target}" {attributes}>{inside}</div>'
        f'<script src="{at}/linkback.js" defer></script>'
    )


def by_the_server(browser: Browser, mentions: Sequence[Mention], **options: Any) -> object:
    with opened(browser) as page:
        # photos are compared, not loaded
        page.route("**", lambda route: route.abort())
        page.set_content(str(render.thread(mentions, **options)), wait_until="domcontentloaded")
        drawn = tree(page, ".linkback-thread")
        assert drawn
        return drawn


@pytest.mark.parametrize(
    ("mentions", "photos", "language"),
    [
        pytest.param(VARIED, False, "en", id="varied"),
        pytest.param(VARIED, True, "es", id="varied-photos-es"),
        pytest.param(VARIED, False, "fr", id="varied-fr"),
        pytest.param(HOSTILE, False, "ja", id="hostile-ja"),
        pytest.param(HOSTILE, True, "de", id="hostile-photos-de"),
    ],
)
def test_the_script_draws_what_the_server_draws(
    browser: Browser, mentions: list[Mention], photos: bool, language: str
) -> None:
    expected = by_the_server(browser, mentions, photos=photos, language=language)
    with (
        api(mentions) as at,
        read(browser, static_page(at, "data-photos" if photos else "", lang=language)) as (page, seen),
    ):
        assert tree(page, "#here > .linkback-thread") == expected
        assert (seen.errors, seen.warnings) == ([], [])


def test_an_english_thread_reads_from_the_left_on_a_page_that_reads_from_the_right(browser: Browser) -> None:
    """Each excerpt goes its own way, whatever stands around it."""
    mentions = [mention(1, "A", excerpt="English."), mention(2, "B", excerpt="عربي then English.")]
    drawn = render.thread(mentions)
    with api(mentions) as at:
        page = static_page(at, inside=drawn, lang="ar").replace("<html", '<html dir="rtl"')
        scriptless = page.replace("<script", "<template").replace("</script>", "</template>")
        for html in (page, scriptless):
            with read(browser, html) as (seen, _):
                ways = "each => each.map(one => [one.lang, getComputedStyle(one).direction])"
                assert seen.locator(".linkback-thread").evaluate_all(ways) == [["en", "ltr"]]
                assert [way for _, way in seen.locator(".linkback-excerpt").evaluate_all(ways)] == ["ltr", "rtl"]
                assert seen.evaluate("getComputedStyle(document.querySelector('h1')).direction") == "rtl"


def test_a_stranger_runs_no_script_and_is_not_called(browser: Browser) -> None:
    with api(HOSTILE) as at, read(browser, static_page(at)) as (page, seen):
        expect(page.locator(".linkback-thread h2")).to_have_text(f"{len(HOSTILE)} comments")
        assert seen.errors == []
        assert all(request.startswith((at, page.url)) for request in seen.requests)
        inside = page.locator("#here")
        assert inside.locator("script, iframe, img, svg, math, style, form, object").count() == 0
        links = inside.locator("a").evaluate_all("found => found.map(each => each.protocol)")
        assert set(links) <= {"http:", "https:"}
        handlers = inside.locator("*").evaluate_all(
            "found => found.flatMap(each => each.getAttributeNames()).filter(name => /^on|^style$|srcdoc/.test(name))"
        )
        assert handlers == []


def test_the_script_trusts_no_api_with_an_address(browser: Browser) -> None:
    words = dict.fromkeys(("after", "excerpt", "title", "time", "shown_time"), "")
    author = {"name": "A", "url": "javascript:alert(2)", "photo": "data:image/png;base64,AA=="}
    entry = {**words, "id": "m-1", "kind": "pingback", "before": "Pingback: ", "name": "N", "personal": False}
    entry |= {"url": "javascript:alert(1)", "author": author}
    thread = {"count": 1, "heading": "1", "language": "en", "dir": "ltr", "faces": [], "entries": [entry]}
    with answering("200 OK", json.dumps(thread)) as at, read(browser, static_page(at, "data-photos")) as (page, seen):
        expect(page.locator(".linkback-entry")).to_have_count(1)
        assert page.locator("#here").locator("img, a:not([href^='#'])").count() == 0
        assert (seen.errors, seen.warnings) == ([], [])


def test_it_works_under_a_strict_policy(browser: Browser) -> None:
    with api(VARIED) as at, read(browser, static_page(at), STRICT.format(api=at)) as (page, seen):
        expect(page.locator(".linkback-entry")).to_have_count(8)
        assert seen.errors == []
        assert page.locator(".linkback-faces ul").first.evaluate("each => getComputedStyle(each).display") == "flex"


@pytest.mark.parametrize(("lang", "heading"), [("de-AT", "1 Kommentar"), ("ja", "コメント1件"), ("tlh", "1 comment")])
def test_it_speaks_the_language_of_the_page(browser: Browser, lang: str, heading: str) -> None:
    with api(VARIED[:1]) as at, read(browser, static_page(at, lang=lang)) as (page, _):
        expect(page.locator(".linkback-thread h2")).to_have_text(heading)


def test_without_a_target_it_asks_about_the_canonical_url(browser: Browser) -> None:
    with api(VARIED) as at, read(browser, static_page(at, target="")) as (_, seen):
        assert [request for request in seen.requests if "/thread?" in request] == [
            f"{at}/thread?target=https%3A%2F%2Fbob.example%2Fpost&lang=en"
        ]


def test_the_api_may_be_named(browser: Browser) -> None:
    with api(VARIED[:1]) as other, api([]) as at, read(browser, static_page(at, f'data-api="{other}/"')) as (page, _):
        expect(page.locator(".linkback-thread h2")).to_have_text("1 comment")


def test_paths_are_those_of_the_page_s_own_host(browser: Browser) -> None:
    """What a template writes that does not know the address of its blog."""
    with (
        api([]) as at,
        read(browser, static_page(at, 'data-api="/linkback"', target="/a b"), path="/posts/") as (page, seen),
    ):
        own = page.url.removesuffix("/posts/")
        assert [request for request in seen.requests if "/thread?" in request] == [
            f"{own}/linkback/thread?target={quote(f'{own}/a%20b', safe='')}&lang=en"
        ]


def test_an_address_that_names_an_entry_leads_there(browser: Browser) -> None:
    many = [mention(number) for number in range(1, 60)]
    with api(many) as at, read(browser, static_page(at), path="/#mention-59") as (page, _):
        expect(page.locator("#mention-59")).to_be_in_viewport()


def test_a_fragment_from_the_build_is_replaced_by_what_is_new(browser: Browser) -> None:
    built = str(render.thread(VARIED[:1]))
    with api(VARIED[:2]) as at, read(browser, static_page(at, inside=built)) as (page, _):
        expect(page.locator(".linkback-thread")).to_have_count(1)
        expect(page.locator(".linkback-thread h2")).to_have_text("2 comments")


def test_without_mentions_nothing_is_shown(browser: Browser) -> None:
    with api([]) as at, read(browser, static_page(at, inside=str(render.thread(VARIED[:1])))) as (page, seen):
        expect(page.locator("#here")).to_be_empty()
        assert seen.warnings == []


BAD_ANSWERS = {
    "an error": ("503 Service Unavailable", '{"error": "unavailable"}'),
    "no JSON": ("200 OK", "<html>"),
    "another shape": ("200 OK", '{"count": 3}'),
    "null": ("200 OK", "null"),
}


@pytest.mark.parametrize(("status", "body"), BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_a_failure_leaves_the_page_as_it_is_and_is_told_once(browser: Browser, status: str, body: str) -> None:
    built = str(render.thread(VARIED[:1]))
    second = f'<div data-linkback-thread="{T}"></div>'
    with answering(status, body) as at, read(browser, static_page(at, inside=built) + second) as (page, seen):
        expect(page.locator(".linkback-thread h2")).to_have_text("1 comment")
        told = [warning for warning in seen.warnings if warning.startswith("linkback: the thread could not be loaded:")]
        assert (len(told), seen.errors) == (1, [])


def test_a_server_that_is_away_leaves_the_page_as_it_is(browser: Browser) -> None:
    built = str(render.thread(VARIED[:1]))
    html = '<div id="here" data-linkback-thread="{}" data-api="http://127.0.0.1:9/">{}</div><script src="{}"></script>'
    with api([]) as at, read(browser, html.format(escape(T), built, f"{at}/linkback.js")) as (page, seen):
        expect(page.locator(".linkback-thread h2")).to_have_text("1 comment")
        assert len(seen.warnings) == 1


def test_the_script_stays_small_and_writes_no_markup() -> None:
    script = SCRIPT.read_text()
    assert len(script.encode()) < 6 * 1024
    assert not any(word in script for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("))
