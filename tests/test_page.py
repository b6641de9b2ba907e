"""A page is read once, by its type, and its references are relative to its base."""

from __future__ import annotations

import pytest

from linkback.elements import Element
from linkback.page import Kind, Page, hyperlink_attributes, properties
from linkback.wire import Response

S = "https://s.example/d/note"


def page(body: str | bytes = "", content_type: str | None = "text/html; charset=utf-8", url: str = S) -> Page:
    headers = (("Content-Type", content_type),) if content_type is not None else ()
    return Page(Response(200, headers, body.encode() if isinstance(body, str) else body, url))


@pytest.mark.parametrize(
    ("content_type", "body", "kind", "advertises"),
    [
        ("text/html", "", Kind.HTML, True),
        ("TEXT/HTML;charset=x", "{}", Kind.HTML, True),
        ("application/xhtml+xml", "<html/>", Kind.HTML, True),
        ("application/xhtml+xml", "<html><br>", Kind.HTML, True),
        ("application/xml", "<html xmlns='http://www.w3.org/1999/xhtml'/>", Kind.HTML, True),
        ("application/xml", "<rss/>", Kind.XML, True),
        ("text/xml", "<feed/>", Kind.XML, True),
        ("application/atom+xml", "<feed/>", Kind.XML, False),
        ("image/svg+xml", "<svg/>", Kind.XML, False),
        ("application/xml-dtd", "", Kind.OTHER, False),
        ("application/json", "", Kind.JSON, False),
        ("application/feed+json", "", Kind.JSON, False),
        ("text/plain", "<p>", Kind.TEXT, False),
        ("text/css", "", Kind.TEXT, False),
        ("image/png", "", Kind.OTHER, False),
        ("application/pdf", "<p>", Kind.OTHER, False),
        (None, " <p>", Kind.HTML, True),
        ("", "\ufeff<p>", Kind.HTML, True),
        (None, "{", Kind.JSON, True),
        (None, "\n[", Kind.JSON, True),
        (None, "text <p>", Kind.TEXT, True),
        (None, "", Kind.TEXT, True),
        (None, "<p>\0", Kind.OTHER, True),
        (None, "<p>" + " " * 600 + "\0", Kind.HTML, True),
        (None, b"\xff\xfe<\0p\0>\0", Kind.HTML, True),
        (None, b"\xfe\xff\0{", Kind.JSON, True),
    ],
)
def test_the_type_says_how_a_page_is_read(
    content_type: str | None, body: str | bytes, kind: Kind, advertises: bool
) -> None:
    """A-9, D-7 to D-10."""
    found = page(body, content_type)
    assert (found.kind, found.advertises) == (kind, advertises)


@pytest.mark.parametrize(
    ("body", "base"),
    [
        ("", S),
        ('<base href="/e/">', "https://s.example/e/"),
        ("<base href=e/>", "https://s.example/d/e/"),
        ("<base target=_top><base href=/1/><base href=/2/>", "https://s.example/1/"),
        ('<base href="https://o.example/x">', "https://o.example/x"),
        ('<base href="">', S),
        ('<base href="javascript:1"><base href=/2/>', S),
        ('<base href="data:,x">', S),
        ('<base href="http://[">', S),
        ('<base href="https://u:p@o.example/">', S),
        ("<p>late<base href=/e/>", "https://s.example/e/"),
        ("<!-- <base href=/e/> --><template><base href=/e/></template>", S),
        ("<svg><base href=/e/></svg>", S),
    ],
)
def test_the_first_usable_base_counts(body: str, base: str) -> None:
    """A-27."""
    assert page(body).base == base


def test_references_are_resolved() -> None:
    found = page('<base href="/e/">')
    assert found.resolve("x#y") == "https://s.example/e/x#y"
    assert found.resolve("mailto:a@b") is None


def test_links_are_told_in_order_as_they_are_written() -> None:
    """B-1, B-2."""
    body = """<a href=" HTTPS://T.example/Ä&amp;b ">1</a><a name=x><a href="mailto:a@b"><a href=""><link href=no>
        <link class=u-in-reply-to href=/2><area href=../3#f><area><data class="x u-like-of" value=4><data value=no>
        <svg><a xlink:href=5></a></svg><img src=no><a xlink:href=no><data class=u-x><a href=6>"""
    found = [(link.element.name, link.attribute, link.url) for link in page(body).links()]
    assert found == [
        ("a", "href", "HTTPS://T.example/Ä&b"),
        ("a", "href", S),
        ("link", "href", "https://s.example/2"),
        ("area", "href", "https://s.example/3#f"),
        ("data", "value", "https://s.example/d/4"),
        ("a", "xlink:href", "https://s.example/d/5"),
        ("a", "href", "https://s.example/d/6"),
    ]


@pytest.mark.parametrize(
    ("element", "attributes"),
    [
        (Element("a", {"href": "1", "xlink:href": "2"}, 0), ["href"]),
        (Element("a", {"xlink:href": "2"}, 0), []),
        (Element("a", {"href": "1", "xlink:href": "2"}, 0, foreign=True), ["href"]),
        (Element("a", {"xlink:href": "2"}, 0, foreign=True), ["xlink:href"]),
        (Element("area", {"href": "1"}, 0, foreign=True), []),
        (Element("link", {"href": "1", "class": "u-x"}, 0, foreign=True), []),
        (Element("link", {"href": "1", "class": "u-x"}, 0), ["href"]),
        (Element("link", {"class": "u-x"}, 0), []),
        (Element("data", {"value": "1", "class": "u-"}, 0), []),
        (Element("img", {"href": "1"}, 0), []),
    ],
)
def test_an_element_links_by_one_attribute(element: Element, attributes: list[str]) -> None:
    assert list(hyperlink_attributes(element)) == attributes


def test_properties_are_the_u_classes() -> None:
    assert properties(Element("a", {"class": "h-cite u-in-reply-to u- p-name U-Like-Of"}, 0)) == (
        "in-reply-to",
        "like-of",
    )


def test_the_text_is_decoded_by_the_label_of_the_type() -> None:
    assert page(b"\xd6\xd0", "text/plain; charset=GBK").text == "中"
    assert page(b"\xd6\xd0", "text/plain").text == "ÖÐ"


def test_a_page_tells_where_it_was_found() -> None:
    found = Page(Response(200, (), b"", S, truncated=True))
    assert (found.url, found.truncated, found.says_gone) == (S, True, False)


def test_a_page_of_our_own_is_read_to_its_end_also_where_it_was_begun() -> None:
    body = b"<base href=/deep/>" + b"<i>" * 150_000 + b"<a href=last>x</a>"
    own = Page(Response(200, (("Content-Type", "text/html"),), body, S), own=True)
    assert own.base.endswith("/deep/")
    assert [link.url for link in own.links()] == [f"{own.base}last"]
    assert not own.truncated
