"""One pass over a feed before feedparser is given it: can it be read at a reasonable price, and what is deleted there.

Rule 1: feedparser's time grows with the square of some counts; a feed with more of these than any blog's is refused.
Rule 2: what is well-formed is counted exactly, by the parser that feedparser uses. What is not, feedparser reads by
        rules of its own: there the text alone is measured, and less is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.parsers import expat

from linkback.errors import Reason, Refused

_MOST_ELEMENTS = 600_000
_MOST_ATTRIBUTES = 100
_MOST_DEPTH = 250
_MOST_NAMESPACES = 100
#: letters of what elements inherit, xml:base and xml:lang, as feedparser goes through these at each
_MOST_INHERITED = 10_000
#: the same for what is not well-formed
_LONGEST_TEXT = 4_000_000
_MOST_TAGS = 100_000
_MOST_INHERITED_IN_ALL = 50_000
_INHERITED = re.compile(r"""(?<![\w.-])(?:base|lang)\$?\s*=\s*("[^"]*"|'[^']*'|[^\s>]*)""", re.IGNORECASE)
_AUTHORS = "author|contributor|creator|editor|email|master|name|owner|publisher"
_UNUSED = re.compile(rf"</?[^\s<>/!?]*?(?:{_AUTHORS}|category|keywords|subject|tags)", re.IGNORECASE)


class _Meter:
    """Receives the parser's events; raising from one stops the parser there."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.deleted: set[str] = set()
        self._elements = 0
        #: the letters that each open element inherits
        self._inherited = [0]
        self._namespaces: set[tuple[str | None, str | None]] = set()
        parser.ordered_attributes = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.StartNamespaceDeclHandler = self.declare

    def start(self, name: str, attributes: Sequence[str]) -> None:
        self._elements += 1
        if self._elements > _MOST_ELEMENTS:
            raise _refusal(f"more than {_MOST_ELEMENTS:,} elements")
        if len(attributes) > 2 * _MOST_ATTRIBUTES:
            raise _refusal(f"an element with more than {_MOST_ATTRIBUTES} attributes")
        if len(self._inherited) > _MOST_DEPTH:
            raise _refusal(f"elements more than {_MOST_DEPTH} deep in each other")
        given = [(_local(attributes[at]), attributes[at + 1]) for at in range(0, len(attributes), 2)]
        self._inherit(sum(len(value) for key, value in given if key in ("base", "lang")))
        if _local(name) == "deleted-entry":
            self.deleted.update(value for key, value in given if key == "ref")

    def end(self, name: str) -> None:
        self._inherited.pop()

    def declare(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces.add((prefix, uri))
        if len(self._namespaces) > _MOST_NAMESPACES:
            raise _refusal(f"more than {_MOST_NAMESPACES} namespaces")

    def _inherit(self, letters: int) -> None:
        self._inherited.append(self._inherited[-1] + letters)
        if self._inherited[-1] > _MOST_INHERITED:
            raise _refusal(f"an xml:base or xml:lang of more than {_MOST_INHERITED:,} letters")


def _local(name: str) -> str:
    return name.rpartition(" ")[2].lower()


def _refusal(what: str) -> Refused:
    return Refused(Reason.MALFORMED, f"it has {what}, which no feed of a blog has")


def scan(text: str, *, line: int = 1) -> frozenset[str]:
    """The ids of the entries that a feed says are deleted (RFC 6721); none where it is not well-formed.

    `text` begins with the root element, so that nothing is declared; `line` is where in the document that is. Raises
    `Refused(MALFORMED)` for a feed that feedparser is not to be given.
    """
    parser = expat.ParserCreate("utf-8", " ")
    meter = _Meter(parser)
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        _measure(text, line + error.lineno - 1)
        return frozenset()
    return frozenset(meter.deleted)


def _measure(text: str, wrong: int) -> None:
    """Raise `Refused` for a text that is too much to be read with its mistake, which is in the line `wrong`."""
    if "<!ENTITY" in text:
        raise Refused(Reason.MALFORMED, f"it is not well-formed (line {wrong}), and declares entities")
    counts = (
        (len(text), _LONGEST_TEXT),
        (text.count("<"), _MOST_TAGS),
        (sum(len(match[1]) for match in _INHERITED.finditer(text)), _MOST_INHERITED_IN_ALL),
    )
    if any(count > most for count, most in counts):
        raise Refused(
            Reason.MALFORMED, f"it is not well-formed (line {wrong}), and has too much in it to be read all the same"
        )


def without_authors(text: str) -> str:
    """A feed with its authors and tags by names that feedparser does not know.

    It looks for mail addresses in the one, and compares the other with each other: both at the square of their length.
    """
    return _UNUSED.sub(r"\g<0>x", text)
