"""Feeds and sitemaps: which posts a document of a blog names, and what it says of each. Fetches nothing.

Rule 1: what a document is, its content says: Atom, RSS, JSON Feed, a sitemap, an index of sitemaps, a list of URLs.
Rule 2: untrusted like every page: one whose DOCTYPE declares anything is refused, and no more is unpacked than is read.
Rule 3: a post is a URL; what else is said of it only tells whether it may have changed, and when it came out.
"""

from __future__ import annotations

import calendar
import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from linkback import urls
from linkback.charsets import decode_page
from linkback.errors import Reason, Refused
from linkback.feedscan import scan, without_authors
from linkback.inflate import BadCoding, Inflater
from linkback.wire import Response
from linkback.xmltext import XmlElement, parse

#: how much of one document is read, unpacked; a sitemap of 50,000 posts has about eight million bytes
MOST_BYTES = 20_971_520
ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/json;q=0.9, application/xml;q=0.8,"
    " text/xml;q=0.8, text/plain;q=0.5, application/gzip;q=0.5, application/x-gzip;q=0.5,"
    " application/octet-stream;q=0.1, */*;q=0.1"
)
_GZIP = b"\x1f\x8b"
_HISTORY = "http://purl.org/syndication/history/1.0"
_SITEMAPS = ("urlset", "sitemapindex")
_MOST_ELEMENTS = 600_000
#: what may stand before the root element; atomic, as it may be long. A DOCTYPE that declares anything has a bracket.
_PROLOG = re.compile(
    r"""(?>\s+|<\?xml\s[^<>]*>|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?:[^<>"'\[]|"[^"]*"|'[^']*')*+>)*+""",
    re.DOTALL | re.IGNORECASE,
)
#: in ASCII, as feedparser would look for the root elsewhere
_ROOT = re.compile(r"<([A-Za-z_][^\s/>]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a document says of one post.

    `url` is absolute and has no fragment; `id` is its name in a feed, "" without one. `stamp` is a digest of what is
    said of it, "" where that would not change with the post. `at`, aware, is when the post came out, or was changed
    where only that is said.
    """

    url: str
    id: str = ""
    stamp: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One document: its posts as they stand there, each once.

    `deleted` are ids or URLs of posts that are said to be deleted. `onward` is the page of a feed that has older
    posts, "" for the last; `parts` are the sitemaps of an index. `complete` says that all posts stand here or in
    `parts`, so that one that does not is no more.
    """

    entries: tuple[Entry, ...] = ()
    deleted: frozenset[str] = frozenset()
    onward: str = ""
    parts: tuple[str, ...] = ()
    complete: bool = False


def read(response: Response) -> Listing:
    """Read a document that was fetched; `response.url` is what its references are resolved against.

    Raises `Refused`: TOO_LARGE for one that was cut, or is longer than `MOST_BYTES`, MALFORMED for one that names no
    posts in any known way.
    """
    text = decode_page(_unpacked(response), response.charset)
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start == "<":
        return _read_xml(text, response.url)
    return _read_json(text, response.url) if start == "{" else _read_lines(text, response.url)


def _unpacked(response: Response) -> bytes:
    body = response.body
    if not response.truncated and body.startswith(_GZIP):
        inflater = Inflater("gzip")
        try:
            body = inflater.feed(body, MOST_BYTES + 1)
        except BadCoding as error:
            raise Refused(Reason.MALFORMED, "it is packed by gzip, and damaged") from error
        if len(body) <= MOST_BYTES and not inflater.is_whole:
            raise Refused(Reason.MALFORMED, "it is packed by gzip, and cut short")
    if response.truncated or len(body) > MOST_BYTES:
        raise Refused(Reason.TOO_LARGE, f"it is longer than {MOST_BYTES:,} bytes, or was cut on the way")
    return body


def _listing(entries: Iterator[Entry | None], **said: Any) -> Listing:
    """The listing of the entries that have a URL; of several for one post the first is the newest."""
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry is not None:
            found.setdefault(entry.url, entry)
    return Listing(entries=tuple(found.values()), **said)


def _entry(url: object, base: str, *, id: object = "", stamp: str = "", at: datetime | None = None) -> Entry | None:
    absolute = urls.resolve(url, base) if isinstance(url, str) and url.strip() else None
    if absolute is None:
        return None
    return Entry(url=urls.without_fragment(absolute), id=id if isinstance(id, str) else "", stamp=stamp, at=at)


def _stamp(*said: object) -> str:
    """A digest of what tells versions of a post apart; "" where nothing does."""
    if not any(said):
        return ""
    return hashlib.sha256(json.dumps(said).encode("utf-8", "surrogatepass")).hexdigest()


def _moment(text: object) -> datetime | None:
    """The aware time that ISO 8601 means, as W3C and RFC 3339 write it; None where it is none."""
    try:
        when = datetime.fromisoformat(text.strip()) if isinstance(text, str) else None
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when


def _read_xml(text: str, url: str) -> Listing:
    text = text.lstrip("\ufeff")
    prolog = _PROLOG.match(text)
    start = prolog.end() if prolog is not None else 0
    root = _ROOT.match(text, start)
    if text.startswith("<!", start):
        raise Refused(Reason.MALFORMED, "before its root element it may have comments and a plain DOCTYPE, no ENTITY")
    if root is None:
        raise Refused(Reason.MALFORMED, "it is no feed and no sitemap")
    if root[1].rpartition(":")[2] in _SITEMAPS:
        return _read_sitemap(parse(text, max_elements=_MOST_ELEMENTS), url)
    # without what stands before the root nothing is declared, whoever reads it
    return _read_feed(text[start:], url, deleted=scan(text[start:], url, line=text.count("\n", 0, start) + 1))


def _local(element: XmlElement) -> str:
    return element.name.rpartition("}")[2]


def _read_sitemap(root: XmlElement, url: str) -> Listing:
    named = [
        {_local(child): child.text.strip() for child in element.children}
        for element in root.children
        if _local(element) in ("url", "sitemap")
    ]
    if _local(root) == "sitemapindex":
        parts = (urls.resolve(part.get("loc", ""), url) for part in named if part.get("loc"))
        return Listing(parts=tuple(dict.fromkeys(part for part in parts if part)), complete=True)
    changed = ((part.get("loc"), part.get("lastmod", "")) for part in named)
    return _listing(
        (_entry(loc, url, stamp=_stamp(lastmod), at=_moment(lastmod)) for loc, lastmod in changed), complete=True
    )


def _read_lines(text: str, url: str) -> Listing:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or not all(urls.is_argument(line) for line in lines):
        raise Refused(Reason.MALFORMED, "it is no feed and no sitemap")
    return _listing((_entry(line, url) for line in lines), complete=True)


def _read_json(text: str, url: str) -> Listing:
    try:
        feed = json.loads(text)
    except (ValueError, RecursionError):
        feed = None
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list):
        raise Refused(Reason.MALFORMED, "it is JSON, but no JSON Feed")
    onward = feed.get("next_url")
    return _listing(
        (_json_entry(item, url) for item in items if isinstance(item, dict)),
        onward=(urls.resolve(onward, url) or "") if isinstance(onward, str) else "",
    )


def _json_entry(item: dict[str, Any], base: str) -> Entry | None:
    said = [item.get(name) or "" for name in ("date_modified", "content_html", "content_text", "summary")]
    stamp = _stamp(*said, item.get("title") or "") if any(said) else ""
    id = item.get("id")
    # an id that is no URL must not become a page beside the feed
    url = item.get("url") or (id if isinstance(id, str) and urls.is_argument(id) else "")
    at = _moment(item.get("date_published")) or _moment(item.get("date_modified"))
    return _entry(url, base, id=id, stamp=stamp, at=at)


def _read_feed(text: str, url: str, *, deleted: frozenset[str]) -> Listing:
    import feedparser

    try:
        # as a stream: of a string, feedparser would look whether it is a file or a URL
        found = feedparser.parse(
            io.BytesIO(without_authors(text).encode("utf-8", "replace")),
            response_headers={"content-type": "application/xml; charset=utf-8", "content-location": url},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # on markup that is wrong enough it fails in ways nobody lists
        raise Refused(Reason.MALFORMED, f"it cannot be read: {error}") from error
    if not found.version:
        raise Refused(Reason.MALFORMED, "it is no feed and no sitemap")
    history = {f"{prefix}_complete" for prefix, uri in found.namespaces.items() if uri == _HISTORY}
    return _listing(
        (_feed_entry(entry, url) for entry in found.entries),
        deleted=deleted,
        onward=_onward(found.feed.get("links", ()), url),
        complete=not history.isdisjoint(found.feed),
    )


def _onward(links: Sequence[Any], base: str) -> str:
    """The feed document with older posts, archived or paged (RFC 5005)."""
    by_rel = {link.get("rel"): link.get("href", "") for link in reversed(links)}
    reference = by_rel.get("prev-archive") or by_rel.get("next") or ""
    return (urls.resolve(reference, base) or "") if reference else ""


def _feed_entry(entry: Any, base: str) -> Entry | None:
    # of a dict, as feedparser's own would give the date of publication for a missing one of change, and warn
    updated = dict.get(entry, "updated", "")
    content = [part.get("value", "") for part in entry.get("content", ())]
    said = (updated, *content, entry.get("summary", ""))
    stamp = _stamp(*said, entry.get("title", "")) if any(said) else ""
    at = entry.get("published_parsed") or dict.get(entry, "updated_parsed")
    return _entry(entry.get("link"), base, id=entry.get("id", ""), stamp=stamp, at=_from_struct(at))


def _from_struct(parsed: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, OSError):
        return None
