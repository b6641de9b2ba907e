"""From a target to an outcome: discover, choose one protocol, speak it. Keeps no records.

Rule: exactly one protocol judges a pair. The next is tried only where an endpoint is none (protocols.md B-8, B-9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from linkback import content, discovery, extract, urls
from linkback.errors import BadStatus, Blocked, FetchError, LinkbackError, Refused, TooManyRedirects
from linkback.model import Backlink, Claim, Delivery, Endpoints, Outcome
from linkback.page import Page
from linkback.policy import Outgoing
from linkback.protocols import BUILTIN, Protocol, prose
from linkback.protocols.status import retry_after
from linkback.receiver import find_backlink, read_source
from linkback.wire import DEFAULT_ACCEPT, Fetch, Response

PURPOSE = "Webmention discovery"
_EVERY = Outgoing()

#: called with the protocol's name and the endpoint right before a POST leaves
BeforePost = Callable[[str, str], None]


def discover(fetch: Fetch, url: str, protocols: Sequence[Protocol] = BUILTIN) -> Endpoints:
    """The endpoints of the page at `url`, from one GET (protocols.md A-1 to A-8).

    Raises `BadStatus` for an answer that is no page (only 2xx is searched) and what the fetch raises.
    """
    return look(fetch, url, protocols)[0]


def look(fetch: Fetch, url: str, protocols: Sequence[Protocol]) -> tuple[Endpoints, Response]:
    """The endpoints as `discover` finds them, with the answer that they stand in."""
    response = fetch.get(urls.without_fragment(url), accept=DEFAULT_ACCEPT, purpose=PURPOSE)
    if not 200 <= response.status < 300:
        raise BadStatus(url, response.status, retry_after=retry_after(response))
    signposts = {protocol.name: protocol.signpost for protocol in protocols}
    return discovery.find(Page(response), signposts, target=url), response


def targets(page: Page, source: str, outgoing: Outgoing = _EVERY) -> Iterator[str]:
    """The URLs a page links to, as written, each once, that are to be told; never itself (protocols.md B-1 to B-5)."""
    known = set()
    for link in content.links(page) if outgoing.post_only else page.links():
        if link.url not in known and outgoing.wants(link, source):
            known.add(link.url)
            yield link.url


def deliver(
    fetch: Fetch,
    claim: Claim,
    protocols: Sequence[Protocol] = BUILTIN,
    *,
    before_post: BeforePost | None = None,
    find: Callable[[str], Endpoints] | None = None,
) -> Delivery:
    """Notify one target: the whole way from discovery to the receiver's answer. Never raises `LinkbackError`.

    `claim` names source and target; its protocol is chosen here, the first of `protocols` that the target advertises.
    `before_post` is called before each POST; what it raises passes through, and nothing is sent. `find` stands in for
    `discover`; of what it finds, `protocols` are used.
    """
    owed = Delivery(source=claim.source, target=claim.target)
    parsed = urls.parse(urls.clean(claim.target))
    if parsed is None or not parsed.is_web:
        return replace(owed, outcome=Outcome.NO_ENDPOINT, detail="the target is no http or https URL")
    try:
        endpoints = find(claim.target) if find is not None else discover(fetch, claim.target, protocols)
    except FetchError as error:
        return _not_delivered(owed, error)
    best: Delivery | None = None
    for delivery, usable in _attempts(fetch, claim, protocols, endpoints, before_post):
        if usable:
            return delivery
        best = best if best is not None and best.outcome is Outcome.FAILED else delivery
    return best or replace(owed, outcome=Outcome.NO_ENDPOINT, detail=_why_none(endpoints))


def _attempts(
    fetch: Fetch, claim: Claim, protocols: Sequence[Protocol], endpoints: Endpoints, before_post: BeforePost | None
) -> Iterator[tuple[Delivery, bool]]:
    """One delivery per advertised protocol, in order, with whether its endpoint was one."""
    for protocol in protocols:
        if (endpoint := endpoints.found.get(protocol.name)) is None:
            continue
        yield _post(fetch, replace(claim, protocol=protocol.name), protocol, endpoint.url, before_post)


def _post(
    fetch: Fetch, claim: Claim, protocol: Protocol, endpoint: str, before_post: BeforePost | None
) -> tuple[Delivery, bool]:
    owed = Delivery(source=claim.source, target=claim.target, protocol=protocol.name, endpoint=endpoint)
    if protocol.describes_source and not claim.title:
        claim = describe_source(fetch, claim)
    ping = protocol.write_ping(endpoint, claim)
    if before_post is not None:
        before_post(protocol.name, endpoint)
    try:
        reply = protocol.read_reply(fetch.send(ping))
    except FetchError as error:
        kept = _was_kept(error)
        if error.sent and not kept:
            again = 1 if protocol.repeatable else 0
            detail = f"{_line(error.message)}; the receiver may have got it"
            return replace(owed, outcome=Outcome.UNKNOWN, detail=detail, again=again), True
        return _not_delivered(owed, error), kept
    done = replace(
        owed,
        outcome=reply.outcome,
        code=reply.code,
        detail=reply.detail,
        status_url=reply.status_url,
        again=reply.again,
        retry_after=reply.retry_after,
    )
    return done, not reply.unusable


def _was_kept(error: FetchError) -> bool:
    """Whether a rule of ours kept us from following a redirect: who sent us on took nothing, and nobody else heard."""
    return isinstance(error, Blocked) or (isinstance(error, TooManyRedirects) and error.retry_after is not None)


def _not_delivered(owed: Delivery, error: FetchError) -> Delivery:
    outcome = Outcome.FAILED if error.temporary else Outcome.REFUSED
    code = error.status if isinstance(error, BadStatus) else None
    wait = error.retry_after if isinstance(error, BadStatus | TooManyRedirects) else None
    return replace(owed, outcome=outcome, code=code, detail=_line(error.message), retry_after=wait)


def _why_none(endpoints: Endpoints) -> str:
    reasons = [f"{rejected.protocol}: {rejected.why}" for rejected in endpoints.rejected]
    if endpoints.truncated:
        reasons.append("the page was too long to read to its end")
    # a page may name thousands
    return _line("; ".join(dict.fromkeys(reasons))) or "the target advertises no endpoint"


def _line(detail: str) -> str:
    """What went wrong, no longer than what a receiver may say: it may be in a stranger's words."""
    return prose.shorten(detail, prose.MAX_DETAIL)


def describe_source(fetch: Fetch, claim: Claim) -> Claim:
    """The claim with the title, excerpt and blog name that its source page gives (protocols.md B-42, F-39).

    A source that cannot be read leaves the claim as it is: the ping then carries its URL alone.
    """
    try:
        page = read_source(fetch, claim.source, purpose="describing")
    except LinkbackError:
        return claim
    return words(page, claim)


def words(page: Page, claim: Claim) -> Claim:
    """The claim in the words of its source page."""
    try:
        backlink = find_backlink(page, claim.source, claim.target)
    except Refused:
        bare = Backlink(source=claim.source, target=claim.target, final_url=page.url)
        backlink = extract.describe(page, bare)
    return replace(
        claim,
        title=claim.title or backlink.title,
        excerpt=claim.excerpt or backlink.excerpt,
        blog_name=claim.blog_name or extract.site_name(page),
    )
