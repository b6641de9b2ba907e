"""From a claim's source to its backlink: fetch once, look, describe. Keeps no records.

Rule: what a stranger may ask again and again costs one look, and only the backlink that is shown is described.
"""

from __future__ import annotations

import typing
import weakref
from collections.abc import Callable, Collection, Mapping
from functools import cached_property

from linkback import desk, extract, logs, urls, validator
from linkback.errors import (
    BadStatus,
    FetchError,
    LinkbackError,
    NoBacklink,
    Reason,
    Refused,
    SourceGone,
    TooManyRedirects,
)
from linkback.model import Backlink, Claim
from linkback.ownpages import Answers, OwnPages
from linkback.page import Kind, Page
from linkback.places import Places
from linkback.policy import ExcerptStyle
from linkback.protocols import Protocol
from linkback.validator import Matches
from linkback.whole import Whole
from linkback.wire import DEFAULT_ACCEPT, Fetch, Request, Response

log = logs.named(__name__)

#: so many targets are looked for on a page before it is worth an index
_FEW = 10
#: pages that are described at once, by all threads of a process
_MOST_DESCRIBED = 4
ACCEPT = "text/html, application/xhtml+xml;q=0.9, application/json;q=0.6, text/plain;q=0.5, */*;q=0.1"


@typing.runtime_checkable
class Hurried(typing.Protocol):
    """What a door has too that can be told to take less time, as `Fetcher` can."""

    def hurried(self, seconds: float) -> Fetch:
        """One that takes at most `seconds` for a GET."""


def hurry(fetch: Fetch, seconds: float) -> Fetch:
    """A door that takes at most `seconds` for a GET, where this one can be told to."""
    return fetch.hurried(seconds) if isinstance(fetch, Hurried) else fetch


class Trail:
    """A `Fetch` that knows where its GETs were led: `onward` are the URLs that redirects led to, in order."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.onward: list[str] = []

    def get(self, url: str, *, accept: str = DEFAULT_ACCEPT, purpose: str = "") -> Response:
        """GET a page, as the `Fetch` does that is followed."""
        try:
            response = self._fetch.get(url, accept=accept, purpose=purpose)
        except FetchError as error:
            self.onward += error.onward
            raise
        if response.redirects:
            self.onward += (*response.redirects[1:], response.url)
        return response

    def send(self, request: Request) -> Response:
        """Deliver one POST."""
        return self._fetch.send(request)


def read_source(fetch: Fetch, source: str, *, purpose: str = "verifying", own: bool = False) -> Page:
    """The source page (protocols.md D-20 to D-25), with `own` one of ours.

    Raises `SourceGone` for 410 and 404, `BadStatus` for other errors, `NoBacklink` for an answer without content,
    and what the fetch raises.
    """
    with desk.away():
        response = fetch.get(source, accept=ACCEPT, purpose=purpose)
    if response.status == 410:
        raise SourceGone(Reason.SOURCE_GONE, "the source answers 410")
    if response.status == 404:
        raise SourceGone(Reason.SOURCE_MISSING, "the source answers 404")
    if response.status in (204, 205):
        detail = f"the source answers {response.status}: it has no content"
        raise NoBacklink(Reason.NO_BACKLINK, detail, final_url=response.url)
    if not 200 <= response.status < 300:
        raise BadStatus(source, response.status)
    return Page(response, own=own)


def find_backlink(
    page: Page,
    source: str,
    target: str,
    *,
    extended: bool = True,
    matches: Matches | None = None,
    named: Collection[str] = (),
) -> Backlink:
    """The backlink on a page that was read, with what the page says of itself.

    Takes and raises what `validator.find` does. A page whose description cannot be read still proves its link.
    """
    try:
        found = validator.find(page, target, source=source, extended=extended, matches=matches, named=named)
    except NoBacklink as error:
        error.final_url = page.url
        raise
    return describe(page, found)


#: one may take 30 megabytes, and more at a time is no faster
_places = Places(_MOST_DESCRIBED)
#: and so many are kept, while other claims are answered by the same page
_kept = Places(_MOST_DESCRIBED)


class _Kept:
    """What is made of a page once where many claims are answered by it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._free = _kept.free
        #: how many claims of other pairs were
        self.number = 0
        self._has_room = False
        self._whole: Whole | None = None

    @cached_property
    def _index(self) -> validator.Index:
        return validator.Index(self._page)

    def index(self, *, asks: bool) -> validator.Index | None:
        """Where the links of the page lead, once that is cheaper than another look.

        With the first of other claims where the host is asked what links mean (`asks`), or where no page is read in
        parts, as JSON and feeds are not; of those where there is room for it.
        """
        html = self._page.kind is Kind.HTML
        if html and not asks and self.number <= _FEW:
            return None
        return self._index if html or self._room() else None

    def whole(self) -> Whole:
        """Kept where there is room for it."""
        if self._whole is not None:
            return self._whole
        whole = Whole(self._page)
        if self._room():
            self._whole = whole
        return whole

    def _room(self) -> bool:
        if not self._has_room and self._free.acquire(blocking=False):
            weakref.finalize(self, self._free.release)
            self._has_room = True
        return self._has_room


def describe(
    page: Page,
    backlink: Backlink,
    excerpt_style: ExcerptStyle = "default",
    *,
    whole: Callable[[], Whole] | None = None,
) -> Backlink:
    """The backlink with what its page says of itself; as it is, and the failure logged, where that cannot be read."""
    try:
        with _places.free:
            return extract.describe(page, backlink, excerpt_style, whole=whole)
    except Exception:
        log.exception("could not describe %s", page.url)
        return backlink


class HostFailed(Exception):
    """The host's own `resolve` raised: no fault of the source, so no claim must end by it."""


class Reading:
    """One reading of a source, and what it answers to the claims of one pair: each different question is asked once.

    `page` is the source, or why it could not be read, and `asked_for` its URL; `pages` are those of the site,
    `protocols` those it speaks, `excerpt_style` is how it cuts excerpts, `hurried` whether the source had less than its
    whole time.
    """

    def __init__(
        self,
        page: Page | LinkbackError,
        pages: OwnPages,
        protocols: Mapping[str, Protocol],
        excerpt_style: ExcerptStyle = "default",
        kept: _Kept | None = None,
        *,
        asked_for: str = "",
        hurried: bool = False,
        answers: Answers | None = None,
    ) -> None:
        self._page = page
        self.asked_for = asked_for
        self.hurried = hurried
        self._kept = kept
        self._pages = pages
        self._answers = answers or Answers(pages)
        self._protocols = protocols
        self._excerpt_style = excerpt_style
        self._known: dict[tuple[bool, str, str], Backlink | Exception] = {}

    def is_of(self, source: str) -> bool:
        """Whether it is what the server of a source gives to whoever asks for it as it is spelled."""
        return self.asked_for == urls.asked_for(source)

    @property
    def failed(self) -> bool:
        """Whether the source could not be read."""
        return isinstance(self._page, LinkbackError)

    @property
    def retry_after(self) -> int | None:
        """In how many seconds to read the source where a limit of our own kept us from it; None where none did."""
        return self._page.retry_after if isinstance(self._page, TooManyRedirects) else None

    def anew(self) -> Reading:
        """The same page, for the claims of another pair."""
        if self._kept is None and isinstance(self._page, Page):
            self._kept = _Kept(self._page)
        if self._kept is not None:
            self._kept.number += 1
        return Reading(
            self._page,
            self._pages,
            self._protocols,
            self._excerpt_style,
            self._kept,
            asked_for=self.asked_for,
            answers=self._answers,
        )

    def find(self, claim: Claim) -> Backlink | Exception:
        """The backlink that proves a claim, not yet described, or why there is none.

        Raises `HostFailed`, and `MemoryError` where there was no room to read the page.
        """
        if isinstance(self._page, LinkbackError):
            return self._page
        protocol = self._protocols.get(claim.protocol)
        if protocol is None:
            return Refused(Reason.INTERNAL, f"this site does not speak {claim.protocol!r} any more")
        question = (protocol.extended, claim.target, claim.endpoint)
        if question not in self._known:
            self._known[question] = self._look_for(self._page, claim, extended=protocol.extended)
        return self._known[question]

    def describe(self, backlink: Backlink) -> Backlink:
        """A backlink that was found here, with what the page says of itself."""
        if isinstance(self._page, LinkbackError):
            return backlink
        whole = None if self._kept is None else self._kept.whole
        return describe(self._page, backlink, self._excerpt_style, whole=whole)

    def _look_for(self, page: Page, claim: Claim, *, extended: bool) -> Backlink | Exception:
        if self._is_target(page, claim):
            return NoBacklink(Reason.NO_BACKLINK, "the source leads to the page itself", final_url=page.url)
        matches = self._matcher(claim)
        try:
            index = None if self._kept is None else self._kept.index(asks=self._pages.asks)
            named = self._named(claim, index)
            return validator.find(
                page, claim.target, source=claim.source, extended=extended, matches=matches, named=named, index=index
            )
        except Refused as error:
            # what it passed through would keep the page for as long as the verdict is
            return error.with_traceback(None)
        except (HostFailed, MemoryError):
            # a lack of room says nothing of the page
            raise
        except Exception as error:
            # a page that breaks a reader is its sender's loss, not the next claim's
            log.exception("could not read %s", claim.source)
            return error.with_traceback(None)

    def _named(self, claim: Claim, index: validator.Index | None) -> list[str]:
        """The URLs that a link must be equal to; none where that is not known."""
        named = [url for url in (claim.target, claim.endpoint) if url]
        if not self._pages.asks:
            return named
        # the host's own function may know other names of a page
        if index is None:
            return []
        try:
            return [*named, *self._answers.spellings(claim.target, index.urls)]
        except Exception as error:
            raise HostFailed(f"resolve failed for a link of {claim.source}") from error

    def _is_target(self, page: Page, claim: Claim) -> bool:
        """Whether redirects led to the very page that a claim is for: it mentions itself under no other name."""
        if urls.same_page(page.url, claim.source):
            return False
        try:
            return self._answers.matcher(urls.without_fragment(claim.target))(page.url)
        except Exception as error:
            raise HostFailed(f"resolve failed for {claim.target}") from error

    def _matcher(self, claim: Claim) -> Callable[[str], bool]:
        """Whether a link proves a claim: it leads to its target, or to the ping URL it came in by (C-63)."""

        def matches(link: str) -> bool:
            if claim.endpoint and urls.satisfies(link, claim.endpoint):
                return True
            try:
                return ours(link)
            except Exception as error:
                raise HostFailed(f"resolve failed for {link}") from error

        try:
            ours = self._answers.matcher(claim.target)
        except Exception as error:
            raise HostFailed(f"resolve failed for {claim.target}") from error
        return matches


def purpose(protocol: str, target: str) -> str:
    """What the User-Agent says we come for (protocols.md D-21)."""
    return f"verifying {protocol} for {urls.host(target)}"
