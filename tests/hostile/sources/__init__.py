"""A hostile web site on loopback: each path is one way to answer wrongly, too much, too slowly or with a trap.

Rule 1: `HOST` is the one address that whoever is under test may connect to. `CANARY` plays the internal service: each
connection to it is a failure.
Rule 2: a case says what the answer must come to, and within which time, bytes and memory.
"""

from __future__ import annotations

from tests.hostile.sources import (
    answers,
    big,
    charsets,
    compressed,
    framing,
    honest,
    markup,
    parsing,
    privacy,
    redirects,
    slow,
    statuses,
    typed,
    valued,
)
from tests.hostile.sources.family import Case, Handler

_FAMILIES = (
    *honest.FAMILIES,
    *slow.FAMILIES,
    big.FAMILY,
    compressed.FAMILY,
    framing.FAMILY,
    statuses.FAMILY,
    redirects.FAMILY,
    privacy.FAMILY,
    typed.FAMILY,
    valued.FAMILY,
    answers.FAMILY,
    charsets.FAMILY,
    *markup.FAMILIES,
    parsing.FAMILY,
)
#: by path
CASES: dict[str, Case] = {path: case for family in _FAMILIES for path, case in family.cases.items()}
HANDLERS: dict[str, Handler] = {path: handler for family in _FAMILIES for path, handler in family.handlers.items()}
