"""What a page surely does not say, by its bytes alone: for most pages that is all that must be known of them.

Rule 1: a miss is proof, a hit is none: whoever may have one reads the page.
Rule 2: a miss counts only where bytes of ASCII stand for themselves, no reference spells a letter, and the whole body
        was searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import islice

from linkback.charsets import spells_ascii

# By number only: of the references by name that stand for ASCII letters, "&fjlig;", no word here has one.
_SPELT_LETTER = re.compile(
    rb"&#(?:0*(6[5-9]|[78]\d|90|9[7-9]|1[01]\d|12[0-2])(?!\d)"
    rb"|[xX]0*(4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])(?![0-9a-fA-F]));?"
)


# A value of `rel` as far as it matters; an attribute whose name only ends so does no harm.
_REL_LENGTH = 1024
_REL = re.compile(
    rb"""rel[\t\n\f\r ]*=[\t\n\f\r ]*(?=("[^"]{0,1024}|'[^']{0,1024}|[^\t\n\f\r >]{0,1024}))"""
)
#: more than any page has, few enough that a hostile page costs nothing
_MOST_RELS = 1_000


def _letter(reference: re.Match[bytes]) -> bytes:
    decimal, hexadecimal = reference.groups()
    return bytes([int(decimal) if decimal else int(hexadecimal, 16)])


class Prefilter:
    """Asked for words of ASCII letters, none with "fj" in it, or for markup; `label` is the charset that came along.

    Places are counted in bytes of the body, which has no more characters than bytes before any place in its text.
    """

    def __init__(self, body: bytes, label: str = "") -> None:
        self._body = body
        self._label = label
        self._found: dict[str, bool] = {}

    @cached_property
    def _lowered(self) -> bytes | None:
        """The body in lower case, its letters spelt out; None where no miss would be proof."""
        body = self._body
        if not spells_ascii(body, self._label):
            return None
        # a search for two bytes first: most pages spell nothing so (figure: discovery)
        if b"&#" in body and _SPELT_LETTER.search(body):
            body = _SPELT_LETTER.sub(_letter, body)
        return body.lower()

    def lacks(self, *words: str) -> bool:
        """Whether none of some words, in lower case, stands in the text of the page."""
        lowered = self._lowered
        if lowered is None:
            return False
        for word in words:
            if word not in self._found:
                self._found[word] = word.encode() in lowered
        return not any(self._found[word] for word in words)

    def places(self, word: str) -> Iterator[int]:
        """In order, before which places a word may stand in the body."""
        lowered = self._lowered
        if lowered is None:
            yield len(self._body)
            return
        at = -1 if self.lacks(word) else lowered.find(word.encode())
        while at >= 0:
            at += len(word)
            yield at + self._shorter
            at = lowered.find(word.encode(), at)

    def rel_places(self, *words: str) -> Iterator[int]:
        """The same for attributes `rel` that have one of some words."""
        if self._lowered is None:
            yield len(self._body)
        elif not self.lacks(*words):
            sought = [word.encode() for word in words]
            rels = _REL.finditer(self._lowered)
            for rel in islice(rels, _MOST_RELS):
                if len(rel[1]) >= _REL_LENGTH or any(word in rel[1] for word in sought):
                    yield rel.end() + self._shorter
            if next(rels, None):
                yield len(self._body)

    @property
    def _shorter(self) -> int:
        """By how much a place may be later in the body than where its letters are spelt out."""
        return len(self._body) - len(self._lowered or b"")
