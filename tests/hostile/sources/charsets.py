"""Charsets: those that hide markup, those that Python knows and the web does not, and bytes outside any."""

from __future__ import annotations

import codecs

from tests.hostile.sources.family import ERROR, LINK, LINKED, NOT_LINKED, TARGET, Family, document

FAMILY = Family("cs", seconds=3)

_PAGE = document(LINK)
_ASCII = _PAGE.encode()


def _row(name: str, verdict: str, body: bytes, charset: str | None = "utf-8", *or_else: str) -> None:
    kind = "text/html" if charset is None else f"text/html; charset={charset}"
    FAMILY.page(name, verdict, body, content_type=kind, or_else=or_else)


_row("utf8-bom", LINKED, b"\xef\xbb\xbf" + _ASCII, None)
_row("utf16le-bom", LINKED, b"\xff\xfe" + _PAGE.encode("utf-16-le"), None)
_row("utf16be-bom", LINKED, b"\xfe\xff" + _PAGE.encode("utf-16-be"), None)
_row("utf16le-header", LINKED, _PAGE.encode("utf-16-le"), "utf-16le")
_row("utf16-no-hint", NOT_LINKED, _PAGE.encode("utf-16-le"), None, LINKED, ERROR)
_row("utf16-odd", LINKED, b"\xff\xfe" + _PAGE.encode("utf-16-le") + b"\x3d", None)
_row("utf32", NOT_LINKED, _PAGE.encode("utf-32"), "utf-32", LINKED, ERROR)

# codecs of Python that are none of the web would bring hidden markup to light
_UTF7 = _PAGE.encode("utf-7").replace(b"<", b"+ADw-").replace(b">", b"+AD4-").replace(b'"', b"+ACI-")
_ESCAPED = _PAGE.replace("<", "\\x3c").encode()
_row("utf7-header", NOT_LINKED, _UTF7, "utf-7", ERROR)
_row("utf7-meta", NOT_LINKED, b'<meta charset="utf-7">' + _UTF7, None, ERROR)
_row("unicode-escape", NOT_LINKED, _ESCAPED, "unicode_escape", ERROR)
_row("unicode-escape-meta", NOT_LINKED, b'<meta charset="unicode_escape">' + _ESCAPED, None, ERROR)
_row("raw-unicode-escape", NOT_LINKED, _PAGE.replace("<", "\\u003c").encode(), "raw_unicode_escape", ERROR)
_row("ebcdic", NOT_LINKED, _PAGE.encode("cp037"), "cp037", ERROR)
_row("rot13", NOT_LINKED, codecs.encode(_PAGE, "rot13").encode(), "rot13", ERROR)

# a label that means nothing is no reason to fail: markup in ASCII is found all the same
_CODECS = ("zlib", "bz2", "hex", "base64", "quopri", "uu", "idna", "punycode", "undefined", "mbcs", "oem")
_LABELS = {
    **{codec: codec for codec in _CODECS},
    "path": "../../etc/passwd",
    "nul": "utf-8\0",
    "empty": "",
    "two": "utf-8; charset=utf-16",
    "quote": "'",
    "long": "a" * 300,
    "x-user-defined": "x-user-defined",
    "replacement": "replacement",
}
for _name, _label in _LABELS.items():
    _row(f"name-{_name}", LINKED, _ASCII, _label, ERROR)
_row("name-no-such-charset", LINKED, _ASCII, "no-such-charset")

_row("invalid-utf8", LINKED, b"\xff\xfe\xfd\x80" * 9 + b"x" + _ASCII, "utf-8", NOT_LINKED)
_row("invalid-utf8-mid", LINKED, b"<p>\x80\xc3(\xf0\x28\x8c\x28</p>" + _ASCII)
_row("overlong-lt", NOT_LINKED, _ASCII.replace(b"<", b"\xc0\xbc"))
_row("cesu-surrogates", LINKED, b"\xed\xa0\x80\xed\xb0\x80" + _ASCII)
_row("shift-jis", LINKED, ("日本語" + _PAGE).encode("shift_jis"), "Shift_JIS")
_row("gb18030", LINKED, ("中文" + _PAGE).encode("gb18030"), "gb18030")
_row("iso2022jp", LINKED, ("日本" + _PAGE).encode("iso2022_jp"), "iso-2022-jp")
_META = _PAGE.replace("<title>", '<meta charset="utf-16"><title>').encode()
_row("meta-vs-header", LINKED, _META)
# such a meta means UTF-8 (HTML 13.2.3.2)
_row("meta-utf16-lie", LINKED, _META, None, NOT_LINKED)
_row("nul-everywhere", NOT_LINKED, _ASCII.replace(b"a", b"a\0"), "utf-8", ERROR)
_row("nul-in-text", LINKED, b"<p>\0\0\0</p>" + _ASCII)
_row("nul-in-href", NOT_LINKED, document(f'<a href="{TARGET}\0">x</a>').encode())
_row("nul-tagname", NOT_LINKED, document(f'<a\0 href="{TARGET}">x</a>').encode())
_TITLE = "\u202eevil\u2066\x1b[31m\x07\r\nINFO forged log line\u2028"
_row("bidi-and-escape-title", LINKED, _PAGE.replace("Hostile", _TITLE).encode())
