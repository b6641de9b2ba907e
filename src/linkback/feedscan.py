"""One pass over a feed before feedparser is given it: can it be read at a reasonable price, and what is deleted there.

Rule 1: feedparser's time grows with the square of some counts, and with the letters of base addresses times what stands
        under them; a feed with more of these than any blog's is refused.
Rule 2: what is well-formed is counted exactly, by the parser that feedparser uses. What is not, feedparser reads by
        rules of its own: there the text alone is measured, and less is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from xml.parsers import expat

from linkback import urls
from linkback.errors import Reason, Refused

_MOST_ELEMENTS = 600_000
_MOST_ATTRIBUTES = 100
_MOST_DEPTH = 250
_MOST_NAMESPACES = 100
#: letters of what an element inherits, xml:base and xml:lang
_MOST_INHERITED = urls.MAX_LENGTH
#: the same over all elements, with the feed's own URL: feedparser joins the base to itself at each, and to each link
_MOST_JOINED = 100_000_000
#: the same for what is not well-formed
_LONGEST_TEXT = 4_000_000
_MOST_TAGS = 100_000
_MOST_INHERITED_IN_ALL = 50_000
_INHERITED = re.compile(r"""(?<![\w.-])(?:base|lang)\$?\s*=\s*("[^"]*"|'[^']*'|[^\s>]*)""", re.IGNORECASE)
#: a base that takes the place of the one around it, whichever that is
_ABSOLUTE = re.compile(r"""["']?[a-z][a-z0-9+.-]*://[^/?#&\s"']""", re.IGNORECASE)
_AUTHORS = "author|contributor|creator|editor|email|master|name|owner|publisher"
# A prefix stays as it was declared: with another the feed would not be well-formed any more.
_UNUSED = re.compile(
    rf"</?(?:[^\s<>/!?:]*+:)?+[^\s<>/!?:]*?(?:{_AUTHORS}|category|keywords|subject|tags)", re.IGNORECASE
)


class _Meter:
    """Receives the parser's events; raising from one stops the parser there."""

    def __init__(self, parser: expat.XMLParserType, url: str) -> None:
        self.deleted: set[str] = set()
        self._elements = 0
        self._joined = 0
        #: the letters that each open element inherits
        self._inherited = [len(url)]
        self._most_inherited = len(url) + _MOST_INHERITED
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
        self._inherit([value for key, value in given if key in ("base", "lang")])
        if _local(name) == "deleted-entry":
            self.deleted.update(value for key, value in given if key == "ref")

    def end(self, name: str) -> None:
        self._inherited.pop()

    def declare(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces.add((prefix, uri))
        if len(self._namespaces) > _MOST_NAMESPACES:
            raise _refusal(f"more than {_MOST_NAMESPACES} namespaces")

    def _inherit(self, values: Sequence[str]) -> None:
        self._inherited.append(reduce(_with, values, self._inherited[-1]))
        if self._inherited[-1] > self._most_inherited:
            raise _refusal(f"an xml:base or xml:lang of more than {_MOST_INHERITED:,} letters")
        self._joined += self._inherited[-1]
        if self._joined > _MOST_JOINED:
            raise _refusal(f"base addresses of more than {_MOST_JOINED:,} letters in all, counted at each element")


def _with(inherited: int, value: str) -> int:
    """How many letters are inherited with one more base or language: bases add up, but for one that is absolute."""
    return max(inherited, len(value)) if _ABSOLUTE.match(value) else inherited + len(value)


def _local(name: str) -> str:
    return name.rpartition(" ")[2].lower()


def _refusal(what: str) -> Refused:
    return Refused(Reason.MALFORMED, f"it has {what}, which no feed of a blog has")


def scan(text: str, url: str, *, line: int = 1) -> frozenset[str]:
    """The ids of the entries that a feed says are deleted (RFC 6721); none where it is not well-formed.

    `text` begins with the root element, so that nothing is declared; `line` is where in the document that is, `url`
    what its references are resolved against. Raises `Refused(MALFORMED)` for a feed that feedparser is not to be given.
    """
    parser = expat.ParserCreate("utf-8", " ")
    meter = _Meter(parser, url)
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        _measure(text, url, line + error.lineno - 1)
        return frozenset()
    return frozenset(meter.deleted)


def _measure(text: str, url: str, wrong: int) -> None:
    """Raise `Refused` for a text that is too much to be read with its mistake, which is in the line `wrong`."""
    if "<!ENTITY" in text:
        raise Refused(Reason.MALFORMED, f"it is not well-formed (line {wrong}), and declares entities")
    given = [len(match[1]) for match in _INHERITED.finditer(text)]
    counts = (
        (len(text), _LONGEST_TEXT),
        (text.count("<"), _MOST_TAGS),
        (max(given, default=0), _MOST_INHERITED),
        (sum(given), _MOST_INHERITED_IN_ALL),
        (_joined(text, len(url)), _MOST_JOINED),
    )
    if any(count > most for count, most in counts):
        raise Refused(
            Reason.MALFORMED, f"it is not well-formed (line {wrong}), and has too much in it to be read all the same"
        )


def _joined(text: str, inherited: int) -> int:
    """The letters that tags inherit, summed up, as if no element ended that is begun."""
    joined = seen = 0
    for match in _INHERITED.finditer(text):
        joined += inherited * text.count("<", seen, match.start())
        inherited, seen = _with(inherited, match[1]), match.start()
    return joined + inherited * text.count("<", seen)


def without_authors(text: str) -> str:
    """A feed with its authors and tags by names that feedparser does not know.

    It looks for mail addresses in the one, and compares the other with each other: both at the square of their length.
    """
    return _UNUSED.sub(r"\g<0>x", text)
