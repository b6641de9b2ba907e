"""From a claim's source to its backlink: fetch once, look, describe. Keeps no records."""

from __future__ import annotations

from linkback import extract, urls, validator
from linkback.errors import BadStatus, NoBacklink, Reason, SourceGone
from linkback.model import Backlink
from linkback.page import Page
from linkback.validator import Matches
from linkback.wire import Fetch

ACCEPT = "text/html, application/xhtml+xml;q=0.9, application/json;q=0.6, text/plain;q=0.5, */*;q=0.1"


def read_source(fetch: Fetch, source: str, *, purpose: str = "verifying") -> Page:
    """The source page (protocols.md D-20 to D-25).

    Raises `SourceGone` for 410 and 404, `BadStatus` for other errors, `NoBacklink` for an answer without content,
    and what the fetch raises.
    """
    response = fetch.get(source, accept=ACCEPT, purpose=purpose)
    if response.status == 410:
        raise SourceGone(Reason.SOURCE_GONE, "the source answers 410")
    if response.status == 404:
        raise SourceGone(Reason.SOURCE_MISSING, "the source answers 404")
    if response.status in (204, 205):
        raise NoBacklink(Reason.NO_BACKLINK, f"the source answers {response.status}: it has no content")
    if not 200 <= response.status < 300:
        raise BadStatus(source, response.status)
    return Page(response)


def find_backlink(
    page: Page, source: str, target: str, *, extended: bool = True, matches: Matches | None = None
) -> Backlink:
    """The backlink on a page that was read, with what the page says of itself.

    Raises as `validator.find` does. A page whose description cannot be read still proves its link.
    """
    return extract.describe(page, validator.find(page, target, source=source, extended=extended, matches=matches))


def purpose(protocol: str, target: str) -> str:
    """What the User-Agent says we come for (protocols.md D-21)."""
    return f"verifying {protocol} for {urls.host(target)}"
