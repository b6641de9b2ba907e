"""The `Link` header field: RFC 8288 sections 3 and B.

Rule: a field is read up to its first mistake; what came before stays, other fields are still read
(protocols.md A-64). So fields must never be joined before they get here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_BLANKS = " \t"
_TOKEN = re.compile(r"[^ \t\n\f\r]+")


@dataclass(frozen=True, slots=True)
class LinkValue:
    """One link of a `Link` field: the reference as written, its relation types in lower case, its anchor."""

    reference: str
    rels: tuple[str, ...]
    anchor: str | None


def read_links(fields: Iterable[str]) -> Iterator[LinkValue]:
    """The links of all `Link` fields of a response, in order."""
    for text in fields:
        yield from _read_field(text)


def _read_field(text: str) -> Iterator[LinkValue]:
    at = 0
    while True:
        at = _skip(text, at, _BLANKS + ",")
        end = text.find(">", at)
        if not text.startswith("<", at) or end < 0:
            return
        parameters: dict[str, str] = {}
        reference = text[at + 1 : end]
        at = _read_parameters(text, end + 1, parameters)
        # No relation name contains a quote, so the single ones some servers write cannot matter.
        rels = _TOKEN.findall(parameters.get("rel", "").strip("'"))
        yield LinkValue(reference.strip(_BLANKS), tuple(map(_lower, rels)), parameters.get("anchor"))


def _lower(token: str) -> str:
    # other letters than ASCII's must not become them
    return token.lower() if token.isascii() else token


def _read_parameters(text: str, at: int, found: dict[str, str]) -> int:
    """Read `;`-separated parameters from `at`; the first of a name counts. Returns where they end."""
    while True:
        at = _skip(text, at, _BLANKS)
        if not text.startswith(";", at):
            comma = text.find(",", at)
            return len(text) if comma < 0 else comma
        at = _skip(text, at + 1, _BLANKS)
        end = _until(text, at, "=;,")
        name = text[at:end].strip(_BLANKS).lower()
        value, at = "", end
        if text.startswith("=", end):
            value, at = _read_value(text, _skip(text, end + 1, _BLANKS))
        if name:
            found.setdefault(name, value)


def _read_value(text: str, at: int) -> tuple[str, int]:
    if not text.startswith('"', at):
        end = _until(text, at, ";,")
        return text[at:end].strip(_BLANKS), end
    parts: list[str] = []
    at += 1
    while at < len(text) and text[at] != '"':
        at += text[at] == "\\"
        parts.append(text[at : at + 1])
        at += 1
    return "".join(parts), at + 1


def _skip(text: str, at: int, characters: str) -> int:
    while at < len(text) and text[at] in characters:
        at += 1
    return at


def _until(text: str, at: int, stops: str) -> int:
    while at < len(text) and text[at] not in stops:
        at += 1
    return at
