"""The excerpt of a pingback as WordPress cuts it, for blogs that moved and want theirs to look as before.

Rule 1: its steps and its blind spots are the law here, not the meaning of the markup (protocols.md E-10).
Rule 2: lengths are counted in bytes of UTF-8, as WordPress does.
Rule 3: every step is linear in the page, where the expressions that it stands for are not.
"""

from __future__ import annotations

import html
import re
from html.entities import name2codepoint
from itertools import pairwise

_LONGEST_TEXT = 100
_BLANKS = re.compile(rb"[\r\n\t ]+")
# A prefix match: `<picture>` and `<param>` begin with p, so they split too.
_SPLITTING = re.compile(rb"</*(?:h[1-6]|p|t[hd]|li|d[td]|pre|caption|input|textarea|button|body)[^>]*>")
_PARAGRAPH = b"\n\n"
_CODE = re.compile(rb"<(script|style)[^>]*>", re.IGNORECASE)
_TAG_NAME = re.compile(rb"</?([^\s/>]*)")
_TAG_END = re.compile(rb"[<>\"']")
_NESTED = re.compile(rb"<(?!\s)|>")
_CLOSED_BY = {b"<!--": b"-->", b"<?": b"?>"}
_MARKS = re.compile(rb"</?wpcontext>")
_MARK, _MARK_END = b"<wpcontext>", b"</wpcontext>"
_ELLIPSIS = b"&#8230;"
_AMPERSAND = re.compile("&(?!#[0-9]{1,7};|#[xX][0-9A-Fa-f]{1,6};)(?:([A-Za-z][A-Za-z0-9]*);)?")
_ESCAPES = str.maketrans({"<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#039;"})


def excerpt(page: str, target: str, *, raw: bool = False) -> str:
    """The words around the first link to a target, "" where WordPress would see none.

    `page` is the source as text, `target` the URL that its markup must name literally. By default the excerpt is
    text between "[…] " and " […]"; with `raw` it is the string that WordPress stores, escaped as HTML.
    A character that a cut of the link's text leaves incomplete is dropped. Never raises.
    """
    wanted = target.replace("&amp;", "&").replace("&", "&amp;").encode(errors="replace")
    for paragraph in _paragraphs(page.encode(errors="replace")):
        if link := _find_link(paragraph, wanted):
            words = _window(paragraph, *link).decode(errors="ignore")
            return f"[&#8230;] {_escape(words)} [&#8230;]" if raw else f"[…] {html.unescape(words)} […]"
    return ""


def _paragraphs(page: bytes) -> list[bytes]:
    page = _BLANKS.sub(b" ", page.replace(b"<!DOC", b"<DOC"))
    # behind the last tag nothing can match, but every `<` would look for an end
    tagged, end, rest = page.rpartition(b">")
    page = _SPLITTING.sub(_PARAGRAPH, tagged + end) + rest
    return _strip_tags(_without_code(page), b"a").split(_PARAGRAPH)


def _without_code(page: bytes) -> bytes:
    """The page without its scripts and styles; one that is not closed stays."""
    tagged, end, rest = page.rpartition(b">")
    tagged += end
    lower, kept, at, unclosed = tagged.lower(), [], 0, set()
    for opening in _CODE.finditer(tagged):
        name = opening[1].lower()
        if opening.start() < at or name in unclosed:
            continue
        closing = b"</" + name + b">"
        close = lower.find(closing, opening.end())
        if close < 0:
            unclosed.add(name)
            continue
        kept.append(tagged[at : opening.start()])
        at = close + len(closing)
    return b"".join(kept) + tagged[at:] + rest


def _strip_tags(text: bytes, kept: bytes = b"") -> bytes:
    """The text without tags and comments but those of the element `kept`; what follows a tag without end goes too."""
    pieces, at = [], 0
    while (start := text.find(b"<", at)) >= 0:
        pieces.append(text[at:start])
        # a `<` before a blank is no tag
        if text[start + 1 : start + 2].isspace():
            pieces.append(b"<")
            at = start + 1
            continue
        at = _end_of_tag(text, start)
        if at < 0:
            return b"".join(pieces)
        tag = b"<" + _NESTED.sub(b"", text[start + 1 : at - 1]) + b">"
        name = _TAG_NAME.match(tag)
        if kept and name and name[1].lower() == kept:
            pieces.append(tag)
    return b"".join(pieces) + text[at:]


def _end_of_tag(text: bytes, start: int) -> int:
    """Where the tag at `start` ends, -1 for nowhere: quotes hide what is in them, and a tag in a tag must end first."""
    for opening, closing in _CLOSED_BY.items():
        if text.startswith(opening, start):
            end = text.find(closing, start + 1)
            return end + len(closing) if end >= 0 else -1
    depth, quote = 0, b""
    for mark in _TAG_END.finditer(text, start + 1):
        sign = mark[0]
        if sign in (b'"', b"'"):
            quote = b"" if quote == sign else quote or sign
        elif sign == b"<":
            depth += not quote and not text[mark.end() : mark.end() + 1].isspace()
        elif depth:
            depth -= 1
        elif not quote:
            return mark.end()
    return -1


def _find_link(paragraph: bytes, target: bytes) -> tuple[bytes, bytes] | None:
    """The first link that names the target, whole, and its text, which holds no `>`."""
    *parts, _ = paragraph.split(b">")
    for tag, text in pairwise(parts):
        start = tag.find(b"<a")
        if start >= 0 and text.endswith(b"</a") and len(text) > 3 and target in tag[start + 3 :]:
            return tag[start:] + b">" + text + b">", text.removesuffix(b"</a")
    return None


def _window(paragraph: bytes, link: bytes, text: bytes) -> bytes:
    """The paragraph's words around the link; all of them where no blank precedes the link or none follows it."""
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + _ELLIPSIS
    marker = _MARK + text + _MARK_END
    words = _MARKS.sub(b"", paragraph).replace(link, marker)
    words = _strip_tags(words, b"wpcontext").strip(b" \t\n\r\0\x0b")
    around = re.compile(rb".*?\s(.{0,100}" + re.escape(marker) + rb".{0,100})\s", re.DOTALL)
    # no blank that is farther from the first link is near enough to any
    found = around.match(words, max(0, words.find(marker) - 101))
    return _strip_tags(found[1] if found else words)


def _escape(words: str) -> str:
    """The words as HTML text; a reference that is one already stays as it is."""

    def ampersand(match: re.Match[str]) -> str:
        return match[0] if match[1] in name2codepoint else "&amp;" + match[0][1:]

    return _AMPERSAND.sub(ampersand, words).translate(_ESCAPES)
