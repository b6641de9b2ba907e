"""The verbs for scripts: discover, verify, send. No store, no settings; each has a twin that fetches nothing."""

from __future__ import annotations

from functools import partial

from linkback import discovery, receiver, sender, urls
from linkback.errors import Reason
from linkback.model import Backlink, Claim, Delivery, Endpoints
from linkback.page import Page
from linkback.protocols import BUILTIN
from linkback.wire import Fetch, HeadersLike, Response, as_headers


def _or_default(fetch: Fetch | None) -> Fetch:
    if fetch is not None:
        return fetch
    from linkback.fetch import Fetcher

    return Fetcher()


def discover(url: str, *, fetch: Fetch | None = None) -> Endpoints:
    """Where the page at `url` listens, for each protocol: Pingback 2, Webmention 3.1.2, TrackBack autodiscovery.

    Raises `Refused(TARGET_INVALID)` for what is no http(s) URL, `BadStatus` where the answer is no page, and another
    `FetchError` where there is none.
    """
    return sender.discover(_or_default(fetch), urls.check_argument(url, Reason.TARGET_INVALID))


def find_endpoints(url: str, headers: HeadersLike, body: bytes) -> Endpoints:
    """`discover` for a page that was fetched: its URL after redirects, its headers, its body. Fetches nothing."""
    page = Page(Response(200, as_headers(headers), body, url))
    return discovery.find(page, {protocol.name: protocol.signpost for protocol in BUILTIN})


def verify(source: str, target: str, *, fetch: Fetch | None = None, loose: bool = False) -> Backlink:
    """The element by which `source` links to `target`, and what the source says of itself (Webmention 3.2.2).

    `loose` also takes a link that differs from `target` by http or https, `www.`, one trailing slash, tracking
    parameters or the fragment. Raises `NoBacklink` where the source does not link, `SourceGone` where it no longer
    exists, `FetchError` where it cannot be read, and `Refused` for what is no http(s) URL.
    """
    source = urls.check_argument(source, Reason.SOURCE_INVALID)
    target = urls.check_argument(target, Reason.TARGET_INVALID)
    page = receiver.read_source(_or_default(fetch), source, purpose=f"verifying for {urls.host(target)}")
    matches = partial(urls.satisfies_loosely, target=target) if loose else None
    return receiver.find_backlink(page, source, target, matches=matches, named=(target,))


def find_backlink(source: str, target: str, headers: HeadersLike, body: bytes) -> Backlink:
    """`verify` for a page that was fetched: its URL after redirects, its headers, its body. Fetches nothing."""
    return receiver.find_backlink(Page(Response(200, as_headers(headers), body, source)), source, target)


def send(source: str, target: str, *, fetch: Fetch | None = None) -> Delivery:
    """Tell `target` that `source` links to it, by the first of webmention, pingback, trackback that it listens to.

    The `Delivery` says how it went; only arguments that are no http(s) URLs raise (`Refused`).
    """
    source = urls.check_argument(source, Reason.SOURCE_INVALID)
    target = urls.check_argument(target, Reason.TARGET_INVALID)
    return sender.deliver(_or_default(fetch), Claim("", source, target))


def targets(source: str, *, fetch: Fetch | None = None) -> list[str]:
    """The URLs that the page at `source` links to, as written, each once. Raises as `verify` does for the source."""
    source = urls.check_argument(source, Reason.SOURCE_INVALID)
    return list(sender.targets(receiver.read_source(_or_default(fetch), source, purpose="reading its links"), source))
