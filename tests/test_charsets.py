"""Bytes become text as a browser would have it, and never become an error."""

from __future__ import annotations

import codecs

import pytest
import webencodings
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback.charsets import PRESCAN, decode_page, lookup


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        pytest.param("utf-8", "utf-8", id="utf-8"),
        pytest.param(" UTF8\n", "utf-8", id="case and blanks"),
        pytest.param("iso-8859-1", "cp1252", id="VC-56 latin-1"),
        pytest.param("ascii", "cp1252", id="C-58 ascii"),
        pytest.param("gb2312", "gb18030", id="C-58 gb2312"),
        pytest.param("GBK", "gb18030", id="C-58 gbk"),
        pytest.param("x-sjis", "cp932", id="C-58 x-sjis"),
        pytest.param("euc-kr", "cp949", id="C-58 euc-kr"),
        pytest.param("big5", "big5hkscs", id="C-58 big5"),
        pytest.param("utf-16", "utf-16-le", id="utf-16"),
    ],
)
def test_a_label_means_what_browsers_mean(label: str, codec: str) -> None:
    found = lookup(label)
    assert found is not None
    assert codecs.lookup(found).name == codecs.lookup(codec).name


PYTHONS = ("utf-7", "rot13", "zlib", "unicode_escape", "idna", "punycode", "base64", "mbcs", "utf-32", "undefined")
STANDARDS = ("replacement", "iso-2022-kr", "hz-gb-2312", "x-user-defined")
NONSENSE = ("", "a" * 5000, "utf-8\0", "\ud800", "../x", "\u212aoi8-r")


@pytest.mark.parametrize("label", [*PYTHONS, *STANDARDS, *NONSENSE])
def test_what_no_browser_knows_is_no_charset(label: str) -> None:
    """C-58: Python would honour some of these."""
    assert lookup(label) is None


@pytest.mark.parametrize("label", sorted(webencodings.LABELS))
def test_every_label_of_the_standard_decodes(label: str) -> None:
    codec = lookup(label)
    assert decode_page("<p>".encode(codec or "ascii"), label) == "<p>"
    assert isinstance(decode_page(bytes(range(256)), label), str)


@pytest.mark.parametrize(
    ("body", "label", "text"),
    [
        pytest.param("é".encode(), "", "é", id="VC-50 UTF-8"),
        pytest.param(b"\xe9", "", "é", id="VC-51 windows-1252"),
        pytest.param(b"\xd6\xd0\xce\xc4", "", "ÖÐÎÄ", id="VC-52 undeclared GBK"),
        pytest.param(b"\xd6\xd0\xce\xc4", "gbk", "中文", id="VC-48"),
        pytest.param(b"\x93\xfa\x96\x7b\x8c\xea", "Shift_JIS", "日本語", id="VC-49"),
        pytest.param(b"\x93q\x94", "iso-8859-1", "“q”", id="VC-56"),
        pytest.param(b"\xe9", "utf-8", "\ufffd", id="VC-54"),
        pytest.param("é".encode(), "utf-7", "é", id="VC-55 unknown labels are none"),
        pytest.param(codecs.BOM_UTF8 + b"\xc3\xa9", "iso-8859-1", "é", id="A-13 BOM first"),
        pytest.param(b"\xff\xfe" + "é".encode("utf-16-le"), "utf-8", "é", id="VA-103"),
        pytest.param(b"\xfe\xff" + "é".encode("utf-16-be") + b"\x00", "", "é\ufffd", id="UTF-16BE, cut"),
        pytest.param("é".encode("utf-16-le"), "utf-16", "é", id="labelled UTF-16"),
        pytest.param(b'<meta charset="windows-1251">\xe9', "", '<meta charset="windows-1251">й', id="meta"),
        pytest.param(
            b"<META http-equiv=x content='text/html; CHARSET=koi8-r'>\xca",
            "",
            "<META http-equiv=x content='text/html; CHARSET=koi8-r'>й",
            id="old meta",
        ),
        pytest.param(b'<meta charset="koi8-r">\xe9', "iso-8859-1", '<meta charset="koi8-r">é', id="A-13 header first"),
        pytest.param(b"<meta charset=utf-16>\xc3\xa9", "", "<meta charset=utf-16>é", id="a readable lie"),
        pytest.param(b"<meta charset=nonsense>\xe9", "", "<meta charset=nonsense>é", id="unknown meta"),
        pytest.param(
            b"<!-- <meta charset=koi8-r> -->\xe9", "", "<!-- <meta charset=koi8-r> -->é", id="meta in a comment"
        ),
        pytest.param(b"<!-- <meta charset=koi8-r>\xe9", "", "<!-- <meta charset=koi8-r>é", id="in an open comment"),
        pytest.param(
            b' <?xml version="1.0" encoding="iso-8859-5"?>\xd9',
            "",
            ' <?xml version="1.0" encoding="iso-8859-5"?>й',
            id="XML declaration",
        ),
        pytest.param(
            b" " * PRESCAN + b"<meta charset=koi8-r>\xe9", "", " " * PRESCAN + "<meta charset=koi8-r>é", id="too late"
        ),
        pytest.param("é€".encode()[:-1], "", "é\ufffd", id="a body cut inside a character is UTF-8 still"),
        pytest.param(b"caf\xe9", "", "café", id="but one byte at the end alone is none"),
        pytest.param(b"", "", "", id="nothing"),
    ],
)
def test_a_page_is_decoded(body: bytes, label: str, text: str) -> None:
    """A-13."""
    assert decode_page(body, label) == text


labels = st.sampled_from(sorted(webencodings.LABELS)) | st.text(st.characters(exclude_categories=()), max_size=20)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.binary(max_size=200) | st.sampled_from([b"<meta charset=", b"<!--" * 99, b"<?xml encoding='x"]), labels)
def test_no_bytes_make_decoding_fail(body: bytes, label: str) -> None:
    decode_page(body, label).encode("utf-8")
