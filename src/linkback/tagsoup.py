"""What a browser makes of the tags of HTML, as far as it decides which links are shown.

Rule 1: the tags themselves are read by libxml2, as the HTML standard says. Its ideas of what encloses what are not
        the standard's, so every rule that hides a link is here.
Rule 2: what a browser would not show is none: comments, raw text, `<noscript>` (protocols.md A-21, A-22), and
        everything in `<template>`, in `<select>` and on a page of frames.
Rule 3: in doubt a link is not shown: where SVG or MathML would have been read on differently, nothing after it counts.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping

from linkback.elements import EMBEDDING, KEPT, RAW_TEXT, Collector

_FOREIGN_ROOTS = frozenset({"svg", "math"})
#: where HTML goes on inside SVG and MathML
_INTEGRATION_POINTS = {
    "svg": frozenset({"foreignobject", "desc"}),
    "math": frozenset({"mi", "mn", "mo", "ms", "mtext"}),
}
# HTML's own list of the tags that end SVG and MathML (font does so only by its attributes).
_BREAKOUT_NAMES = (
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta"
    " nobr ol p pre ruby s small span strike strong sub sup table tt u ul var"
)
_BREAKOUTS = frozenset(_BREAKOUT_NAMES.split())
_TABLE_PARTS = frozenset({"table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th"})
# What makes a page one with a body, whatever <frameset> says later.
_CONTENT_NAMES = "applet area br button dd dt hr li listing pre select table textarea xmp"
_CONTENT = EMBEDDING.union(_CONTENT_NAMES.split())

# libxml2 closes <template> and <select> at foreign end tags, and misses their own inside an open <div>. A marker
# element in front of every literal end tag tells when the tokenizer really met one; pages cannot guess its name, nor
# learn it: see `unmarked`.
TEMPLATE_END = f"x{secrets.token_hex(8)}"
_SELECT_END = f"{TEMPLATE_END}s"
_MARKS = {"template": f"<{TEMPLATE_END}></{TEMPLATE_END}>", "select": f"<{_SELECT_END}></{_SELECT_END}>"}
_SELECT_BOUNDS = frozenset({"select", _SELECT_END, "input", "textarea", "keygen"})
_STRUCTURE = _FOREIGN_ROOTS.union({"template", TEMPLATE_END, "frameset"}, *_INTEGRATION_POINTS.values())

#: the tags that anything follows from in HTML; most of a page are others
_TOLD = KEPT | _SELECT_BOUNDS | RAW_TEXT | _TABLE_PARTS | _STRUCTURE | _CONTENT

_RAW_NAMES = "title|textarea|style|script|xmp|iframe|noembed|noframes"
_AFTER_NAME = r"(?=[ \t\n\f\r/>])"
# Unicode's idea of case would let other letters than HTML's spell a tag.
_CASE = re.IGNORECASE | re.ASCII
_ENDS = re.compile(rf"</(template|select|{_RAW_NAMES}){_AFTER_NAME}", _CASE)
_SELF_CLOSED = re.compile(
    rf"""(<(?:{_RAW_NAMES}|noscript){_AFTER_NAME}(?>[^<>"'/]|"[^"<]*"|'[^'<]*'|/(?!>))*+)/>""", _CASE
)
_NOSCRIPT = re.compile(rf"</?noscript{_AFTER_NAME}", _CASE)
_NO_CONTENT = re.compile(rf"(</?)no(script|embed){_AFTER_NAME}", _CASE)
_TAG_LIKE = re.compile("<[a-z/!?]", _CASE)
_WHOLE_MARKUP = re.compile(r"""<!--(?:-?>|.*?--!?>)|<!\[CDATA\[.*?\]\]>|</?[a-z][^<>"'=]*+>""", _CASE | re.DOTALL)


def prepare(text: str, *, whole: str = "") -> str:
    """The text as the parser must see it, so that `HtmlCollector` learns what it needs.

    It may be a part, that ends before a `<`, of a `whole` text.
    """
    if _NO_CONTENT.search(text) and _NOSCRIPT.search(whole or text):
        # With scripting on, <noscript> is raw text. <noembed> is that to libxml2, so the one is read as the other;
        # a real <noembed> must not end at the wrong tag then, so it never ends.
        text = _NO_CONTENT.sub(_hide, text)
    return _ENDS.sub(_mark, text)


def _hide(tag: re.Match[str]) -> str:
    return tag[1] + ("noembed" if tag[2].lower() == "script" else "plaintext")


def _mark(end: re.Match[str]) -> str:
    """An end tag with what goes in front: a marker element, or the blank that shows that raw text had an end."""
    return _MARKS.get(end[1].lower(), " ") + end[0]


def unmarked(text: str) -> str:
    """A text or an attribute without the markers that `prepare` put in, where no end tag was meant."""
    if TEMPLATE_END in text:
        for mark in _MARKS.values():
            text = text.replace(mark, "")
    return text


def without_self_closing(text: str) -> str:
    """The text without the slashes that HTML ignores and libxml2 does not, see `HtmlCollector.self_closed`."""
    return _SELF_CLOSED.sub(r"\1>", text)


def _reads_alike(text: str) -> bool:
    """Whether what libxml2 takes for raw text ends where it does, too, when it is read as markup."""
    at = 0
    while like := _TAG_LIKE.search(text, at):
        if (whole := _WHOLE_MARKUP.match(text, like.start())) is None:
            return False
        at = whole.end()
    return True


class HtmlCollector(Collector):
    """Receives libxml2's events for a text that `prepare` gave.

    `self_closed` says that it took `<script/>` or the like for a whole element, which HTML does not; `marked` is to be
    set where the text may have markers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.self_closed = self.marked = False
        self._templates = 0
        self._tables = 0
        self._in_select = False
        self._has_content = False
        self._lost = False
        #: the open SVG and MathML roots, and the places in them where HTML goes on: name, and whose elements follow
        self._islands: list[tuple[str, str]] = []
        self._raw: list[str] | None = None

    @property
    def _kind(self) -> str:
        """Whose elements stand here: "svg", "math", or "" for HTML."""
        return self._islands[-1][1] if self._islands else ""

    @property
    def settled(self) -> bool:
        """Whether the page has a body: what it shows so far it will show, whatever follows."""
        return self._has_content

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.measure(name, attributes)
        if name not in _TOLD and not self._islands:
            return
        if self._islands and name in _BREAKOUTS:
            while self._kind:
                self._islands.pop()
        if name in KEPT:
            if self.marked:
                attributes = {key: unmarked(value) for key, value in attributes.items()}
            hidden = self._lost or self._in_select or self._templates > 0 or self._kind == "math"
            self.keep(name, attributes, foreign=bool(self._kind), hidden=hidden)
        if name in _SELECT_BOUNDS:
            self._in_select = name == "select" and (bool(self._kind) or not self._in_select)
        if name in RAW_TEXT:
            self._start_raw(name)
        elif name in _TABLE_PARTS:
            self._leave_select()
            self._tables += name == "table"
        elif name in _STRUCTURE:
            self._start_structure(name)
        self._has_content = self._has_content or name in _CONTENT

    def _leave_select(self) -> None:
        # A <select> that nobody closed reaches to the end of its table cell.
        self._in_select = self._in_select and not self._tables

    def _start_raw(self, name: str) -> None:
        self._raw = []
        self._lost = self._lost or name == "plaintext"
        if name == "title" and not (self._templates or self._islands):
            self.keep_title()

    def _start_structure(self, name: str) -> None:
        if name in _FOREIGN_ROOTS:
            self._islands.append((name, self._kind or name))
        elif name == "template":
            self._templates += 1
        elif name == TEMPLATE_END:
            self._templates = max(0, self._templates - 1)
        elif name == "frameset" and not (self._islands or self._has_content):
            self._lost = True
            self.forget_links()
        elif name in _INTEGRATION_POINTS.get(self._kind, ()):
            self._islands.append((name, ""))

    def end(self, name: str) -> None:
        self.finish(name)
        if self._islands and name == self._islands[-1][0]:
            self._islands.pop()
        elif self._raw is not None and name in RAW_TEXT:
            self._end_raw("".join(self._raw))
        elif name in _TABLE_PARTS:
            self._leave_select()
            self._tables -= name == "table"

    def _end_raw(self, text: str) -> None:
        self._raw = None
        if not self._kind:
            # every literal end tag has a blank in front: without one there was none
            self.self_closed = self.self_closed or not text
        if self.self_closed or (self._kind and not _reads_alike(text)):
            self._lost = True

    def data(self, data: str) -> None:
        # most text of a page is of no use to anybody here (figure: verification)
        if self._raw is None and self._has_content and not self._open:
            return
        super().data(data)
        if self._raw is not None:
            self._raw.append(data)
        elif not self._has_content:
            self._has_content = bool(data.strip(" \t\n\f\r\0\ufffd"))

    def words(self, parts: Iterable[str]) -> str:
        """Text as it is kept, on one line and without markers."""
        return super().words([unmarked("".join(parts))] if self.marked else parts)

    def comment(self, data: str) -> None:
        """A CDATA section is one in SVG and MathML only; to libxml2 it is a comment that ends at the first `>`."""
        if self._islands and data.startswith("[CDATA[") and not data.endswith("]]"):
            self._lost = True
