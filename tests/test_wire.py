"""HTTP as plain values: fields stay apart, names have no case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkback.wire import Request, Response, as_headers


def test_headers_come_from_a_mapping_or_from_pairs() -> None:
    assert as_headers({"A": "1", "B": "2"}) == as_headers([("A", "1"), ("B", "2")]) == (("A", "1"), ("B", "2"))
    assert as_headers(iter([("A", "1")])) == (("A", "1"),)


def test_fields_of_one_name_stay_apart_and_in_order() -> None:
    response = Response(200, (("Link", " <a> "), ("X", "y"), ("LINK", "\t<b>"), ("link", "")))
    assert response.header_all("Link") == ["<a>", "<b>", ""]
    assert response.header("lInK") == "<a>"
    assert response.header_all("Nothing") == []
    assert response.header("Nothing", "else") == "else"
    assert response.header("link", "else") == "<a>"


@pytest.mark.parametrize(
    ("value", "essence", "charset"),
    [
        ("text/html", "text/html", ""),
        ("TEXT/HTML ; Charset=UTF-8", "text/html", "utf-8"),
        ("text/html;charset='utf-8'", "text/html", "utf-8"),
        ('text/html;charset="utf-8";x=";"; y', "text/html", "utf-8"),
        ("text/html; charset=a; charset=b", "text/html", "a"),
        ("text/html; charset", "text/html", ""),
        ("; charset=x", "", "x"),
        ("", "", ""),
    ],
)
def test_the_content_type_is_read_apart(value: str, essence: str, charset: str) -> None:
    """A-9."""
    request = Request("POST", "https://t.example/", (("content-TYPE", value),))
    assert (request.content_type, request.charset) == (essence, charset)


def test_without_a_content_type_there_is_neither() -> None:
    assert (Response().content_type, Response().charset) == ("", "")


@given(st.lists(st.tuples(st.text(max_size=9), st.text(st.characters(exclude_categories=()), max_size=30))))
def test_no_header_makes_reading_fail(pairs: list[tuple[str, str]]) -> None:
    response = Response(200, as_headers([*pairs, ("Content-Type", "".join(value for _, value in pairs))]))
    assert ";" not in response.content_type + response.charset
