"""Mentions with hostile words in one field each, and what a reader makes of the pages that show them.

Rule: a page is read by a real parser, and its structure compared with that of a page of harmless words. What a stranger
chooses may only decide whether a link or a line is there, as a harmless value would.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import html5lib  # type: ignore[import-untyped]

from linkback import urls
from linkback.model import Author, Mention
from linkback.plaintext import collapse
from tests.display import PAYLOADS
from tests.threads import mention

#: what an older release, or another program, may have left in the store
STORED = ("title", "excerpt", "author_name", "author_url", "author_photo", "source", "final_url")
KINDS = ("mention", "like", "reply")
#: what harmless people choose: words, an address, nothing
HARMLESS = ("Harmless", "https://harmless.example/page", "")
_AUTHOR = ("author_name", "author_url", "author_photo")
#: attributes whose values are words or addresses, which the parser has taken as one
_SPOKEN = frozenset({"title", "alt", "aria-label", "datetime", "id", "name", "for"})


def mention_with(field: str, value: str, *, kind: str = "mention", minute: int = 1) -> Mention:
    """A mention that is harmless but for one field."""
    author = {"author_name": "Ann", "author_url": "https://a.example/", "author_photo": "https://p.example/a"}
    words = {
        "title": "Where next?",
        "excerpt": "As Bob says.",
        "source": f"https://s{minute}.example/",
        "final_url": "",
    }
    given = {**words, **author, field: value}
    who = Author(*(given.pop(name) for name in _AUTHOR))
    return mention(minute, given.pop("title"), "webmention", kind=kind, author=who, **given)


def every() -> Iterator[tuple[str, str, str]]:
    """Each field, kind of mention and payload."""
    return ((field, kind, payload) for field in STORED for kind in KINDS for payload in PAYLOADS)


def outline(markup: str) -> tuple[Any, ...]:
    """The structure of a page: elements, their attributes, and the schemes of what these lead to; no words."""
    return _structure(html5lib.parse(markup, namespaceHTMLElements=False))


def structure(element: Element) -> tuple[Any, ...]:
    """The structure of one element."""
    return _structure(element)


def _structure(element: Any) -> tuple[Any, ...]:
    # a comment has a function for a name
    name = element.tag if isinstance(element.tag, str) else "<!-- -->"
    attributes = tuple(sorted((key, _told(key, value)) for key, value in element.attrib.items()))
    return name, attributes, tuple(map(_structure, element))


def _told(name: str, value: str) -> str:
    if name in ("href", "src"):
        assert unfit(value) == "", ascii(value)
        return _leads(value)
    if name == "value":
        # what a reader typed
        return ""
    if name in _SPOKEN:
        assert unfit(value) == "", ascii(value)
        return ""
    return value


def _leads(address: str) -> str:
    """Where a browser would go: a web page, a place on this page, a page of ours; whatever else by its scheme."""
    if address.startswith("#"):
        return "#"
    found = urls.parse(address, "https://ours.invalid/")
    assert found is not None, ascii(address)
    return "ours" if found.host == "ours.invalid" else {"https": "web", "http": "web"}.get(found.scheme, found.scheme)


def unfit(text: str) -> str:
    """What of a shown text commands a terminal, turns it around or hides in it; "" of one that is fit."""
    found = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t"}
    lines = (line.strip() for line in text.split("\n"))
    return "".join(sorted(found)) or "".join(line for line in lines if collapse(line) != " ".join(line.split()))
