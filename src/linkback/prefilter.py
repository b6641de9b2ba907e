"""What a page surely does not say, by its bytes alone: for most pages that is all that must be known of them.

Rule 1: a miss is proof, a hit is none: whoever may have one reads the page, as far as the last of them.
Rule 2: a miss counts only where bytes of ASCII stand for themselves, references are spelt out, and the whole body was
        searched.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice

from linkback.charsets import spells_ascii

# By number only: of the references by name that stand for ASCII letters, "&fjlig;", no word here has one.
_SPELT_IN_WORD = re.compile(
    rb"&#(?:0*(45|6[5-9]|[78]\d|90|9[7-9]|1[01]\d|12[0-2])(?!\d)"
    rb"|[xX]0*(2[dD]|4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])(?![0-9a-fA-F]));?"
)
# In a URL also digits, "-", "_", "%" and the blanks that it loses.
_SPELT_IN_URL = re.compile(
    rb"&(?:#(?:0*(9|1[03]|37|45|4[89]|5[0-7]|6[5-9]|[78]\d|90|95|9[7-9]|1[01]\d|12[0-2])(?!\d)"
    rb"|[xX]0*([9aAdD]|25|2[dD]|3\d|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aA])(?![0-9a-fA-F]));?"
    rb"|(Tab|NewLine|percnt|lowbar|UnderBar|fjlig);)"
)
_NAMED = {b"Tab": b"", b"NewLine": b"", b"percnt": b"%", b"lowbar": b"_", b"UnderBar": b"_", b"fjlig": b"fj"}
_ESCAPE = re.compile(rb"%(2d|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])")
_LOWER, _BLANKS = bytes(range(256)).lower(), b"\t\n\r"
_IN_WORDS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
_VALUE = 1024
#: more than any page has, few enough that a hostile page costs nothing
_MOST_VALUES, _MOST_PLACES = 1_000, 1_000


class Copy:
    """A body made easy to search: in lower case, its references spelt out; `text` None where no miss would be proof.

    A place in it is one in the page's text, or before it by no more than the copy is `shorter` than the body: no text
    has more characters than bytes.
    """

    def __init__(self, text: bytes | None, length: int) -> None:
        self._text = text
        self._length = length
        self._shorter = length - len(text or b"")
        self._found: dict[str, bool] = {}

    def lacks(self, *words: str) -> bool:
        """Whether none of some words, in lower case, stands in the text of the page."""
        if self._text is None:
            return False
        for word in words:
            if word not in self._found:
                self._found[word] = word.encode() in self._text
        return not any(self._found[word] for word in words)

    def lacks_tokens(self, start: str) -> bool:
        """Whether no word that begins so stands in the text; a word is what a class may be."""
        if self.lacks(start):
            return True
        text = self._text
        if text is None or re.search(rb"&#x?[0-9a-f]+" + start.encode(), text):
            # a reference before it may be one to a blank
            return False
        places = (place - len(start) for place in _places(text, start.encode()))
        return all(text[at - 1] in _IN_WORDS for at in places)

    def places(self, *words: str) -> Iterator[int]:
        """In order, before which places one of some words may stand."""
        if self._text is None:
            yield self._length
            return
        found = heapq.merge(*(_places(self._text, word.encode()) for word in words if not self.lacks(word)))
        for place in islice(found, _MOST_PLACES):
            yield place + self._shorter
        if next(found, None):
            yield self._length

    def attribute_places(self, name: str, *words: str) -> Iterator[int]:
        """The same for attributes that have one of some words in their value."""
        if self._text is None:
            yield self._length
        elif not (self.lacks(name) or self.lacks(*words)):
            sought = [word.encode() for word in words]
            found = _attribute(name).finditer(self._text)
            for each in islice(found, _MOST_VALUES):
                if len(each[1]) >= _VALUE or any(word in each[1] for word in sought):
                    yield each.end() + self._shorter
            if next(found, None):
                yield self._length


def for_words(body: bytes, label: str = "") -> Copy:
    """To be asked for words of ASCII letters and -, none with "fj" in it, or for markup.

    `label` is the charset that came along.
    """
    if not spells_ascii(body, label):
        return Copy(None, len(body))
    text = body
    # a search for two bytes first: most pages spell nothing so (figure: discovery)
    if b"&#" in body and _SPELT_IN_WORD.search(body):
        text = _SPELT_IN_WORD.sub(_character, body)
    return Copy(text.lower(), len(body))


def for_needles(body: bytes, label: str = "") -> Copy:
    """To be asked for `needles` also: what a URL may be broken by, or escaped with, is undone."""
    if not spells_ascii(body, label):
        return Copy(None, len(body))
    text = _SPELT_IN_URL.sub(_in_url, body) if _SPELT_IN_URL.search(body) else body
    text = text.translate(_LOWER, _BLANKS)
    return Copy(_ESCAPE.sub(_unescaped, text) if _ESCAPE.search(text) else text, len(body))


def _character(reference: re.Match[bytes]) -> bytes:
    decimal, hexadecimal = reference.groups()[:2]
    return bytes([int(decimal) if decimal else int(hexadecimal, 16)])


def _in_url(reference: re.Match[bytes]) -> bytes:
    return _NAMED[reference[3]] if reference[3] else _character(reference)


def _unescaped(escape: re.Match[bytes]) -> bytes:
    return bytes([int(escape[1], 16)]).lower()


def _places(text: bytes, word: bytes) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        at += len(word)
        yield at
        at = text.find(word, at)


@cache
def _attribute(name: str) -> re.Pattern[bytes]:
    """An attribute, or one whose name only ends so, which does no harm; its value as far as it matters."""
    value = rb"""("[^"]{0,%(n)d}|'[^']{0,%(n)d}|[^\t\n\f\r >]{0,%(n)d})""" % {b"n": _VALUE}
    return re.compile(name.encode() + rb"[\t\n\f\r ]*=[\t\n\f\r ]*(?=" + value + rb")")
