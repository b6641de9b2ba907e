"""Strangers' bytes become plain values; the parsers below are the ones that we count on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from linkback.elements import Document
from linkback.markup import XmlValue, read_html, read_values, read_xhtml
from linkback.nodes import build

XHTML = "http://www.w3.org/1999/xhtml"
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"


def xhtml(body: str) -> str:
    return f'<?xml version="1.0"?><html xmlns="{XHTML}"><head><title>t</title></head><body>{body}</body></html>'


class Events:
    """Writes down what the parser says."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.events += [tag, *attributes.values()]

    def end(self, tag: str) -> None:
        pass

    def comment(self, data: str) -> None:
        self.events.append(f"!{data}")

    def close(self) -> list[str]:
        return self.events


@pytest.mark.parametrize(
    ("page", "events"),
    [
        ("<!--><b>", ["!", "b"]),
        ("<!-- --!><b>", ["! ", "b"]),
        ("<!-- -- ><b>", ["! -- ><b>"]),
        ("<![CDATA[x><b>", ["![CDATA[x", "b"]),
        ("<b a=1 A=2>", ["b", "1"]),
        ("<script><!--<script></script><b>--></script><i>", ["script", "i"]),
        ("<xmp><b></xmp><i>", ["xmp", "i"]),
        ("<noembed><b></noembed><i>", ["noembed", "i"]),
        ("<plaintext><b>", ["plaintext"]),
        ("<b a=x&copy=y>", ["b", "x&copy=y"]),
        ("<b a='&#99999999999;'>", ["b", "\ufffd"]),
        ("<b x", []),
    ],
)
def test_the_tokenizer_is_that_of_the_html_standard(page: str, events: list[str]) -> None:
    """A canary: what hides a link, and what does not, follows from these."""
    parser = etree.HTMLParser(target=Events())
    parser.feed(f"<p>{page}")
    found = [event for event in parser.close() if event not in ("html", "head", "body", "p")]
    version = ".".join(map(str, etree.LIBXML_VERSION))
    assert found == events, (
        f"lxml was built with libxml2 {version}, which does not read tags as the HTML standard says. "
        "linkback needs libxml2 2.14 or later: install lxml from its own wheels."
    )


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('<a href="T"/>', [("a", False)]),
        (f'<svg xmlns="{SVG}" xmlns:x="{XLINK}"><a x:href="T"/></svg>', [("a", True)]),
        ('<A HREF="T"/>', []),
        ('<template><p/><a href="T"/></template><area href="T"/>', [("area", False)]),
        ('<noscript><a href="T"/></noscript>', []),
        ('<textarea><a href="T"/></textarea><select><b/><a href="T"/></select>', []),
        ('<!-- <a href="T"/> --><![CDATA[<a href="T"/>]]><?x <a href="T"/>?>', []),
        ('<a xmlns="urn:other" href="T"/>', []),
        ('<a xmlns:o="urn:other" o:href="T"/>', [("a", False)]),
    ],
)
def test_xhtml_is_read_by_the_rules_of_xml(body: str, found: list[tuple[str, bool]]) -> None:
    """A-32."""
    document = read_xhtml(xhtml(body))
    assert document is not None
    assert [(element.name, element.foreign) for element in document.elements] == found
    assert (document.root, document.title) == ("html", "t")


def test_attributes_of_other_namespaces_are_no_href() -> None:
    document = read_xhtml(xhtml(f'<a xmlns:o="urn:o" xmlns:x="{XLINK}" o:href="1" x:href="2" title="3"/>'))
    assert document is not None
    assert document.elements[0].attributes == {"{urn:o}href": "1", "xlink:href": "2", "title": "3"}


def test_without_a_namespace_html_is_html() -> None:
    document = read_xhtml("\n <html><body><a href='T'>x y</a></body></html>")
    assert document is not None
    assert [(element.name, element.text) for element in document.elements] == [("a", "x y")]


def test_titles_of_other_things_are_not_the_pages() -> None:
    body = f'<template><title>1</title></template><svg xmlns="{SVG}"><title>2</title></svg>'
    document = read_xhtml(f'<html xmlns="{XHTML}">{body}<title>3 <b>c</b></title></html>')
    assert document is not None
    assert document.title == "3 c"


NO_XML = [
    "",
    "text",
    "<a>",
    "<a></b>",
    "<a/><b/>",
    "<a>&nbsp;</a>",
    "<a>\x00</a>",
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
]


@pytest.mark.parametrize("text", NO_XML)
def test_what_is_not_well_formed_or_declares_entities_is_no_xml(text: str) -> None:
    assert read_xhtml(text) is None
    assert read_values(text) == []


def test_every_value_of_a_feed_is_told() -> None:
    text = f'\ufeff <f xmlns="urn:f" a="1"><l xmlns:x="{XLINK}" x:href="2"/> <t> 3&lt;b&gt;<![CDATA[<4>]]></t>5</f>'
    assert read_values(text.lstrip("\ufeff")) == [
        XmlValue("f", "a", "1"),
        XmlValue("l", "href", "2"),
        XmlValue("t", "", "3<b><4>"),
        XmlValue("f", "", "5"),
    ]


def test_defaults_that_a_page_declares_multiply_nothing() -> None:
    text = f'<!DOCTYPE a [<!ATTLIST b c CDATA "{"x" * 50_000}">]><a>{"<b/>" * 10_000}</a>'
    assert sum(len(value.value) for value in read_values(text)) == 0


@pytest.mark.parametrize(
    "text", ["", " ", "text", "\0", "<", "</", "<!", "<!--", "<?", "&", "&#", "&#x", "<a", "\ud800"]
)
def test_the_smallest_pages_are_pages(text: str) -> None:
    assert read_html(text).elements == []


def test_what_was_read_before_the_parser_gave_up_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(parser: etree.HTMLParser) -> None:
        raise etree.XMLSyntaxError("enough", 1, 1, 1)

    parser = type("Parser", (etree.HTMLParser,), {"close": give_up})
    monkeypatch.setattr(etree, "HTMLParser", parser)
    assert [element.get("href") for element in read_html("<a href=1>one</a><a href=2>two").elements] == ["1", "2"]


def test_half_a_character_in_an_address_is_none() -> None:
    [element] = read_html("<a href='\ud800&#xD800;&#0;&#1114112;\0x'>").elements
    assert element.get("href") == "?\ufffd\ufffd\ufffd\ufffdx"


LINKS = ("<a href=x>", "</a>", '"', "=", "\0", "<table>", "<td>", "<frameset>")
HIDING = (
    "<template>",
    "</template>",
    "<noscript>",
    "</noscript>",
    "<select>",
    "<script/>",
    "<style>",
    "</style>",
    "<title>",
)
FOREIGN = ("<svg>", "<math>", "<![CDATA[", "]]>", "<!--", "-->")
pieces = st.lists(st.sampled_from((*LINKS, *HIDING, *FOREIGN)), max_size=30)
texts = pieces.map("".join) | st.text(st.characters(exclude_categories=()))


@settings(deadline=None, max_examples=200, derandomize=True)
@given(texts)
def test_no_page_makes_reading_fail(text: str) -> None:
    document = read_html(text)
    assert document.count >= len(document.elements)
    assert build(text).page is not None
    read_xhtml(text)
    read_values(text)


def test_a_tree_counts_its_elements_as_the_one_pass_did() -> None:
    text = "<a id=0></a><template><a id=1></a></template><noscript><a id=x></a></noscript><svg><a id=2></a><b><a id=3>"
    nodes = build(text).named["a"]
    assert [node.get("id") for node in nodes] == ["0", "1", "2", "3"]
    for element in read_html(text).elements:
        assert nodes[element.position].get("id") == element.get("id")


@pytest.mark.parametrize(("tag", "count"), [("<i>", 150_000), ("<a href=/x>", 30_000)])
def test_a_page_of_more_tags_than_any_honest_one_is_not_read_to_its_end(tag: str, count: int) -> None:
    document = read_html(tag * count + "<a href=/last>")
    assert document.cut
    assert all(element.get("href") != "/last" for element in document.elements)
    assert not read_html(tag * 20_000).cut


def html_of(tag: str, count: int) -> Document:
    """What one pass makes of so many elements, with enough words behind them that there is a question of going on."""
    return read_html(f"<html><body>{tag * count}{'x' * 200_000}<!-- the end -->")


def xhtml_of(tag: str, count: int) -> Document:
    text = f"<html xmlns='{XHTML}'><body>{tag * count}{'x' * 200_000}</body></html>"
    document = read_xhtml(text)
    assert document is not None
    return document


@pytest.mark.parametrize("read", [html_of, xhtml_of])
def test_as_many_tags_and_links_are_read_as_may_be_and_not_one_more(read: Callable[[str, int], Document]) -> None:
    """`html` and `body` are tags too."""
    most, more = read("<br/>", 99_998), read("<br/>", 99_999)
    assert ((most.count, most.cut), (more.count, more.cut)) == ((100_000, False), (100_001, True))
    most, more = read("<img/>", 20_000), read("<img/>", 20_001)
    assert ((len(most.elements), most.cut), (len(more.elements), more.cut)) == ((20_000, False), (20_001, True))


def test_as_many_values_of_a_document_are_read_as_may_be() -> None:
    blanks = " " * 200_000
    assert len(read_values(f"<a>{'<b>x</b>' * 100_000}{blanks}<b>y</b></a>")) == 100_001
    assert len(read_values(f"<a>{'<b>x</b>' * 100_001}{blanks}<b>y</b></a>")) == 100_001


def test_xml_of_too_many_tags_is_not_read_to_its_end_either() -> None:
    document = read_xhtml(xhtml("<i/>" * 150_000 + "<a href='/last'/>"))
    assert document is not None
    assert document.cut
    assert document.elements == []
    assert len(read_values("<a>" + "<b>x</b>" * 150_000 + "</a>")) < 150_000
