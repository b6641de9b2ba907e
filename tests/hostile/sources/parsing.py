"""Up to 900 kB that cost a parser time squared, recursion or memory: the link at the end must be found, and soon.

The standard library's html.parser takes 105 s for 120 kB of the row `lt-a-space`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.hostile.sources.family import ERROR, LINK, LINKED, NOT_LINKED, Family

FAMILY = Family("dos", seconds=5)

#: name, verdict, what comes before, what is repeated, how often, what comes between that and the link
_REPEATED = (
    ("nested-div-900kB", LINKED, "", "<div>", 170_000, ""),
    ("nested-a-200k", LINKED, "", "<a>", 200_000, ""),
    ("nested-b-200k", LINKED, "", "<b>", 200_000, ""),
    ("nested-table", LINKED, "", "<table><tr><td>", 45_000, ""),
    ("nested-template", NOT_LINKED, "", "<template>", 80_000, ""),
    ("end-tags", LINKED, "", "</x>", 200_000, ""),
    ("lt-900k", LINKED, "", "<", 900_000, ""),
    ("lt-a-space", LINKED, "", "<a ", 280_000, ""),
    ("lt-a-eq", LINKED, "", "<a =", 200_000, ""),
    ("attr-same-200k", LINKED, "<a ", "x=1 ", 200_000, ">"),
    ("attr-name-800kB", LINKED, "<a ", "x", 800_000, ">"),
    ("spaces-in-tag", LINKED, "<a", " ", 900_000, ">"),
    ("slashes-in-tag", LINKED, "<a", "/", 900_000, ">"),
    ("quotes-in-tag", LINKED, "<a ", "\"'", 400_000, ">"),
    ("comment-open", NOT_LINKED, "", "<!--", 220_000, ""),
    ("comment-dashes", NOT_LINKED, "<!--", "-", 900_000, " "),
    ("comment-bang", NOT_LINKED, "<!--", "--!", 300_000, " "),
    ("comment-many", LINKED, "", "<!-- -->", 110_000, ""),
    ("decl-open", LINKED, "", "<![", 300_000, ""),
    ("decl-doctype", LINKED, "", "<!DOCTYPE ", 90_000, ""),
    ("pi-open", LINKED, "", "<?", 450_000, ""),
    ("end-open", LINKED, "", "</", 450_000, ""),
    ("bang", LINKED, "", "<!", 450_000, ""),
    ("amp-900k", LINKED, "", "&", 900_000, ""),
    ("amp-hash", LINKED, "", "&#", 450_000, ""),
    ("amp-name-long", LINKED, "&", "a", 900_000, ""),
    ("amp-entities", LINKED, "", "&amp;", 180_000, ""),
    ("entities-in-attr", LINKED, '<a title="', "&amp;", 180_000, '">'),
    ("giant-ref-text", LINKED, "&#", "9", 800_000, ";"),
    ("notit-refs", LINKED, "", "&notit;", 120_000, ""),
    ("script-almost-close", NOT_LINKED, "<script>", "</scrip", 120_000, ""),
    ("script-open-many", NOT_LINKED, "<script>", "<!--<script", 80_000, ""),
    ("script-lt", NOT_LINKED, "<script>", "</", 440_000, ""),
    ("title-unclosed", NOT_LINKED, "<title>", "</titl", 140_000, ""),
    ("textarea-almost", NOT_LINKED, "<textarea>", "</textare", 95_000, ""),
    ("title-many", LINKED, "", "<title>t</title>", 55_000, ""),
    ("base-many", LINKED, "", '<base href="/a">', 55_000, ""),
    ("eq-900k", LINKED, "", "=", 900_000, ""),
    ("quotes-text", LINKED, "", "\"'", 440_000, ""),
    ("gt-900k", LINKED, "", ">", 900_000, ""),
    ("tag-name-800kB", LINKED, "<", "a", 800_000, ">"),
    ("open-no-close", NOT_LINKED, "", "<a href='", 90_001, ""),
    ("mixed-quotes", LINKED, "", "<p a=\"'\" b='\"'>", 50_000, ""),
    ("cr-900k", LINKED, "", "\r", 900_000, ""),
    ("mf2-nested", LINKED, "", '<div class="h-entry">', 40_000, ""),
    ("select-options", LINKED, "<select>", "<option>", 100_000, "</select>"),
)


def _page(name: str, verdict: str, made: Callable[[], str]) -> None:
    """A page that is made when somebody comes for it: all of them at once are many megabytes."""
    FAMILY.page(name, verdict, lambda visit: made(), or_else=[ERROR])


def _around(before: str, unit: str, times: int, after: str) -> str:
    return before + unit * times + after + LINK


for _name, _verdict, _before, _unit, _times, _after in _REPEATED:
    _page(_name, _verdict, partial(_around, _before, _unit, _times, _after))
_MANY = 90_000
_page("attrs-90k", LINKED, lambda: f"<a {' '.join(f'a{number}=1' for number in range(_MANY))}>{LINK}")
_page("mf2-classes", LINKED, lambda: f'<div class="{" ".join(f"h-{number}" for number in range(_MANY))}">{LINK}')
_page("misnest", LINKED, lambda: "<b><i><a><p>" * 50_000 + "</b></i></p>" * 20_000 + LINK)
_page("title-1MB", LINKED, lambda: f"{LINK}<title>{'t' * 900_000}</title>")
