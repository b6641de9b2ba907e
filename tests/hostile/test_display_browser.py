"""`linkback.js` in a browser: whatever stands in whichever field, a stranger runs nothing, is not called, and adds
nothing to what is drawn (security.md F1 to F3)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from linkback.adapters.wsgi import endpoints
from linkback.jobs import External
from linkback.model import Mention
from linkback.site import Site
from tests.browsers import browser, opened
from tests.display import PAYLOADS
from tests.hostile.displaying import HARMLESS, KINDS, STORED, mention_with
from tests.serving import served
from tests.threads import T

__all__ = ["browser"]

#: nothing but the page itself and the script's own host
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A post</title>
<div id="here" data-linkback-thread="{page}" data-api="/" {attributes}></div>
<script src="/linkback.js" defer></script>"""
#: of each entry and face its elements, with the names of their attributes and where these lead
_OUTLINE = """() => [...document.querySelectorAll(".linkback-entry, .linkback-face")].map(entry => {
  const read = element => [element.localName, [...element.attributes].map(each => {
    const leads = ["href", "src"].includes(each.name) ? new URL(each.value, location).protocol : "";
    return each.name + " " + leads.replace("https", "http");
  }).sort().join(), [...element.children].map(read)];
  return JSON.stringify(read(entry));
})"""


class Stored(Site):
    """A site whose mentions are given, whatever the store would let in."""

    shown: Sequence[Mention] = ()

    def mentions(self, *arguments: Any, **options: Any) -> list[Mention]:
        return list(self.shown)


@contextlib.contextmanager
def blog(mentions: Sequence[Mention], attributes: str) -> Iterator[str]:
    """A page and its endpoints on one port."""
    with Stored("https://bob.example/", store="sqlite://", runner=External()) as site:
        site.shown = mentions
        own = endpoints(site)

        def application(environ: Any, start_response: Any) -> Any:
            if environ["PATH_INFO"] != "/post":
                return own(environ, start_response)
            start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
            return [_PAGE.format(page=T, attributes=attributes).encode()]

        with served(application) as url:
            yield url


def drawn(browser: Browser, mentions: Sequence[Mention], attributes: str = "") -> list[str]:
    """What a browser made of each mention; fails where anything ran, or was asked of anybody else."""
    troubles: list[str] = []
    asked: list[str] = []
    with blog(mentions, attributes) as url, opened(browser) as page:
        page.on("dialog", lambda dialog: troubles.append(f"a dialog: {dialog.message}"))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{url}/post", wait_until="domcontentloaded")
        expect(page.locator(".linkback-thread > h2")).to_have_text(f"{len(mentions)} comments", timeout=60_000)
        found: list[str] = page.evaluate(_OUTLINE)
        if not attributes:
            # the browser asks for an icon by itself
            assert [each for each in asked if not each.startswith(f"{url}/")] == []
        assert troubles == []
    assert len(found) == len(mentions)
    return found


@pytest.mark.parametrize("attributes", ["", "data-photos"], ids=["", "photos"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_word_adds_to_what_is_drawn(browser: Browser, kind: str, attributes: str) -> None:
    given = [(field, value) for field in STORED for value in (*HARMLESS, *PAYLOADS)]
    mentions = [mention_with(*each, kind=kind, minute=at) for at, each in enumerate(given)]
    found = list(zip(given, drawn(browser, mentions, attributes), strict=True))
    allowed = {(field, told) for (field, value), told in found if value in HARMLESS}
    odd = [(field, ascii(value[:80])) for (field, value), told in found if (field, told) not in allowed]
    assert odd == []
