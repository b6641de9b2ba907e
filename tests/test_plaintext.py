"""What comes out of `plaintext` is fit for a database, a page and a log, whatever went in."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkback.plaintext import clean_text, collapse, head, tail


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain", "plain"),
        ("", ""),
        (" \t\n ", ""),
        ("  a \r\n\t b\u00a0\u2003c\u2028d  ", "a b c d"),
        ("nul\x00bell\x07esc\x1bdel\x7fapc\x9f", "nulbellescdelapc"),
        ("next\x85line", "next line"),
        ("a\x1cb\x1fc", "abc"),
        ("\u202egnihtemos\u202c \u2066x\u2069\u202a\u202b\u202d\u2067\u2068", "gnihtemos x"),
        ("half \ud83d pair \udc00", "half pair"),
        ("no\ufffecharacter\uffff", "nocharacter"),
        ("e\u0301", "é"),
        ("&amp;lt;", "&amp;lt;"),
        ("שלום 日本 👩‍👩‍👧", "שלום 日本 👩‍👩‍👧"),
        ("\u200bpay\u200dpal\ufeff\u2060 in\u00advi\u034fsi\u200cble", "paypal invisible"),
        ("\u3164\uffa0\u115f\u1160\u180e\u17b4", ""),
        ("hi\U000e0068\U000e0069\U000e007f \ufff9base\ufffatop\ufffb", "hi basetop"),
        ("a\ufe0f\U000e0100\ufe0f\ufe0f b", "a b"),
        ("a\u061c\u200d\u061cb \u180b\u200c\u180b", "ab"),
        ("x\u200e\u200fy", "xy"),
        ("\u200d😀\u200d a\ufe0f\u200d😀", "😀 a😀"),
    ],
)
def test_text_becomes_one_line_without_anything_unfit(text: str, clean: str) -> None:
    assert clean_text(text, 100) == clean


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("می\u200cخواهم", id="Persian"),
        pytest.param("क्\u200dष क्\u200cष", id="Hindi"),
        pytest.param("ශ්\u200dරී", id="Sinhala"),
        pytest.param("ᠨ\u180bᠠ", id="Mongolian"),
        pytest.param("葛\U000e0100城", id="a variant of a Japanese name"),
        pytest.param("\u200fC++\u200f היא שפה", id="marks in Hebrew"),
        pytest.param(
            "👩🏽\u200d🚀 ❤\ufe0f\u200d🔥 🏳\ufe0f\u200d⚧\ufe0f 🙂\u200d↔\ufe0f 1\ufe0f\u20e3 ™\ufe0f", id="emoji"
        ),
        pytest.param("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", id="the flag of Scotland"),
    ],
)
def test_what_cannot_be_seen_stays_where_the_rest_looks_different_without_it(text: str) -> None:
    assert clean_text(text, 100) == text


def test_a_cut_leaves_no_joiner_at_its_end() -> None:
    assert clean_text("می\u200cخواهم", 3) == "می…"
    assert head("می\u200cخواهم", 3) == "می…"
    assert tail("می\u200cخواهم", 6) == "…خواهم"


@given(
    st.text(
        st.sampled_from("aا1 \u0301\u200b\u200c\u200d\u200e\u200f\u061c\u202e\u180bᠠ葛\ufe0f😀🏴\U000e0062\U000e007f")
    )
)
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    clean = clean_text(text, 1000)
    assert clean_text(clean, 1000) == clean


@pytest.mark.parametrize(
    ("text", "limit", "clean"),
    [
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcde…"),
        ("abcd efgh", 5, "abcd…"),
        ("e\u0301" * 5, 5, "é" * 5),
        ("e\u0301" * 6, 5, "é" * 5 + "…"),
        ("\u03b1\u0313\u0300\u0345" * 5, 5, "\u1f82" * 5),
        ("\u03b1\u0313\u0300\u0345" * 6, 5, "\u1f82" * 5 + "…"),
        ("a" + " " * 500 + "b", 5, "a b"),
    ],
)
def test_the_limit_counts_code_points_of_the_clean_text(text: str, limit: int, clean: str) -> None:
    assert clean_text(text, limit) == clean


def test_a_million_combining_marks_cost_no_more_than_the_limit() -> None:
    """Sorting them all would take hours."""
    clean = clean_text("a" + "\u0300\u0316" * 500_000, 250)
    assert len(clean) == 251
    assert clean.endswith("…")


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 40))
def test_clean_text_is_always_fit(text: str, limit: int) -> None:
    clean = clean_text(text, limit)
    assert len(clean) <= limit + 1
    assert unicodedata.is_normalized("NFC", clean)
    assert clean == clean.strip()
    assert "  " not in clean
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in clean)
    clean.encode("utf-8")


@pytest.mark.parametrize(
    ("line", "limit", "start", "end"),
    [
        ("", 5, "", ""),
        ("one two", 7, "one two", "one two"),
        ("one two three", 7, "one two…", "…three"),
        ("one two three", 8, "one two…", "…three"),
        ("one two three", 9, "one two…", "…two three"),
        ("onetwothree", 5, "onetw…", "…three"),
        ("日本語のテキスト", 3, "日本語…", "…キスト"),
        ("word " + "x" * 60, 60, "word " + "x" * 55 + "…", "…" + "x" * 60),
    ],
)
def test_lines_are_cut_between_words_where_there_are_words(line: str, limit: int, start: str, end: str) -> None:
    """A script without blanks is cut at the limit itself."""
    assert head(line, limit) == start
    assert tail(line, limit) == end


@given(st.text(st.sampled_from("ab 日\u0301"), max_size=200), st.integers(1, 120))
def test_cuts_keep_the_limit_and_the_text(text: str, limit: int) -> None:
    line = collapse(text)
    start, end = head(line, limit), tail(line, limit)
    assert line.startswith(start.removesuffix("…"))
    assert line.endswith(end.removeprefix("…"))
    assert max(len(start.removesuffix("…")), len(end.removeprefix("…"))) <= limit
    assert (start == line) == (end == line) == (len(line) <= limit)
