"""The words that the thread says itself, in the reader's language; English is the source.

Rule: what has parts (a name in a sentence, a day in a date) is one pattern, so that each language orders them itself.

The catalogues in `locale/` are gettext's. After a change of words, from the folder of the project:

    pybabel extract --no-location -o src/linkback/locale/linkback.pot src/linkback/web
    pybabel update --no-fuzzy-matching -D linkback -i src/linkback/locale/linkback.pot -d src/linkback/locale
    pybabel compile -D linkback -d src/linkback/locale
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

DOMAIN = "linkback"
LOCALE = Path(__file__).parent.parent / "locale"

#: languages that are written from right to left
_RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
#: a tag is never longer; a stranger's header may be
_LONGEST_TAG = 35
_MOST_TAGS = 20
_QUALITY = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.ASCII | re.IGNORECASE)


def N_(text: str) -> str:
    """Mark a text for the catalogues where it is not yet said."""
    return text


_MONTHS = (
    N_("January"),
    N_("February"),
    N_("March"),
    N_("April"),
    N_("May"),
    N_("June"),
    N_("July"),
    N_("August"),
    N_("September"),
    N_("October"),
    N_("November"),
    N_("December"),
)


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its BCP 47 `code`, and its gettext `catalogue`. A host may make one with a catalogue of its own."""

    code: str = "en"
    catalogue: NullTranslations = field(default_factory=NullTranslations, repr=False)

    @property
    def direction(self) -> str:
        """How it is written: "ltr" or "rtl"."""
        return "rtl" if self.code.partition("-")[0].lower() in _RIGHT_TO_LEFT else "ltr"

    def gettext(self, text: str) -> str:
        """The text in this language; the text itself where the catalogue has none."""
        return self.catalogue.gettext(text)

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """The form that goes with a count, which stands in its `{count}`."""
        return self.catalogue.ngettext(singular, plural, count).replace("{count}", str(count))

    def around(self, pattern: str) -> tuple[str, str]:
        """What a pattern, in this language, says before its `{name}` and after it."""
        before, _, after = self.gettext(pattern).partition("{name}")
        return before, after

    def date(self, when: datetime) -> str:
        """A day and the time on it, as `when` has them."""
        return self.gettext("{day} {month} {year}, {time}").format(
            day=when.day, month=self.gettext(_MONTHS[when.month - 1]), year=when.year, time=f"{when:%H:%M}"
        )


ENGLISH = Language()


def of(*wanted: str) -> Language:
    """The first language that is wanted and known, without its region where need be ("de-AT" is "de"); else English."""
    known = _known()
    for tag in wanted:
        parts = tag[:_LONGEST_TAG].replace("_", "-").lower().split("-")
        for end in range(len(parts), 0, -1):
            if (code := "-".join(parts[:end])) in known:
                return _opened(known[code]) if known[code] else ENGLISH
    return ENGLISH


def accepted(header: str) -> list[str]:
    """The languages of an `Accept-Language` field, the best first; what cannot be read is passed over."""
    found: list[tuple[float, str]] = []
    for part in header.split(",", _MOST_TAGS)[:_MOST_TAGS]:
        tag, _, parameter = part.partition(";")
        quality = _QUALITY.fullmatch(parameter) if parameter.strip() else None
        if parameter.strip() and quality is None:
            continue
        found.append((float(quality[1]) if quality else 1.0, tag.strip()))
    found.sort(key=lambda pair: -pair[0])
    return [tag for quality, tag in found if quality > 0 and tag]


@cache
def _known() -> dict[str, str]:
    """The folder of each language, by its code in lower case; English needs none."""
    folders = [catalogue.parent.parent.name for catalogue in LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")]
    return {"en": ""} | {name.replace("_", "-").lower(): name for name in folders}


@cache
def _opened(folder: str) -> Language:
    with (LOCALE / folder / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
        return Language(folder.replace("_", "-"), GNUTranslations(file))
