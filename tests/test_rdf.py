"""TrackBack RDF is found wherever it stands in a page, and is read as its peers read it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback.rdf import RdfBlock, read_blocks

T = "https://t.example/post"
P = "https://t.example/tb/5"


@pytest.mark.parametrize(
    ("text", "block"),
    [
        pytest.param(f'<rdf:Description dc:identifier="{T}" trackback:ping="{P}"/>', RdfBlock(T, None, P), id="A-80"),
        pytest.param(f'<!--<rdf:Description trackback:ping="{P}">-->', RdfBlock(None, None, P), id="A-80 comment"),
        pytest.param(
            f"<rdf:Description\n rdf:about\n=\n'{T}'\n trackback:ping='{P}?x=1&amp;y=2' />",
            RdfBlock(None, T, f"{P}?x=1&y=2"),
            id="A-82",
        ),
        pytest.param(
            f'<rdf:Description dc:title="a > b" trackback:ping="{P}"/>', RdfBlock(None, None, P), id="A-81 > in quotes"
        ),
        pytest.param(
            f'<rdf:Description><trackback:ping rdf:resource="{P}"/></rdf:Description>',
            RdfBlock(None, None, P),
            id="A-83 resource",
        ),
        pytest.param(
            f"<rdf:Description ><dc:identifier> {T} </dc:identifier><trackback:ping>{P}</trackback:ping>",
            RdfBlock(T, None, P),
            id="A-83 text, no end tag",
        ),
        pytest.param(
            '<rdf:Description trackback:ping="/1"><trackback:ping>/2</trackback:ping>',
            RdfBlock(None, None, "/1"),
            id="the attribute comes first",
        ),
        pytest.param(
            '<rdf:Description trackback:ping="/1" trackback:ping="/2"/>', RdfBlock(None, None, "/1"), id="first of two"
        ),
        pytest.param("<rdf:Description/><trackback:ping>/2<", RdfBlock(None, None, None), id="a closed block is empty"),
        pytest.param(
            "<rdf:Description></rdf:Description><trackback:ping>/2<",
            RdfBlock(None, None, None),
            id="so is an ended one",
        ),
        pytest.param(
            '<rdf:Description dc:Identifier="x" TRACKBACK:PING="y"/>',
            RdfBlock(None, None, None),
            id="A-82 names have case",
        ),
        pytest.param(
            '<rdf:Description trackback:ping="/?a=1&copy=2&#38;b&#x26;&nonsense;&#99999999999;"/>',
            RdfBlock(None, None, "/?a=1&copy=2&b&&nonsense;&#99999999999;"),
            id="only whole references are decoded",
        ),
        pytest.param(
            '<rdf:Description trackback:ping="&amp;lt;"/>',
            RdfBlock(None, None, "&lt;"),
            id="references are decoded once",
        ),
        pytest.param(
            '<rdf:Description dc:title="<rdf:Description " trackback:ping="/1"/>',
            RdfBlock(None, None, "/1"),
            id="a start in a value is none",
        ),
    ],
)
def test_a_block_is_read(text: str, block: RdfBlock) -> None:
    assert read_blocks(f"<html>{text}</html>") == [block]


@pytest.mark.parametrize(
    "text", ["", "<rdf:Descriptions a='b'>", "<rdf:description>", "<rdf:Description", "rdf:Description>"]
)
def test_what_is_no_block_is_none(text: str) -> None:
    assert read_blocks(text) == []


def test_blocks_come_in_order_and_a_broken_one_takes_none_along() -> None:
    text = "<rdf:Description trackback:ping='/1'><rdf:Description !!! <rdf:Description trackback:ping='/3'/>"
    assert [block.ping for block in read_blocks(text)] == ["/1", "/3"]


def test_children_belong_to_the_block_they_stand_in() -> None:
    text = "<rdf:Description><rdf:Description><trackback:ping>/2</trackback:ping>"
    assert [block.ping for block in read_blocks(text)] == [None, "/2"]


def test_more_blocks_than_any_page_has_are_not_read() -> None:
    assert len(read_blocks("<rdf:Description trackback:ping='/'/>" * 100_000)) == 500


UNITS = (
    "<rdf:Description ",
    "<rdf:Description>",
    '<rdf:Description x="',
    "<rdf:Description a='b' x=\"'y='\"",
    "<rdf:Description><trackback:ping ",
    "<rdf:Description/><trackback:ping>",
    "<rdf:Description><dc:identifier>",
    "a='b' ",
    " ",
)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "before", ["", "<rdf:Description ", "<rdf:Description><trackback:ping ", "<rdf:Description>" * 499]
)
def test_a_megabyte_of_blocks_is_read_in_one_go(before: str, unit: str) -> None:
    assert len(read_blocks(before + unit * (1_000_000 // len(unit)))) <= 500


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    st.lists(
        st.sampled_from([*UNITS, "/>", ">", "</rdf:Description>", "=", '"', "&#9;"]) | st.text(max_size=9), max_size=30
    )
)
def test_no_text_makes_it_fail(parts: list[str]) -> None:
    for block in read_blocks("".join(parts)):
        assert isinstance(block, RdfBlock)
