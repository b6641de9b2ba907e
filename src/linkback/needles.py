"""What a reference to a URL must have in it: by that alone most references, and most pages, need no closer look.

Rule: a no is sure, for `urls.satisfies` and `urls.satisfies_loosely`, wherever the reference is not relative to a URL
on the target's own host.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from linkback import urls

_RUN = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
#: how a run may be spelt otherwise in a reference: with blanks that do not count, or escapes of its characters
_SPELT_OTHERWISE = re.compile(r"[\t\n\r]|%(?:2d|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])")
#: and how a host may be
_HOST_OTHERWISE = re.compile(r"[\t\n\r%]|[^\x00-\x7f]")


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
    runs, host = needles(target), urls.host(target)
    # addresses have many spellings
    name = "" if ":" in host or host[-1:].isdigit() else host

    def likely(reference: str) -> bool:
        text = reference.lower()
        if not all(run in text for run in runs) and not _SPELT_OTHERWISE.search(text):
            return False
        return name in text or _HOST_OTHERWISE.search(text) is not None

    return likely
