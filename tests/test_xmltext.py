"""Untrusted XML: what is refused, and what an element holds."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback.errors import Reason, Refused
from linkback.xmltext import MAX_DEPTH, MAX_ELEMENTS, XmlElement, declares, escape, parse


def test_an_element_holds_its_name_its_own_text_and_its_children() -> None:
    assert parse("<a>x<b>y</b>z<b/></a>") == XmlElement("a", "xz", [XmlElement("b", "y"), XmlElement("b")])


def test_children_are_found_by_name() -> None:
    root = parse("<a><b>1</b><c/><b>2</b></a>")
    assert [child.text for child in root.find_all("b")] == ["1", "2"]
    assert root.find("c") == XmlElement("c")
    assert root.find("d") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("<a>&amp;&lt;&#233;&#x65E5;</a>", "&<é日", id="references"),
        pytest.param("<a><![CDATA[<b>&amp;]]></a>", "<b>&amp;", id="CDATA"),
        pytest.param("<a>x<!-- c -->y<?pi z?></a>", "xy", id="comment inside"),
        pytest.param("\ufeff \n<!-- c --><?pi?><a>x</a><!-- c -->", "x", id="BOM, blanks and comments around"),
        pytest.param('<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>', "é", id="declared encoding is moot"),
        pytest.param('<?xml version="1.0" encoding="x-unknown"?><a>é</a>', "é", id="declared encoding is unknown"),
    ],
)
def test_text_is_read_as_xml_says(text: str, expected: str) -> None:
    assert parse(text).text == expected


def test_a_namespace_is_part_of_the_name() -> None:
    assert parse('<a xmlns="urn:x"/>').name == "{urn:x}a"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "x",
        "<a",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "<a b='1' b='2'/>",
        "<a>&nbsp;</a>",
        "<a>&</a>",
        "<a>&#0;</a>",
        "<a>\x00</a>",
        "<a>\ud800</a>",
        '<a b="&x;"/>',
        "<!-- only a comment -->",
    ],
)
def test_what_is_not_well_formed_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(text)
    assert caught.value.reason is Reason.MALFORMED


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<!DOCTYPE a><a/>", id="plain"),
        pytest.param(f'<!DOCTYPE a [<!ENTITY e0 "x">{BOMB}]><a>&e9;</a>', id="VC-19 billion laughs"),
        pytest.param('<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', id="file"),
        pytest.param('<!DOCTYPE a SYSTEM "http://t.example/a.dtd"><a/>', id="external subset"),
        pytest.param('<?xml version="1.0" encoding="UTF-7"?>\n<!DOCTYPE a><a/>', id="after a declaration"),
    ],
)
def test_whatever_declares_anything_is_refused_unread(text: str) -> None:
    """C-25: entities are never expanded, because no parser ever sees them."""
    assert declares(text)
    with pytest.raises(Refused, match="DOCTYPE or ENTITY") as caught:
        parse(text)
    assert caught.value.reason is Reason.MALFORMED


def test_the_most_elements_are_read_and_one_more_is_refused() -> None:
    assert len(parse(f"<a>{'<b/>' * (MAX_ELEMENTS - 1)}</a>").children) == MAX_ELEMENTS - 1
    with pytest.raises(Refused) as caught:
        parse(f"<a>{'<b/>' * MAX_ELEMENTS}</a>")
    assert caught.value.reason is Reason.TOO_LARGE


def test_the_deepest_element_is_read_and_one_deeper_is_refused() -> None:
    assert parse("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH).name == "a"
    with pytest.raises(Refused) as caught:
        parse("<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1))
    assert caught.value.reason is Reason.TOO_LARGE


def test_the_limits_can_be_narrowed_and_hold_before_the_end_is_seen() -> None:
    """The rest of a document beyond the limits is never looked at: it need not even be XML."""
    for text, limits in [("<a><b/><", {"max_elements": 1}), ("<a><b>" * 100_000, {"max_depth": 1})]:
        with pytest.raises(Refused) as caught:
            parse(text, **limits)
        assert caught.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a & b < c > \"d\" 'e'", "a &amp; b &lt; c &gt; &quot;d&quot; 'e'"),
        ("&amp;", "&amp;amp;"),
        ("tab\tline\n", "tab\tline\n"),
        ("nul\x00 esc\x1b half\ud800 none\uffff", "nul\ufffd esc\ufffd half\ufffd none\ufffd"),
    ],
)
def test_escaped_text_uses_four_references_only(text: str, expected: str) -> None:
    assert escape(text) == expected


@settings(deadline=None)
@given(st.text())
def test_escaped_text_is_always_well_formed(text: str) -> None:
    assert parse(f'<a b="{escape(text)}">{escape(text)}</a>').name == "a"


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("<>/a&;#x!-[]?'\" =\x00é"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but a refusal ever comes out of a text that is not read."""
    with contextlib.suppress(Refused):
        assert parse(text).name
