"""Strangers' words made fit to store, show and log: one line of plain text.

Rule 1: what comes out has no controls, no bidi overrides, no lone surrogates, and is NFC (protocols.md E-2, E-13).
Rule 2: what shows nothing is dropped, unless the letters or emoji around it look different without it.
Rule 3: character references are the parser's matter: nothing is decoded here, so nothing is decoded twice.
"""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"

# Controls that are no white space, annotations, lone surrogates, the two noncharacters that no XML document may hold,
# and of what Unicode calls default ignorable all that has no place in a line: overrides, isolates, fillers.
_UNFIT = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u202a-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e001f\U000e0080-\U000e00ff\U000e01f0-\U000e0fff]"
)
#: where the scripts stand whose letters take other shapes beside a joiner: Arabic to Mongolian, those of India
_JOINING = (
    "\u0600-\u061b\u061d-\u180a\u1810-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    "\U00010a00-\U00011fff\U0001e900-\U0001e95f"
)
_EMOJI = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
#: the rest of the ignorable, each with where it changes what is seen
_TELLING = "|".join(
    (
        f"[\u200c\u200d](?<=[{_JOINING}].)(?=[{_JOINING}])",
        f"\u200d(?:(?<=[{_EMOJI}].)|(?<=[{_EMOJI}]\ufe0f.))(?=[{_EMOJI}])",
        f"[\ufe0e\ufe0f](?<=[0-9#*{_EMOJI}].)",
        f"[\ufe00-\ufe0f\U000e0100-\U000e01ef](?<=[\u1000-\u109f{_IDEOGRAPHS}].)",
        "[\u180b-\u180d\u180f](?<=[\u1807\u1820-\u18aa].)",
        # the flags of England, Scotland and Wales
        "[\U000e0030-\U000e007a](?<=\U0001f3f4.)[\U000e0030-\U000e007a]{2,5}\U000e007f",
    )
)
_MARKS = "\u061c\u200e\u200f"
_IGNORABLE = f"[{_MARKS}\u180b-\u180f\u200c\u200d\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef]"
_INVISIBLE = re.compile(_IGNORABLE)
_STRAY = re.compile(f"({_TELLING})|{_IGNORABLE}")
#: in a line with letters that are written from the right marks say which way the signs beside them go
_STRAY_BESIDE_MARKS = re.compile(f"({_TELLING}|[{_MARKS}](?!{_IGNORABLE}))|{_IGNORABLE}")
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
#: what may stand where a text was cut, and would join it to nothing
_LOOSE = " \u200c\u200d"
# NFC makes at most four code points one, so this many times the limit always holds the limit. Longer runs are cut
# first: sorting combining marks costs the square of their number.
_SHRINKS = 4
# A cut looks this far for a blank. Longer than words are, shorter than it would hurt a script that has no blanks.
_WORD = 40


def collapse(text: str) -> str:
    """Drop what is unfit to show, and make every run of white space one space, none at the ends.

    Joiners stay between letters of the scripts that need them and between emoji, and marks of direction in a line with
    letters that are written from the right.
    """
    fit = _UNFIT.sub("", text)
    if _INVISIBLE.search(fit):
        stray = _STRAY_BESIDE_MARKS if _RIGHT_TO_LEFT.search(fit) else _STRAY
        fit = stray.sub(r"\1", fit)
    return " ".join(fit.split())


def clean_text(text: str, limit: int) -> str:
    """One line of plain text in NFC, at most `limit` code points and then "…" where something was cut."""
    line = collapse(text)
    start = line[: _SHRINKS * limit]
    normal = unicodedata.normalize("NFC", start)
    if len(normal) <= limit and start == line:
        return normal
    return normal[:limit].rstrip(_LOOSE) + ELLIPSIS


def head(line: str, limit: int) -> str:
    """The beginning of a collapsed line: at most `limit` characters, cut between words, "…" if cut."""
    if len(line) <= limit:
        return line
    blank = line.rfind(" ", max(0, limit - _WORD), limit + 1)
    return line[: blank if blank > 0 else limit].rstrip(_LOOSE) + ELLIPSIS


def tail(line: str, limit: int) -> str:
    """The end of a collapsed line: at most `limit` characters, cut between words, "…" if cut."""
    if len(line) <= limit:
        return line
    start = len(line) - limit
    blank = line.find(" ", start - 1, start + min(_WORD, limit))
    return ELLIPSIS + line[blank + 1 if blank >= 0 else start :].lstrip(_LOOSE)
