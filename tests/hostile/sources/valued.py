"""A megabyte of JSON or of a feed that is made to cost a reader of values much: a tree, a parser for each, links.

All hold what is looked for, so none is put aside unread; a feed of values that carry HTML took 2.4 s, a tree of empty
arrays 46 MiB.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import partial

from tests.hostile.sources.family import LINKED, NOT_LINKED, TARGET, TRUNCATED, Family, Visit, response

FAMILY = Family("values", seconds=1)

_MIB = 1 << 20
_JSON, _RSS = "application/json", "application/rss+xml"
#: as long as the target, and with all that stands in its path
_NEAR = TARGET.replace("/post/1", "/1/post")

#: name, verdict, what is repeated
_DOCUMENTS = (
    ("arrays", LINKED, "[],"),
    ("objects", LINKED, "{},"),
    ("numbers", LINKED, "1.5,"),
    ("strings", LINKED, '"h",'),
    ("strings-like-links", LINKED, '"http:x",'),
    ("near-links", TRUNCATED, f'"{_NEAR}",'),
    ("nested", LINKED, "[[1.5]],"),
    ("members", LINKED, '{"":[0]},'),
    ("deep", LINKED, "[" * 90 + "0" + "]" * 90 + ","),
    ("escapes", LINKED, '"\\n",'),
)
_FEEDS = (
    ("pieces", LINKED, "<a>&lt;</a>"),
    ("pieces-with-tags", LINKED, "<a>&lt;a&gt;</a>"),
    ("pieces-with-links", LINKED, "<a><![CDATA[<a href=x>]]></a>"),
    ("pieces-with-references", LINKED, "<a><![CDATA[<a href=&amp;>]]></a>"),
    ("pieces-with-near-links", LINKED, f"<a><![CDATA[<a href={_NEAR}>]]></a>"),
    ("near-link-attributes", TRUNCATED, f"<a b='{_NEAR}'/>"),
)


def _repeated(before: str, unit: str, after: str) -> str:
    return before + unit * ((_MIB - len(before) - len(after)) // len(unit)) + after


def _packed(content_type: str, made: Callable[[], str], visit: Visit) -> bytes:
    body = gzip.compress(made().encode())
    return response(body, content_type=content_type, fields=["Content-Encoding: gzip"])


#: the media type of each, and what makes its text
BODIES: dict[str, tuple[str, Callable[[], str]]] = {}


def _case(name: str, verdict: str, content_type: str, made: Callable[[], str]) -> None:
    BODIES[name] = content_type, made
    FAMILY.raw(name, verdict, partial(_packed, content_type, made), memory=16)


for _name, _verdict, _unit in _DOCUMENTS:
    _case(f"json-{_name}", _verdict, _JSON, partial(_repeated, "[", _unit, f'"{TARGET}"]'))
for _name, _verdict, _unit in _FEEDS:
    _case(f"feed-{_name}", _verdict, _RSS, partial(_repeated, "<r>", _unit, f"<link>{TARGET}</link></r>"))
# one that is not whole has no links
_case("json-unclosed", NOT_LINKED, _JSON, partial(_repeated, f'["{TARGET}",', "[],", "0"))
_case("feed-unclosed", NOT_LINKED, _RSS, partial(_repeated, f"<r><link>{TARGET}</link>", "<a>&lt;</a>", ""))
