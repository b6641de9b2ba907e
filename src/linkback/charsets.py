"""Which codec a charset label means, and how a page's bytes become text.

Rule: only labels of the WHATWG Encoding table count. Python would also honour `utf-7`, `rot13` or
`unicode_escape`, which nobody should be able to ask for (protocols.md C-58).
"""

from __future__ import annotations

import codecs
import re

import webencodings

# What browsers decode these labels with is the superset that pages really use.
_SUPERSETS = {"shift_jis": "cp932", "gbk": "gb18030", "euc-kr": "cp949", "big5": "big5hkscs"}
_SPELT_OTHERWISE = frozenset({"utf-16-le", "utf-16-be", "iso2022_jp"})
_UNUSABLE = frozenset({"replacement", "x-user-defined"})
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"""<meta\s[^>]{0,400}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.\-]{2,40})""", re.IGNORECASE)
_XML_DECLARATION = re.compile(rb"""^\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_:.\-]{2,40})["']""")
_COMMENT = re.compile(rb"<!--.*?(?:-->|$)", re.DOTALL)
#: how far into a page a <meta charset> is looked for (protocols.md A-13)
PRESCAN = 1024


def byte_order_mark(body: bytes) -> tuple[bytes, str]:
    """The mark that a body begins with, and the codec it stands for; both empty without one."""
    return next(((bom, codec) for bom, codec in _BOMS if body.startswith(bom)), (b"", ""))


def lookup(label: str) -> str | None:
    """The Python codec for a charset label; None for a label no browser knows."""
    encoding = webencodings.lookup(label) if label.isascii() else None
    if encoding is None or encoding.name in _UNUSABLE:
        return None
    return str(_SUPERSETS.get(encoding.name, encoding.codec_info.name))


def spells_ascii(body: bytes, label: str = "") -> bool:
    """Whether letters of ASCII in the text of a page are the same bytes, side by side, in its body."""
    bom, marked = byte_order_mark(body)
    codec = marked if bom else (lookup(label) if label else None) or _declared(body)
    return codec not in _SPELT_OTHERWISE


def _declared(body: bytes) -> str | None:
    head = body[:PRESCAN]
    match = _XML_DECLARATION.match(head) or _META.search(_COMMENT.sub(b"", head))
    codec = lookup(match[1].decode("ascii")) if match else None
    # a declaration that can be read byte by byte cannot be in UTF-16
    return "utf-8" if codec and codec.startswith("utf-16") else codec


def decode_page(body: bytes, label: str = "") -> str:
    """The text of a page: BOM, then `label` (of its Content-Type), then its own declaration, then a guess.

    Undecodable bytes become U+FFFD: decoding never fails (protocols.md A-13).
    """
    bom, marked = byte_order_mark(body)
    if bom:
        return body[len(bom) :].decode(marked, "replace")
    codec = (lookup(label) if label else None) or _declared(body) or _guess(body)
    return body.decode(codec, "replace").removeprefix("\ufeff")


def _guess(body: bytes) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(body)
    except UnicodeDecodeError:
        return "cp1252"
    # a body cut at the size limit may end inside a character, but such an end alone makes no UTF-8
    return "cp1252" if decoder.getstate()[0] and text.isascii() else "utf-8"
