"""What comes nearest to a link that is not there, and why it does not count."""

from __future__ import annotations

import pytest

from linkback import validator
from linkback.errors import NoBacklink
from linkback.nearmiss import MOST, NearMiss, near_misses
from linkback.page import Page
from linkback.wire import Response

SOURCE = "https://alice.example/note"
TARGET = "https://bob.example/post?a=1&b=2"


def page(body: str, content_type: str = "text/html") -> Page:
    return Page(Response(200, (("Content-Type", content_type),), body.encode(), SOURCE))


LINKS = [
    ("https://me:secret@bob.example/post?a=1&b=2", "user name"),
    ("https://bob.example/post?a=1&b=2#other", "fragment"),
    ("http://bob.example/post?a=1&b=2", "scheme or the port"),
    ("https://bob.example:8443/post?a=1&b=2", "scheme or the port"),
    ("https://bob.example/post/?a=1&b=2", "trailing slash differs"),
    ("https://www.bob.example/post?a=1&b=2", "www."),
    ("https://bob.example/post?a=1&b=2&utm_source=feed", "tracking"),
    ("https://bob.example/Post?a=1&b=2", "case"),
    ("https://bob.example/post?a=1", "query"),
    ("https://carol.example/post?a=1&b=2", "another host"),
]


@pytest.mark.parametrize(("link", "why"), LINKS, ids=[link for link, _ in LINKS])
def test_a_link_that_is_almost_the_target_is_told_with_the_difference(link: str, why: str) -> None:
    target = TARGET + "#part" if why == "fragment" else TARGET
    body = f"<p><a href='{link.replace('&', '&amp;')}'>b</a>"
    with pytest.raises(NoBacklink):
        validator.find(page(body), target)
    [miss] = near_misses(page(body), target)
    assert (miss.where, miss.found) == ("<a href>", link)
    assert why in miss.why


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [
        ("<!-- <a href='https://bob.example/p'>b</a> -->", "comment", "a comment is no link"),
        ("<!-- https://bob.example/pq -->", "comment", "beginning of a longer URL"),
        ("<!-- never closed https://bob.example/p", "comment", "a comment is no link"),
        ("<!-- one --><p>See https://bob.example/p.", "text", "not as a link"),
        ("<p>See https://bob.example/p.html", "text", "beginning of a longer URL"),
        ("<p>See https://bob.example/path", "text", "beginning of a longer URL"),
        ("<p>https://bob.example/p and once more https://bob.example/p", "text", "not as a link"),
        ("<template><a href='https://bob.example/p'>b</a></template>", "text", "not as a link"),
        ("<link rel=canonical href='https://bob.example/p'>", "<link href>", "no link to it"),
        ("<base href='https://bob.example/'><link rel=next href=p>", "<link href>", "no link to it"),
        ("<a href='https://bob.example/p/comments'>b</a>", "<a href>", "beginning of this longer URL"),
    ],
)
def test_where_the_url_stands_without_being_a_link_is_told(body: str, where: str, why: str) -> None:
    [miss] = near_misses(page(body), "https://bob.example/p")
    assert miss.where == where
    assert why in miss.why


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"url": "see https://bob.example/p"}', "application/json"),
        ("xhttps://bob.example/p", "text/plain"),
        ("<feed><id>see https://bob.example/p</id></feed>", "application/atom+xml"),
    ],
)
def test_other_kinds_of_pages_are_searched_as_text(body: str, content_type: str) -> None:
    [miss] = near_misses(page(body, content_type), "https://bob.example/p")
    assert (miss.where, "not as a link" in miss.why) == ("text", True)
    assert "https://bob.example/p" in miss.found


def test_an_ampersand_may_be_escaped_in_the_source_text() -> None:
    [miss] = near_misses(page("<p>https://bob.example/post?a=1&amp;b=2 and no more"), TARGET)
    assert (miss.where, "not as a link" in miss.why) == ("text", True)


def test_the_nearest_comes_first_and_each_once() -> None:
    links = ["https://carol.example/p", "http://bob.example/p", "http://bob.example/p", "https://bob.example/p/"]
    body = "".join(f"<a href='{link}'>b</a>" for link in links) + "<!-- https://bob.example/p -->"
    found = near_misses(page(body), "https://bob.example/p")
    assert [miss.found for miss in found[1:]] == [
        "http://bob.example/p",
        "https://bob.example/p/",
        "https://carol.example/p",
    ]
    assert found[0].where == "comment"


def test_no_more_are_told_than_help() -> None:
    body = "".join(f"<a href='https://h{number}.example/p'>b</a>" for number in range(MOST + 3))
    assert len(near_misses(page(body), "https://bob.example/p")) == MOST


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ("<a href='https://carol.example/else'>c</a><a name=x>d</a><a href='http://['>e</a>", "https://bob.example/p"),
        ("<a href='https://carol.example/'>the root of another host is nothing like it</a>", "https://bob.example/"),
        ("<a href='mailto:bob@bob.example'>mail</a>", "https://bob.example/p"),
        ("<a href='https://bob.example/p'>b</a>", "no URL"),
        ("", "https://bob.example/p"),
    ],
)
def test_what_has_nothing_in_common_is_not_told(body: str, target: str) -> None:
    assert near_misses(page(body), target) == []


def test_a_page_full_of_comment_beginnings_is_read_once() -> None:
    body = "<!--" * 200_000 + "https://bob.example/p"
    assert near_misses(page(body), "https://bob.example/p") == [
        NearMiss("comment", ("<!--" * 10) + "https://bob.example/p", "a comment is no link")
    ]
