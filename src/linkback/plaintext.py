"""Strangers' words made fit to store, show and log: one line of plain text.

Rule 1: what comes out has no controls, no bidi overrides, no lone surrogates, and is NFC (protocols.md E-2, E-13).
Rule 2: character references are the parser's matter: nothing is decoded here, so nothing is decoded twice.
"""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"

# Controls that are no white space, bidi embeddings, overrides and isolates, lone surrogates, and the two
# noncharacters that no XML document (a feed of mentions, say) may hold.
_UNFIT = re.compile(
    "[\x00-\x08\x0e-\x1b\x1c-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
# NFC makes at most four code points one, so this many times the limit always holds the limit. Longer runs are cut
# first: sorting combining marks costs the square of their number.
_SHRINKS = 4
# A cut looks this far for a blank. Longer than words are, shorter than it would hurt a script that has no blanks.
_WORD = 40


def collapse(text: str) -> str:
    """Drop what is unfit to show, and make every run of white space one space, none at the ends."""
    return " ".join(_UNFIT.sub("", text).split())


def clean_text(text: str, limit: int) -> str:
    """One line of plain text in NFC, at most `limit` code points and then "…" where something was cut."""
    line = collapse(text)
    start = line[: _SHRINKS * limit]
    normal = unicodedata.normalize("NFC", start)
    if len(normal) <= limit and start == line:
        return normal
    return normal[:limit].rstrip() + ELLIPSIS


def head(line: str, limit: int) -> str:
    """The beginning of a collapsed line: at most `limit` characters, cut between words, "…" if cut."""
    if len(line) <= limit:
        return line
    blank = line.rfind(" ", max(0, limit - _WORD), limit + 1)
    return line[: blank if blank > 0 else limit].rstrip() + ELLIPSIS


def tail(line: str, limit: int) -> str:
    """The end of a collapsed line: at most `limit` characters, cut between words, "…" if cut."""
    if len(line) <= limit:
        return line
    start = len(line) - limit
    blank = line.find(" ", start - 1, start + min(_WORD, limit))
    return ELLIPSIS + line[blank + 1 if blank >= 0 else start :].lstrip()
