"""The post of 2010 that is our picture of success: people's comments and pingbacks in one numbered thread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from linkback import Fetcher, send
from linkback.model import ARRIVED
from tests.browsers import browser
from tests.examples.running import running
from tests.examples.visiting import appears, comment, publish
from tests.serving import LOOPBACK, eventually, pages, served

__all__ = ["browser"]

THREAD: dict[str, Any] = json.loads((Path(__file__).parent / "thread-2010.json").read_text())
DIGEST = "Bookmarks for June 3rd through June 7th"


@pytest.fixture(scope="module", params=["flask", "django"])
def page(request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of 2010 as its readers see it, on a blog where all of it happened."""
    with running(f"{request.param}_blog", tmp_path_factory.mktemp(request.param), "--protocols", "pingback") as url:
        page = browser.new_page()
        try:
            yield _lived_through(page, url)
        finally:
            page.close()


def _lived_through(page: Page, blog: str) -> Page:
    """Write the posts, then let each comment and each ping arrive in the order of 2010; gives the page, loaded."""
    others = [publish(page, blog, f"Another post {number}", "<p>Also worth a bookmark.</p>") for number in (1, 2)]
    post = publish(page, blog, THREAD["post"]["title"], "<p>I am fed up of talking about it.</p>")
    sources = _sources(post, others)
    with served(pages(sources)) as elsewhere:
        replies = THREAD["nested_replies"]
        for entry in THREAD["numbered"]:
            if entry["kind"] == "comment":
                text = f"comment number {entry['number']}"
                comment(page, post, f"Reader {entry['number']}", text)
                if replies:
                    comment(page, post, THREAD["post"]["author"], f"a reply to {text}", parent=text)
                    replies -= 1
            else:
                targets = [post, *others] if entry["label"] == DIGEST else [post]
                _ping(f"{elsewhere}/{entry['number']}", targets)
        eventually(lambda: _count(page, post) == THREAD["post"]["count_shown"], seconds=60)
        for other in others:
            appears(page, other, DIGEST)
    page.goto(post)
    return page


def _sources(post: str, others: list[str]) -> dict[str, str]:
    """The pages that linked to the post, by path; the digest links to many posts at once."""
    bodies = {}
    for entry in THREAD["numbered"]:
        if entry["kind"] == "pingback":
            targets = [post, *others] if entry["label"] == DIGEST else [post]
            links = "".join(f'<li><a href="{target}">a post</a> that I read</li>' for target in targets)
            bodies[f"/{entry['number']}"] = f"<!doctype html><title>{escape(entry['label'])}</title><ul>{links}</ul>"
    return bodies


def _ping(source: str, targets: list[str]) -> None:
    for target in targets:
        delivery = send(source, target, fetch=Fetcher(allow=LOOPBACK))
        assert delivery.outcome in ARRIVED, delivery


def _count(page: Page, post: str) -> int:
    page.goto(post)
    heading = page.locator(".linkback-thread h2")
    return int(heading.inner_text().split()[0]) if heading.count() else 0


def test_the_thread_is_that_of_2010(page: Page) -> None:
    """The same order, numbers and labels, and one count for all."""
    numbered = page.locator(".linkback-thread > ol.linkback-entries")
    assert numbered.count() == 1
    items = numbered.locator("> li")
    shown = [
        {"number": number, "kind": "comment"}
        if "linkback-comment" in (items.nth(index).get_attribute("class") or "")
        else {
            "number": number,
            "kind": "pingback",
            "label": items.nth(index).locator("strong").inner_text().removeprefix("Pingback: "),
        }
        for index, number in enumerate(range(1, items.count() + 1))
    ]
    assert shown == THREAD["numbered"]
    assert [items.nth(index).locator("strong").first.inner_text() for index in (0, 19)] == [
        "Pingback: sarahlay (sarahlay)",
        "Pingback: Where next for digital engagement?",
    ]
    assert page.locator(".linkback-thread h2").inner_text() == "23 comments"


def test_replies_stand_under_what_they_answer_and_have_no_number(page: Page) -> None:
    nested = page.locator(".linkback-thread li li.linkback-comment")
    assert nested.count() == THREAD["nested_replies"]
    assert "a reply to comment number 2" in nested.first.inner_text()


def test_a_reader_who_looks_at_numbers_sees_them(page: Page) -> None:
    """The list numbers itself: nothing switches its markers off."""
    style = "element => getComputedStyle(element).listStyleType"
    assert page.locator("ol.linkback-entries").evaluate(style) == "decimal"
    assert page.locator("ol.linkback-entries > li").first.evaluate("li => getComputedStyle(li).display") == "list-item"


def test_a_digest_that_links_to_many_posts_is_one_mention_on_each(page: Page) -> None:
    blog = page.url.partition("/posts/")[0]
    for path in ("another-post-1", "another-post-2"):
        page.goto(f"{blog}/posts/{path}/")
        assert page.locator(".linkback-thread li", has_text=DIGEST).count() == 1
        assert page.locator(".linkback-thread h2").inner_text() == "1 comment"
    page.go_back()
    page.go_back()
    assert page.locator(".linkback-thread li", has_text=DIGEST).count() == 1
