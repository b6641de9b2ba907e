"""A post says what it said before, or it does not."""

from __future__ import annotations

import pytest

from linkback.content import digest
from linkback.page import Page
from linkback.wire import Response

HTML = (("Content-Type", "text/html; charset=utf-8"),)


def said(html: str, *targets: str) -> str:
    return digest(Page(Response(200, HTML, html.encode("utf-8", "surrogatepass"), "https://s.example/note")), targets)


PAGE = "<!doctype html><html><body><nav>{nav}</nav>{post}<aside>{aside}</aside></body></html>"
POSTS = [
    "<article>{words}</article>",
    "<main>{words}</main>",
    "<div class='h-entry'>{words}</div>",
    "<div class='h-entry'><h1>t</h1><div class='e-content'>{words}</div><p>3 comments</p></div>",
    "<div class='hentry'><div class='entry-content'>{words}</div></div>",
]


@pytest.mark.parametrize("post", POSTS)
def test_the_frame_of_a_page_is_not_its_content(post: str) -> None:
    """A static site writes every page anew when one post is added."""
    before = PAGE.format(nav="1", post=post.format(words="Hello"), aside="old")
    after = PAGE.format(nav="2", post=post.format(words="Hello"), aside="new")
    assert said(before) == said(after)
    assert said(before) != said(PAGE.format(nav="1", post=post.format(words="Hello!"), aside="old"))


def test_content_without_such_a_place_is_all_that_is_shown() -> None:
    assert said("<body><p>x") == said("<body class=new><p>x<script>1</script>")
    assert said("<p>x") != said("<p>y")


A, B = "https://a.example/", "https://b.example/"
LINKS = f"<p>x <a href='{A}'>a</a> <a href='{B}'>b</a>"


@pytest.mark.parametrize(
    "other",
    [
        f"<title>New</title>{LINKS}",
        LINKS.replace("href", "class=u-like-of href", 1),
        LINKS.replace("href", "rel=nofollow href", 1),
        LINKS.replace(B, "https://c.example/"),
    ],
)
def test_title_and_links_are_part_of_what_is_said(other: str) -> None:
    """A like that becomes a reply is another mention."""
    targets = (A, B, "https://c.example/")
    assert said(LINKS, *targets) != said(other, *targets)


def test_links_that_nobody_is_told_of_are_no_part_of_it() -> None:
    assert said(LINKS, B, A) == said(LINKS, A, B)
    assert said(LINKS, A) == said(LINKS.replace(B, "https://c.example/"), A)


@pytest.mark.parametrize("html", ["", "<html><body>" + "<div>" * 5000, "<html>\ud800", "<html><body></body></html>"])
def test_any_page_has_a_digest(html: str) -> None:
    assert len(said(html)) == 64
    assert said(html) == said(html)
