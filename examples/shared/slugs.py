"""The last part of a post's address, made of its title."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator

_LONGEST = 60


def slugs(title: str) -> Iterator[str]:
    """The slugs that a post of this title may have, the best first: "hello", "hello-2", "hello-3" and so on.

    The letters and digits of every script stay, with their vowel signs and accents; whoever puts a slug in a URL
    percent-encodes it.
    """
    lowered = unicodedata.normalize("NFKC", title).lower()
    # letters, marks, numbers
    kept = "".join(mark if unicodedata.category(mark)[0] in "LMN" else " " for mark in lowered)
    name = "-".join(kept.split())[:_LONGEST].strip("-") or "post"
    yield name
    for number in itertools.count(2):
        yield f"{name}-{number}"
