"""What bytes alone tell of a page: a miss is proof, so it must never be wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkback import find_endpoints
from linkback.elements import Element
from linkback.markup import HtmlElements, read_html
from linkback.page import Page
from linkback.prefilter import for_words
from linkback.tagsoup import prepare
from linkback.wire import Response

HERE = "https://bob.example/post"
PAGES = sorted((Path(__file__).parent / "pages").glob("*.html"))

#: body, charset that came with it -> whether "webmention" is surely not in its text
BODIES = {
    "nothing of the kind": (b"<p>Hello", "", True),
    "the word": (b"<link rel=webmention href=/w>", "", False),
    "in capitals": (b"<LINK REL=WebMention HREF=/w>", "", False),
    "in a comment, which is no proof": (b"<!-- webmention -->", "", False),
    "a letter by its number": (b"<link rel=web&#109;ention href=/w>", "", False),
    "by its number without a semicolon": (b"<link rel=web&#109ention href=/w>", "", False),
    "with zeros before": (b"<link rel=web&#000109;ention href=/w>", "", False),
    "in hexadecimal": (b"<link rel=&#x77;ebmention href=/w>", "", False),
    "in hexadecimal capitals": (b"<link rel=web&#X4D;ention href=/w>", "", False),
    "a number that is no letter": (b"<p>it&#8217;s &#39;quoted&#39; &#x2019; &#1091;", "", True),
    "UTF-16 with its mark": ("<link rel=webmention href=/w>".encode("utf-16"), "", False),
    "UTF-16 by its label": ("<link rel=webmention href=/w>".encode("utf-16-be"), "utf-16be", False),
    "UTF-16 without the word, which nobody can tell": ("<p>Hello".encode("utf-16"), "", False),
    "shift states between its letters": (b"<link rel=web\x1b(J\x1b(Bmention href=/w>", "iso-2022-jp", False),
    "shift states that the page declares": (b"<meta charset=iso-2022-jp><a rel=web\x1b(Bmention href=/w>", "", False),
    "another superset of ASCII": ("<p>Привет".encode("koi8-r"), "koi8-r", True),
    "UTF-8 with its mark": (b"\xef\xbb\xbf<p>Hello", "", True),
}


@pytest.mark.parametrize(("body", "label", "lacks"), BODIES.values(), ids=BODIES)
def test_a_miss_is_proof_and_a_hit_is_none(body: bytes, label: str, lacks: bool) -> None:
    assert for_words(body, label).lacks("webmention") is lacks
    if lacks:
        assert "webmention" not in Page(Response(200, (), body, HERE)).text.lower()


#: pages with traps, and where each listens by webmention
TRAPS = {
    "a quoted bracket before": (b'<link title="a>b" rel="webmention" href="/w">', "/w"),
    "a quoted bracket after": (b'<link rel="webmention" title="a>b" href="/w">', "/w"),
    "a comment first": (b"<!-- <link rel=webmention href=/bad> --><link rel=webmention href=/w>", "/w"),
    "a script first": (b'<script>"<link rel=webmention href=/bad>"</script><link rel=webmention href=/w>', "/w"),
    "a text field first": (b"<textarea><link rel=webmention href=/bad></textarea><a rel=webmention href=/w>", "/w"),
    "a template first": (b"<template><link rel=webmention href=/bad></template><link rel=webmention href=/w>", "/w"),
    "a closed script that HTML does not close": (
        b"<script src=x/><link rel=webmention href=/bad></script><a rel=webmention href=/w>x</a>",
        "/w",
    ),
    "a self-closed script": (b"<script/>'<!--'</script><a rel=webmention href=/w>x</a> -->", "/w"),
    "frames take links of a body back": (b"<a rel=webmention href=/bad></a><frameset><frame></frameset>", None),
    "frames leave links of the head": (b"<link rel=webmention href=/w><frameset><frame></frameset>", "/w"),
    "a base far below": (b"<a rel=webmention href=w>x</a>" + b"<p>word " * 9_000 + b"<base href=/deep/>", "/deep/w"),
    "far below": (b"<p>word " * 9_000 + b"<a rel=webmention href=/w>x</a>", "/w"),
    "a tag across many parts": (b"<p>x" * 500 + b"<a title='" + b"long " * 9_000 + b"' rel=webmention href=/w>", "/w"),
    "text that never ends": (b"<title>" + b"<p>word " * 9_000 + b"<link rel=webmention href=/bad>", None),
}


@pytest.mark.parametrize(("body", "found"), TRAPS.values(), ids=TRAPS)
def test_a_page_that_is_read_in_parts_has_the_endpoint_that_the_whole_has(body: bytes, found: str | None) -> None:
    endpoint = find_endpoints(HERE, {"Content-Type": "text/html"}, body).found.get("webmention")
    assert (endpoint and endpoint.url) == (found and f"https://bob.example{found}")


def in_parts(text: str) -> list[Element]:
    return [replace(element, text="") for element in HtmlElements(text, lambda word: False).until([len(text)])]


def whole(text: str) -> list[Element]:
    return [replace(element, text="") for element in read_html(text).elements]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_parts_show_what_the_whole_shows(page: Path) -> None:
    text = page.read_text(errors="replace")
    assert in_parts(text) == whole(text)
    longer = text.replace("<p", "<p>" + "<i>word</i> " * 200 + "<p")
    assert in_parts(longer) == whole(longer)


_TAGS = "a link base meta p script style title textarea template select option svg math noscript noembed frameset table"
_PIECE = st.sampled_from(
    [f"<{tag} href=/{tag} rel=webmention>" for tag in _TAGS.split()]
    + [f"</{tag}>" for tag in _TAGS.split()]
    + ["<script/>", "<title/>", "<!--", "-->", "<![CDATA[", "]]>", "word ", "'", '"', "<", " " * 1_500, "x" * 1_500]
)


@given(st.lists(_PIECE, max_size=40).map("".join))
def test_parts_of_any_markup_show_what_the_whole_shows(text: str) -> None:
    assert in_parts(text) == whole(text)


@given(st.lists(_PIECE, max_size=40).map("".join), st.integers(0, 9_000))
def test_a_page_that_was_begun_is_read_to_its_end_as_if_at_once(text: str, place: int) -> None:
    begun = HtmlElements(text, lambda word: False)
    list(begun.until([place]))
    assert begun.whole() == read_html(text)


def test_no_more_is_read_than_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(text: str, *, whole: str) -> str:
        read.append(len(text))
        return prepare(text, whole=whole)

    monkeypatch.setattr("linkback.markup.prepare", counted)
    text = "<link rel=webmention href=/w>" + "<p>word " * 100_000
    elements = HtmlElements(text, lambda word: False).until([25, 9_000, len(text)])
    assert next(elements).name == "link"
    assert sum(read) < 4_096
    assert list(elements) == []
    assert sum(read) == len(text)
