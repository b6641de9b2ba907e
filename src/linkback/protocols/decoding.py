"""How the bytes of a ping or of a reply become text.

Rule: a ping that says what it is must be what it says; a reply is read whatever it is; a form, whose
charset may be named in three places or nowhere, always becomes text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from linkback.charsets import byte_order_mark, lookup
from linkback.errors import Reason, Refused
from linkback.forms import Fields

_DECLARATION = re.compile(rb"""<\?xml(?=\s)[^<>]{0,200}?\sencoding\s{0,20}=\s{0,20}["']([A-Za-z0-9_:.\-]{1,40})["']""")
#: how much junk may stand before an XML declaration (protocols.md B-31)
_PRESCAN = 4096
_ISO_2022_JP = re.compile(rb"\x1b[$(]")


def decode_call(body: bytes, charset: str = "") -> str:
    """The text of an XML request: BOM, then `charset`, then its XML declaration, then UTF-8.

    `charset` is the Content-Type's parameter, for XML types only. Raises `Refused` with
    `UNKNOWN_ENCODING` or `UNDECODABLE` (protocols.md C-24).
    """
    bom, codec = byte_order_mark(body)
    label = charset or _declared(body)
    if not codec:
        codec = (lookup(label) if label else "utf-8") or ""
    if not codec:
        raise Refused(Reason.UNKNOWN_ENCODING, "the XML names an unknown encoding")
    try:
        return body[len(bom) :].decode(codec)
    except UnicodeError as error:
        raise Refused(Reason.UNDECODABLE, f"the bytes are not {codec}") from error


def decode_reply(body: bytes, charset: str = "") -> str:
    """The text of an answer: BOM or XML declaration, else UTF-8, else `charset`, else latin-1 (B-46)."""
    bom, codec = byte_order_mark(body)
    for candidate in (codec, lookup(_declared(body)), "utf-8", lookup(charset)):
        if candidate and _fits(candidate, [body[len(bom) :]]):
            return body[len(bom) :].decode(candidate)
    return body.decode("latin-1")


def decode_form(fields: Fields, charset: str, fallbacks: Sequence[str]) -> dict[str, str]:
    """The fields of a TrackBack form as text, the first of each name (protocols.md C-55, C-57).

    `charset` is the Content-Type's parameter; a field `charset` may say so instead. `fallbacks` are
    the labels to try, in order, for bytes that nobody named and that are not UTF-8.
    """
    first: dict[bytes, bytes] = {}
    for name, value in fields:
        first.setdefault(name, value)
    labels = f"{charset},{first.get(b'charset', b'').decode('ascii', 'replace')}"
    codec, errors = _choose(list(first.values()), labels, fallbacks)
    return {name.decode("latin-1"): value.decode(codec, errors) for name, value in first.items()}


def _choose(values: list[bytes], labels: str, fallbacks: Sequence[str]) -> tuple[str, str]:
    declared = next(_codecs(labels.split(",")), None)
    guesses = list(_codecs(fallbacks))
    if declared:
        candidates = [declared, "utf-8"]
    elif any(_ISO_2022_JP.search(value) for value in values):
        # its bytes are valid ASCII, so it must be tried before UTF-8
        candidates = ["iso2022_jp_ext", "utf-8", *guesses]
    else:
        candidates = ["utf-8", *guesses]
    for codec in candidates:
        if _fits(codec, values):
            return codec, "strict"
    return declared or next(iter(guesses), "utf-8"), "replace"


def _codecs(labels: Sequence[str]) -> Iterator[str]:
    return (codec for label in labels if (codec := lookup(label)))


def _fits(codec: str, values: list[bytes]) -> bool:
    try:
        for value in values:
            value.decode(codec)
    except UnicodeError:
        return False
    return True


def _declared(body: bytes) -> str:
    match = _DECLARATION.search(body[:_PRESCAN])
    label = match[1].decode("ascii") if match else ""
    # a declaration that can be read byte by byte is not in UTF-16, whatever it says
    return "utf-8" if label.lower().startswith("utf-16") else label
