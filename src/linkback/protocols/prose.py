"""The words that travel with pings and replies: plain text, whatever markup a stranger put into them.

Rule: every pattern here is linear, so a hostile text costs no more than an honest one.
"""

from __future__ import annotations

import html
import re

from linkback.plaintext import clean_text, collapse, head

#: longest `Reply.detail`, in code points
MAX_DETAIL = 500

_TAG = re.compile(r"<(?:/?([A-Za-z][A-Za-z0-9]*+)|[!?])[^<>]*+>")
_BREAKING = re.compile(
    "address|article|aside|blockquote|br|dd|div|dl|dt|figcaption|figure|footer|h[1-6]|header|hr|li|main|nav|ol|p|pre"
    "|section|table|td|th|tr|ul",
    re.IGNORECASE,
)
# int() refuses numbers of thousands of digits, and html.unescape lets its error through
_HUGE_REFERENCE = re.compile(r"&#[0-9]{9,}+;?")


def strip_tags(text: str) -> str:
    """The text without its tags; those of blocks leave a blank, so that words stay apart."""
    return _TAG.sub(lambda tag: " " if _BREAKING.fullmatch(tag[1] or "") else "", text)


def unescape(text: str) -> str:
    """The text with character references decoded once."""
    return html.unescape(_HUGE_REFERENCE.sub("\ufffd", text))


def from_html(text: str) -> str:
    """One line of text for markup: tags removed, then references decoded once (protocols.md B-44)."""
    return collapse(unescape(strip_tags(text)))


def from_field(text: str, limit: int) -> str:
    """One line of text for a TrackBack field: `limit` code points, and an ellipsis if cut (protocols.md C-60).

    References are decoded first here, so that escaped markup is stripped as well.
    """
    return clean_text(strip_tags(unescape(text)), limit)


def shorten(line: str, limit: int) -> str:
    """At most `limit` code points, ellipsis included, cut between words where a blank is near (B-44)."""
    return line if len(line) <= limit else head(line, limit - 1)


def detail(text: str) -> str:
    """What a receiver said, for `Reply.detail`: decoded at most once more, never markup (protocols.md B-40)."""
    return shorten(from_html(text), MAX_DETAIL)
