"""What a reference to a URL must have in it: by that alone most references, and most pages, need no closer look.

Rule: a no is sure, for `urls.satisfies` and `urls.satisfies_loosely`, wherever the reference is not relative to a URL
on the target's own host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from linkback import urls

_RUN = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
#: how the characters of a run may be spelt otherwise in a reference
_ESCAPED = re.compile(r"%(2d|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])")
_BLANKS = str.maketrans("", "", "\t\n\r")
#: where a host stands in one
_AUTHORITY = re.compile(r"[\x00-\x20]*[a-z]*:?[/\\]*([^/\\?#]*)")


def needles(target: str) -> tuple[str, ...]:
    """What stands, apart from case, in the path or query of every reference that means `target`.

    Runs of letters, digits, - and _, which may be escaped there; the longest first. None for a home page.
    """
    url = urls.parse(urls.canonical(target) or "")
    if url is None:
        return ()
    parts = (url.path, *urls.telling(url.query[1:]))
    runs = {run.lower() for part in parts for run in _RUN.findall(_ESCAPE.sub("/", part))}
    return tuple(sorted(runs, key=lambda run: (-len(run), run)))


def look_for(target: str) -> Callable[[str], bool]:
    """A first look at references: whether one may mean `target`."""
    runs, host = needles(target), urls.site_host(target)
    # addresses have many spellings
    name = "" if ":" in host or host[-1:].isdigit() else host

    def likely(reference: str) -> bool:
        text = reference.translate(_BLANKS).lower()
        plain = _plain(text)
        return all(run in plain for run in runs) and (name in plain or _spelt_otherwise(text))

    return likely


def holds(text: str, runs: Iterable[str]) -> bool:
    """Whether one of some needles may stand in a text of which each character stands for itself."""
    plain = _plain(text.lower())
    return any(run in plain for run in runs)


def _plain(text: str) -> str:
    return _ESCAPED.sub(_unescaped, text) if "%" in text else text


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)).lower()


def _spelt_otherwise(reference: str) -> bool:
    """Whether a host may be another than its letters say."""
    found = _AUTHORITY.match(reference)
    return found is None or "%" in found[1] or not found[1].isascii()
