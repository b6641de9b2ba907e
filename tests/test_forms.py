"""Forms are taken apart into bytes, and only forms."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback.errors import Reason, Refused
from linkback.forms import MAX_FIELDS, MULTIPART, URLENCODED, Fields, read_form, write_form
from linkback.wire import Request

PARTS = f"{MULTIPART}; boundary=b"


def form(body: bytes, content_type: str = URLENCODED) -> Request:
    return Request("POST", "https://t.example/", (("Content-Type", content_type),) if content_type else (), body)


def part(name: str, value: str) -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", []),
        (b"source=S&target=T", [(b"source", b"S"), (b"target", b"T")]),
        (b"a=1&a=2&b=&c", [(b"a", b"1"), (b"a", b"2"), (b"b", b""), (b"c", b"")]),
        (b"t=%C3%A9+%26&u=\xe9", [(b"t", b"\xc3\xa9 &"), (b"u", b"\xe9")]),
        (b"t=%d6%D0%ce%c4", [(b"t", b"\xd6\xd0\xce\xc4")]),
        (b"%zz=%&x=%4", [(b"%zz", b"%"), (b"x", b"%4")]),
        (b"url=http://s.example/?a=1;b", [(b"url", b"http://s.example/?a=1;b")]),
    ],
)
@pytest.mark.parametrize("content_type", ["", URLENCODED, "Application/X-WWW-Form-URLEncoded; charset=gbk"])
def test_a_urlencoded_body_is_read_as_bytes(body: bytes, fields: Fields, content_type: str) -> None:
    """C-54, C-57: the charset is chosen later."""
    assert read_form(form(body, content_type)) == fields


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (part("a", "1") + part("b", "x\r\ny\r\n") + "--b--", [(b"a", b"1"), (b"b", b"x\r\ny\r\n")]),
        ("preamble\r\n" + part("a", "") + "--b--\r\nepilogue", [(b"a", b"")]),
        (part("a", "1").replace("\r\n", "\n") + "--b--\n", [(b"a", b"1")]),
        (part("a", "--b and --bc\r\n--bc") + "--b-- \t\r\n", [(b"a", b"--b and --bc\r\n--bc")]),
        (part("a", "1").replace('"', "") + "--b--", [(b"a", b"1")]),
        ('--b\r\nX: y\r\ncontent-disposition:form-data ;NAME="a"; filename="f"\r\n\r\n1\r\n--b--', [(b"a", b"1")]),
        ('--b\r\nContent-Disposition: form-data; filename="f"\r\n\r\n1\r\n--b--', []),
        ("--b\r\nX: y\r\n\r\n1\r\n--b--", []),
        ("--b\r\n\r\nno headers\r\n--b--", []),
        ("--b\r\nnot a part\r\n--b--", []),
        ("--b--", []),
        (
            "".join(part("n", str(n)) for n in range(MAX_FIELDS)) + "--b--",
            [(b"n", b"%d" % n) for n in range(MAX_FIELDS)],
        ),
    ],
)
def test_a_multipart_body_is_read_as_bytes(body: str, fields: Fields) -> None:
    assert read_form(form(body.encode(), PARTS)) == fields


def test_a_urlencoded_body_has_as_many_fields_as_may_be() -> None:
    """One more is refused, see below."""
    assert read_form(form(b"&".join([b"a=1"] * MAX_FIELDS), URLENCODED)) == [(b"a", b"1")] * MAX_FIELDS


@pytest.mark.parametrize("content_type", [f'{MULTIPART}; boundary="b"', f"{MULTIPART};charset=utf-8;Boundary=b; x"])
def test_the_boundary_may_be_quoted(content_type: str) -> None:
    body = part("a", "é").encode() + b"--b--"
    assert read_form(form(body, content_type)) == [(b"a", b"\xc3\xa9")]


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"{}", "application/json", Reason.BAD_CONTENT_TYPE),
        (b"<x/>", "text/xml", Reason.BAD_CONTENT_TYPE),
        (b"a=1", ";;;=", Reason.BAD_CONTENT_TYPE),
        (b"&".join([b"a=1"] * (MAX_FIELDS + 1)), URLENCODED, Reason.TOO_LARGE),
        (part("a", "1").encode() * (MAX_FIELDS + 1) + b"--b--", PARTS, Reason.TOO_LARGE),
        (part("a", "1").encode(), PARTS, Reason.MALFORMED),
        (b"", PARTS, Reason.MALFORMED),
        (b"--b--", MULTIPART, Reason.MALFORMED),
        (b"--b--", f'{MULTIPART}; boundary=""', Reason.MALFORMED),
        (b"--\r\n\r\n----", f"{MULTIPART}; boundary=", Reason.MALFORMED),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, content_type: str, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read_form(form(body, content_type))
    assert refused.value.reason is reason


@given(st.lists(st.tuples(st.text(), st.text()), max_size=MAX_FIELDS))
def test_what_is_written_is_read(pairs: list[tuple[str, str]]) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in pairs]
    assert read_form(form(write_form(pairs))) == encoded


def test_forms_are_written_in_utf_8_with_plus_for_blanks() -> None:
    """B-42, B-50."""
    assert write_form([("a b", "é&"), ("half", "\ud83d")]) == b"a+b=%C3%A9%26&half=%3F"


pieces = [
    b"--b",
    b"--b--",
    b"\r\n",
    b"\n",
    b"Content-Disposition: form-data",
    b"; name=",
    b'"',
    b"x",
    b"\xff",
    b"(" * 99,
    b"%",
    b"&",
    b"=",
]
content_types = st.sampled_from([PARTS, URLENCODED, "", f'{MULTIPART}; boundary="(*+["', f"{MULTIPART};boundary=é"])


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(st.sampled_from(pieces), max_size=30).map(b"".join) | st.binary(), content_types | st.text(max_size=30))
def test_no_body_makes_reading_fail_otherwise_than_by_refusing(body: bytes, content_type: str) -> None:
    try:
        fields = read_form(form(body, content_type))
    except Refused:
        return
    assert len(fields) <= MAX_FIELDS


@pytest.mark.parametrize(
    "unit", [b"\r\n--b", b"\n", b";", b"; name=", b'; name="', b"Content-Disposition: form-data;", b"a:b\n"]
)
@pytest.mark.parametrize("before", [b"", b"--b\r\n", b"--b\r\nContent-Disposition: form-data", part("a", "").encode()])
def test_a_long_body_is_read_in_one_go(before: bytes, unit: bytes) -> None:
    """The mail parser of the standard library needs minutes for some of these."""
    with pytest.raises(Refused):
        read_form(form(before + unit * (262_144 // len(unit)), PARTS))
