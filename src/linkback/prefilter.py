"""What a page surely does not say, by its bytes alone: for most pages that is all that must be known of them.

Rule 1: a miss is proof, a hit is none: whoever may have one reads the page.
Rule 2: a miss counts only where bytes of ASCII stand for themselves, no reference spells a letter, and the whole body
        was searched.
"""

from __future__ import annotations

import re
from functools import cached_property

from linkback.charsets import spells_ascii

# By number only: of the references by name that stand for ASCII letters, "&fjlig;", no word here has one.
_SPELT_LETTER = re.compile(
    rb"&#(?:0*(?:6[5-9]|[78]\d|90|9[7-9]|1[01]\d|12[0-2])(?!\d)"
    rb"|[xX]0*(?:4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])(?![0-9a-fA-F]))"
)


class Prefilter:
    """Asked for words of ASCII letters, none with "fj" in it, or for markup; `label` is the charset that came along."""

    def __init__(self, body: bytes, label: str = "") -> None:
        self._body = body
        self._label = label

    @cached_property
    def _lowered(self) -> bytes | None:
        """The body in lower case; None where no miss would be proof."""
        body = self._body
        # a search for two bytes first: most pages spell nothing so (figure: discovery)
        spelt = b"&#" in body and _SPELT_LETTER.search(body)
        return None if spelt or not spells_ascii(body, self._label) else body.lower()

    def lacks(self, *words: str) -> bool:
        """Whether none of some words, in lower case, stands in the text of the page."""
        lowered = self._lowered
        return lowered is not None and not any(word.encode() in lowered for word in words)
