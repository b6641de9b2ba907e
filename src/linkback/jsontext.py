"""Untrusted JSON text to the links in it, without making what it describes.

Rule 1: a megabyte of `[],` would be a tree of 46: all that is kept of a document is what was asked for.
Rule 2: of a document that is not valid to its end nothing is known; valid is what `json` takes, and numbers of any
        length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from json.decoder import scanstring  # type: ignore[attr-defined]

#: how deep a string may stand, and how deep a document may be nested at all
MAX_DEPTH, _MOST_NESTED = 100, 1_000
# Possessive all of them: no regex remembers where it could go back to, which would be more than the tree.
_BLANKS = r"[ \t\n\r]*+"
_SAFE = r'[^"\\\x00-\x1f]*+"'
#: no string that begins with a blank, an escape, or like http: such a one may be a link
_NO_LINK = rf'"(?![ \\]|[hH](?:\\|[tT](?:\\|[tT](?:\\|[pP])))){_SAFE}'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+"
_NOTHING = rf"\[{_BLANKS}\]|\{{{_BLANKS}\}}"
_PLAIN = rf"(?>{_NO_LINK}|{_NUMBER}|true|false|null|NaN|-?Infinity|{_NOTHING})"
_KEY = rf'"{_SAFE}{_BLANKS}:{_BLANKS}'
#: what stands before a value that must be looked at: blanks, other values, its key
_ITEMS = re.compile(rf"(?:{_BLANKS}{_PLAIN}{_BLANKS},)*+{_BLANKS}")
_MEMBERS = re.compile(rf"(?:{_BLANKS}{_KEY}{_PLAIN}{_BLANKS},)*+{_BLANKS}({_KEY})?+")
_SPACE = re.compile(_BLANKS)
_COLON = re.compile(rf"{_BLANKS}:{_BLANKS}")
#: the value itself: one that is passed over, and else how it begins
_VALUE = re.compile(rf"(?:{_PLAIN}|([\[{{\"])){_BLANKS}")
_AFTER = {"]": re.compile(rf"([,\]]){_BLANKS}"), "}": re.compile(rf"([,}}]){_BLANKS}")}


class _Invalid(Exception):
    """It is no JSON."""


def read_links(text: str, wanted: Callable[[str], bool]) -> list[str]:
    """The string values of a JSON document that are `wanted`, in order, no key among them (protocols.md D-7).

    `wanted` is asked of those that may be http or https URLs. Of a repeated key every value counts; nothing deeper
    than 100. Empty where the text is no JSON, or one that is nested deeper than 1,000.
    """
    found: list[str] = []
    try:
        end = _scan(text, _blanks(text, 0), wanted, found)
    except (_Invalid, ValueError):
        return []
    return found if end == len(text) else []


def read_members(text: str, *names: str) -> dict[str, str]:
    """Of the object that a JSON document is, the members of some names that are strings; the last of a repeated name.

    Empty where the text is no JSON, or no object.
    """
    try:
        return _members(text, names)
    except (_Invalid, ValueError):
        return {}


def _members(text: str, names: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    others = _others(names)
    at = _blanks(text, 0)
    if not text.startswith("{", at):
        raise _Invalid
    if (empty := _VALUE.match(text, at)) is not None and empty[1] is None:
        return {}
    closing = ["}"]
    at += 1
    while closing:
        at = others.match(text, at).end()  # type: ignore[union-attr]
        start, at = at, _after_key(text, at)
        name = scanstring(text, start + 1, True)[0]
        found.pop(name, None)
        if name in names and text.startswith('"', at):
            found[name] = scanstring(text, at + 1, True)[0]
        at = _after_value(text, _scan(text, at, lambda string: False, []), closing)
    if at < len(text):
        raise _Invalid
    return found


@cache
def _others(names: tuple[str, ...]) -> re.Pattern[str]:
    """Members that hold nothing and are none of some names."""
    key = rf'"(?!(?:{"|".join(map(re.escape, names))})"){_SAFE}{_BLANKS}:{_BLANKS}'
    return re.compile(rf"(?:{_BLANKS}{key}{_PLAIN}{_BLANKS},)*+{_BLANKS}")


def _scan(text: str, at: int, wanted: Callable[[str], bool], found: list[str]) -> int:
    """Where the value ends that begins at a place, and blanks after it; what is wanted of it is added to `found`."""
    closing: list[str] = []
    while True:
        at = _before_value(text, at, closing)
        value = _VALUE.match(text, at)
        if value is None or len(closing) > _MOST_NESTED:
            raise _Invalid
        begun = value[1]
        if begun == "[":
            closing.append("]")
            at += 1
            continue
        if begun == "{":
            closing.append("}")
            at += 1
            continue
        at = value.end()
        if begun:
            string, at = scanstring(text, value.end(1), True)
            if len(closing) <= MAX_DEPTH and wanted(string):
                found.append(string)
            at = _blanks(text, at)
        at = _after_value(text, at, closing)
        if not closing:
            return at


def _blanks(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]


def _before_value(text: str, at: int, closing: list[str]) -> int:
    """Where the next value begins that must be looked at."""
    if not closing:
        return at
    if closing[-1] == "]":
        return _ITEMS.match(text, at).end()  # type: ignore[union-attr]
    members = _MEMBERS.match(text, at)
    at = members.end()  # type: ignore[union-attr]
    # or it is a key with escapes in it
    return at if members[1] is not None else _after_key(text, at)  # type: ignore[index]


def _after_key(text: str, at: int) -> int:
    if not text.startswith('"', at):
        raise _Invalid
    colon = _COLON.match(text, scanstring(text, at + 1, True)[1])
    if colon is None:
        raise _Invalid
    return colon.end()


def _after_value(text: str, at: int, closing: list[str]) -> int:
    """Where the next value may begin, after what ends here has been closed; `closing` is empty at the end."""
    while closing:
        mark = _AFTER[closing[-1]].match(text, at)
        if mark is None:
            raise _Invalid
        at = mark.end()
        if mark[1] == ",":
            break
        closing.pop()
    return at
