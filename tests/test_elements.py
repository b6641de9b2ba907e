"""What one pass over a page keeps: elements in order, their words, and how big the page is."""

from __future__ import annotations

import pytest
from lxml import etree

from linkback.elements import Collector, Document, Element, mind_memory
from linkback.markup import read_html


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ("webmention", ("webmention",)),
        (" \t\n\f\rNoFollow  UGC\n", ("nofollow", "ugc")),
        ("", ()),
        ("a\u00a0b\x0bc\x1c", ("a\u00a0b\x0bc\x1c",)),
        ("pingbac\u212a \u017f", ("pingbac\u212a", "\u017f")),
    ],
)
def test_tokens_are_split_and_folded_by_the_rules_of_ascii(value: str, tokens: tuple[str, ...]) -> None:
    """A-20."""
    assert Element("a", {"rel": value}, 0).tokens("rel") == tokens
    assert Element("a", {}, 0).tokens("rel") == ()


def test_elements_are_told_in_order_with_their_position() -> None:
    page = "<p><a href=1><img src=2><a name=x><template><a href=3></a></template><link rel=a><a href=4>"
    found = [(element.name, element.position, element.get("href")) for element in read_html(page).elements]
    assert found == [("a", 0, "1"), ("img", 0, None), ("a", 1, None), ("link", 0, None), ("a", 3, "4")]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<a href=1> one\n <b>two</b>&amp;<i></i> three </a>four", "one two& three"),
        ("<a href=1><img alt=x></a>", ""),
        ("<a href=1>never closed", "never closed"),
        ("<a href=1>one<script>no</script>", "oneno"),
        ("<a href=1>" + "word " * 500, ("word " * 200).strip()),
        ("<a href=1>" + "é" * 5000, "é" * 1000),
        ("<a href=1>" + " " * 5000 + "late", "late"),
        ("<a href=1>" + " " * 50_000 + "too late", ""),
    ],
)
def test_a_link_has_its_words(page: str, text: str) -> None:
    [element] = read_html(page).elements[:1]
    assert element.text == text


def test_links_do_not_take_each_others_words() -> None:
    page = "<svg><a href=1>one <foreignObject><a href=2>two</a></foreignObject> three</a></svg>"
    assert [element.text for element in read_html(page).elements] == ["one two three", "two"]
    page = "<svg><a href=1>one <foreignObject><template><a href=2>two</a></template></foreignObject> three</a></svg>"
    assert [element.text for element in read_html(page).elements] == ["one three"]


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title> A\n&amp; <b>B </title>", "A & <b>B"),
        ("<title></title><title>second</title>", "second"),
        ("<p>body</p><title>late</title>", "late"),
        ("<p>none", ""),
        ("<title>open", "open"),
    ],
)
def test_a_page_has_its_title(page: str, title: str) -> None:
    assert read_html(page).title == title


def test_the_size_of_a_page_is_measured() -> None:
    document = read_html("<p><b a=1 b=2 c=3><i></i></b><i>")
    assert (document.root, document.depth, document.widest, document.count) == ("html", 5, 3, 6)


@pytest.mark.parametrize(
    ("page", "tame"),
    [
        ("<p>text", True),
        ("<div>" * 250, False),
        ("<p " + " ".join(f"a{n}=1" for n in range(201)) + ">", False),
        ("<br>" * 60_001, False),
        ("<template></template>" * 250, True),
    ],
)
def test_trees_are_for_tame_pages(page: str, tame: bool) -> None:
    assert read_html(page).tame is tame


def test_an_end_without_a_beginning_ends_nothing() -> None:
    collector = Collector()
    collector.finish("a")
    collector.finish("title")
    collector.data("text")
    assert collector.close() == Document()


def test_an_exception_that_was_lost_where_lxml_had_no_memory_says_so() -> None:
    """CPython tells of a function that failed without saying why; else a page would seem to be broken."""
    with pytest.raises(MemoryError), mind_memory(etree.HTMLParser()):
        raise SystemError("<method 'close' of 'Collector' objects> returned NULL without setting an exception")
