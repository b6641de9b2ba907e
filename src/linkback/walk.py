"""The documents of a feed or sitemap: its older pages, the parts of an index, and what of them was read before.

Rule 1: what is as it was is not read again: documents by their validators (ETag, Last-Modified), older pages by what
        they bring (RFC 5005).
Rule 2: only what was read to its end is known.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from linkback import feeds, urls
from linkback.errors import BadStatus, ConfigurationError, FetchError, LinkbackError, Refused, SourceGone
from linkback.feeds import Entry, Listing
from linkback.store.feeds import KnownDocument
from linkback.wire import Fetch, HeadersLike, Response

#: more pages of one feed, and more parts of one sitemap, than any blog has
_MOST_DOCUMENTS = 1_000
_PURPOSE = "reading its own feed"


class Reading(Fetch, typing.Protocol):
    """What reads documents: a `Fetcher` with room for `feeds.MOST_BYTES`, or a `FakeWeb`."""

    def get(self, url: str, *, accept: str = ..., purpose: str = ..., headers: HeadersLike = ...) -> Response:
        """GET a page, following redirects; any status comes back as a Response."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A page or document that could not be dealt with; the next reading tries again. `temporary`: that may help."""

    url: str
    message: str
    temporary: bool


class Walk:
    """A document, with the older pages or the parts that belong to it: what they list, once they were read.

    `entries` are the posts with the document that names each. `whole` says that all pages and parts were read, but for
    those of `unchanged`; `complete` also that every post of the blog stands in them. `documents` are to be kept once
    all posts are, `unfinished` before the first is. `wanted` are posts that are looked for on the older pages.
    """

    def __init__(
        self,
        fetch: Reading,
        known: dict[str, KnownDocument],
        says_news: Callable[[Entry], bool],
        *,
        wanted: Set[str] = frozenset(),
    ) -> None:
        self.entries: dict[str, tuple[Entry, str]] = {}
        self.deleted: set[str] = set()
        self.unchanged: set[str] = set()
        self.whole = False
        self.complete = False
        self.unfinished: list[KnownDocument] = []
        self.documents: list[KnownDocument] = []
        self.troubles: list[Trouble] = []
        self._fetch = fetch
        self._known = known
        self._says_news = says_news
        self._wanted = wanted

    def read(self, document: str, *, base: str) -> None:
        """Read a document, and what belongs to it; raises `FetchError` or `Refused` where that is not to be read."""
        if is_file(document):
            listing, kept = _listed(_from_disk(document, base), document), KnownDocument(url=name_of(document))
        else:
            found = self._get(document)
            if found is None:
                return
            listing, kept = found
        self._add(listing, kept.url)
        if listing.parts:
            self.complete = self.whole = self._read_parts(listing.parts)
            # an index may stay as it is while its parts change
            return
        self.complete = listing.complete
        before = self._known.get(kept.url)
        walked = self._read_onward(listing, {document}, stop_early=before is not None and before.walked)
        # without validators it is read again, as what it leads to was not
        self.unfinished = [KnownDocument(url=kept.url, walked=False)]
        self.documents += [kept] if walked else self.unfinished

    def _get(self, url: str) -> tuple[Listing, KnownDocument] | None:
        """A document of the web; None where it is as it was."""
        before = self._known.get(url)
        response = self._fetch.get(url, accept=feeds.ACCEPT, purpose=_PURPOSE, headers=_conditions(before))
        if response.status == 304 and before is not None:
            self.unchanged.add(url)
            return None
        if response.status != 200:
            raise BadStatus(url, response.status)
        validators = {name: response.header(name) for name in ("ETag", "Last-Modified")}
        kept = KnownDocument(url=url, etag=validators["ETag"], last_modified=validators["Last-Modified"])
        return _listed(response, url), kept

    def _add(self, listing: Listing, part: str) -> bool:
        """Take what a document lists; gives whether any of it is news."""
        news = False
        for entry in listing.entries:
            # a feed's first page is its newest
            if entry.url not in self.entries:
                self.entries[entry.url] = entry, part
                news = news or self._says_news(entry)
        self.deleted |= listing.deleted
        return news

    def _read_parts(self, parts: Sequence[str]) -> bool:
        """Read the sitemaps of an index; gives whether all could be read."""
        before = len(self.troubles)
        for part in parts[:_MOST_DOCUMENTS]:
            try:
                found = self._get(part)
            except LinkbackError as error:
                self.troubles.append(trouble(part, error))
                continue
            if found is not None and found[0].parts:
                self.troubles.append(Trouble(part, "an index of sitemaps in an index", temporary=False))
            elif found is not None:
                self._add(found[0], part)
                self.documents.append(found[1])
        if len(parts) > _MOST_DOCUMENTS:
            self.troubles.append(Trouble(parts[_MOST_DOCUMENTS], f"more than {_MOST_DOCUMENTS:,} sitemaps", False))
        return len(self.troubles) == before

    def _read_onward(self, listing: Listing, seen: set[str], *, stop_early: bool) -> bool:
        """Read the older pages of a feed; gives whether that came to its end.

        With `stop_early` one that brings nothing new is the end, if all that is wanted was found: those before it were
        read already.
        """
        news = any(self._says_news(entry) for entry in listing.entries)
        while listing.onward and listing.onward not in seen:
            if stop_early and not news and self._wanted <= self.entries.keys():
                return True
            url = listing.onward
            if len(seen) > _MOST_DOCUMENTS:
                self.troubles.append(Trouble(url, f"more than {_MOST_DOCUMENTS:,} pages of one feed", False))
                return True
            seen.add(url)
            try:
                response = self._fetch.get(url, accept=feeds.ACCEPT, purpose=_PURPOSE)
                if response.status != 200:
                    raise BadStatus(url, response.status)
                listing = _listed(response, url)
            except LinkbackError as error:
                self.troubles.append(trouble(url, error))
                return False
            news = self._add(listing, url)
        self.whole = True
        return True


def _conditions(before: KnownDocument | None) -> HeadersLike:
    if before is None:
        return ()
    given = {"If-None-Match": before.etag, "If-Modified-Since": before.last_modified}
    return {name: value for name, value in given.items() if value}


def _from_disk(path: str, base: str) -> Response:
    try:
        with Path(path).open("rb") as file:
            body = file.read(feeds.MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"{path}: {reason}; give the URL of a feed or sitemap, or its file") from error
    return Response(200, (), body, base, truncated=len(body) > feeds.MOST_BYTES)


def _listed(response: Response, document: str) -> Listing:
    try:
        return feeds.read(response)
    except Refused as refusal:
        raise Refused(refusal.reason, f"{document}: {refusal.detail}") from refusal


def trouble(url: str, error: LinkbackError) -> Trouble:
    """What an error means for the document or post at a URL."""
    if isinstance(error, FetchError):
        return Trouble(url, error.message, error.temporary)
    # a post that is listed is to be there: it may not be deployed yet
    message = error.detail.removeprefix(f"{url}: ") if isinstance(error, Refused) else str(error)
    return Trouble(url, message, isinstance(error, SourceGone))


def is_file(document: str) -> bool:
    """Whether a document is the path of a file, and no URL."""
    return not urls.is_argument(document)


def name_of(document: str) -> str:
    """What the memory of a document goes by."""
    # a file's folder is another one in each build
    return f"file {Path(document).name}" if is_file(document) else urls.canonical(document) or document
