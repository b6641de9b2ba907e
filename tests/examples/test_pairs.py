"""A post on one example appears under the post of another that it links to, in whatever language the other listens."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browsers import browser
from tests.examples.running import running
from tests.examples.visiting import appears, publish

__all__ = ["browser"]

PROTOCOLS = {"webmention": "Mention:", "pingback": "Pingback:", "trackback": "Trackback:"}
KINDS = ("flask", "django", "fastapi")
PAIRS = [("flask", "django"), ("django", "fastapi"), ("fastapi", "flask")]


@pytest.fixture(scope="module", params=PROTOCOLS)
def blogs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One blog of each framework, all speaking one protocol only: its name, and their URLs."""
    data: Path = tmp_path_factory.mktemp(request.param)
    with contextlib.ExitStack() as up:
        urls = {
            kind: up.enter_context(running(f"{kind}_blog", data / kind, "--protocols", request.param)) for kind in KINDS
        }
        yield {"protocol": request.param, **urls}


@pytest.mark.parametrize(("sender", "receiver"), PAIRS)
def test_a_post_on_one_blog_is_a_mention_on_another(
    browser: Browser, blogs: dict[str, str], sender: str, receiver: str
) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    try:
        told = publish(page, blogs[receiver], f"What {sender} reads", "<p>Something to talk about.</p>")
        title = f'{sender.title()} answers "{receiver}" & co'
        answer = publish(page, blogs[sender], title, f'<p>I read <a href="{told}">what they wrote</a> with joy.</p>')
        entry = appears(page, told, title)
        label = PROTOCOLS[blogs["protocol"]]
        assert entry.locator("strong").inner_text() == f"{label} {title}"
        assert entry.locator("a.u-url").first.get_attribute("href") == answer
        assert "what they wrote" in entry.inner_text()
        assert page.locator(".linkback-thread h2").inner_text() == "1 comment"
        delivered = _delivery(page, blogs[sender], told)
        assert blogs["protocol"] in delivered
        assert [url for url in asked if not url.startswith(tuple(blogs[kind] for kind in KINDS))] == []
    finally:
        page.close()


TITLES = [
    pytest.param("flask", "django", "Куда дальше?", "куда-дальше", id="Cyrillic"),
    pytest.param("django", "fastapi", "次はどこへ", "次はどこへ", id="Japanese"),
    pytest.param("fastapi", "flask", "हिन्दी में", "हिन्दी-में", id="Hindi, whose vowels are marks"),
    pytest.param("flask", "django", "Où & pourquoi", "où-pourquoi", id="accents"),
]


@pytest.mark.parametrize(("sender", "receiver", "title", "slug"), TITLES)
def test_a_title_in_any_script_is_an_address_that_others_can_link_to(
    browser: Browser, blogs: dict[str, str], sender: str, receiver: str, title: str, slug: str
) -> None:
    """Percent-encoded on the wire, under the same post whichever way it is spelled, with its letters to a reader."""
    page = browser.new_page()
    try:
        told = publish(page, blogs[receiver], title, "<p>Something to talk about.</p>")
        path = f"/posts/{slug}/"
        assert told == blogs[receiver] + urllib.parse.quote(path)
        # the link is written as people type it
        link = f'<p>I read <a href="{blogs[receiver]}{path}">it</a>.</p>'
        answer = publish(page, blogs[sender], f"{title} heard", link)
        entry = appears(page, told, f"{title} heard")
        assert entry.locator("a.u-url").first.get_attribute("href") == answer
        assert blogs["protocol"] in _delivery(page, blogs[sender], f"{blogs[receiver]}{path}")
    finally:
        page.close()


def _delivery(page: Page, blog: str, target: str) -> str:
    """What the sender's page of deliveries says of a target."""
    page.goto(f"{blog}/deliveries")
    return page.locator("tr", has_text=target).first.inner_text()
