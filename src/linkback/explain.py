"""Why did a ping (not) arrive? Both sides of a claim, step by step, each with its evidence.

Rule 1: nothing is sent. Two pages are read, and the ping is only written out.
Rule 2: nothing is judged here: the steps are those of `receiver` and `sender`, watched while they go.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from linkback import receiver, sender, urls, validator
from linkback.charsets import byte_order_mark, lookup
from linkback.errors import Blocked, FetchError, LinkbackError, Reason, Refused
from linkback.model import Backlink, Claim, Endpoints
from linkback.nearmiss import near_misses
from linkback.page import Kind, Page
from linkback.plaintext import collapse
from linkback.protocols import BUILTIN, Protocol
from linkback.wire import DEFAULT_ACCEPT, Fetch, Request, Response

#: what a step found: texts, numbers, yes or no, lists
Fact = str | int | bool | tuple[str, ...]


class Verdict(enum.StrEnum):
    """How a step ended. `later`: temporary trouble; `skipped`: a step before it left nothing to look at.

    `warn`: it works, and somebody should look at it; only `doctor` says so.
    """

    YES = "yes"
    NO = "no"
    WARN = "warn"
    LATER = "later"
    SKIPPED = "skipped"


class Conclusion(enum.Enum):
    """What all steps together say."""

    READY = "linked, and the target listens"
    NOT_LINKED = "not linked"
    NO_ENDPOINT = "no endpoint"
    TEMPORARY = "temporary trouble"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at.

    `name` is source, link, description, target, endpoints or ping here; `summary` one sentence; `facts` the evidence.
    """

    name: str
    verdict: Verdict
    summary: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


class _Watched:
    """A fetch that remembers what came back, and sends nothing."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.response: Response | None = None

    def get(self, url: str, *, accept: str = DEFAULT_ACCEPT, purpose: str = "") -> Response:
        self.response = self._fetch.get(url, accept=accept, purpose=purpose)
        return self.response

    def send(self, request: Request) -> Response:
        raise Blocked(request.url, "nothing is sent to explain")


def steps(fetch: Fetch, source: str, target: str) -> list[Step]:
    """What would happen to the claim that `source` links to `target`: six `Step`s, always the same, in order.

    The source is read as a receiver would (Webmention 3.2.2, Pingback 3), the target as a sender would (Webmention
    3.1.2, Pingback 2, TrackBack autodiscovery). Raises `Refused` for what is no http or https URL; whatever goes
    wrong on the way is a step.
    """
    source = urls.check_argument(source, Reason.SOURCE_INVALID)
    target = urls.check_argument(target, Reason.TARGET_INVALID)
    read, page = _read_source(fetch, source, target)
    link, backlink = _look_for(page, source, target)
    visited, endpoints = _visit_target(fetch, target)
    return [read, link, _describe(backlink), visited, _listening(endpoints), _ping(endpoints, page, source, target)]


def conclude(steps: Sequence[Step]) -> Conclusion:
    """The sum of all steps; a "no" of the source's side weighs more than trouble on the target's."""
    verdicts = {step.name: step.verdict for step in steps}
    if Verdict.NO in (verdicts["source"], verdicts["link"]):
        return Conclusion.NOT_LINKED
    if Verdict.LATER in verdicts.values():
        return Conclusion.TEMPORARY
    return Conclusion.READY if verdicts["endpoints"] is Verdict.YES else Conclusion.NO_ENDPOINT


def _read_source(fetch: Fetch, source: str, target: str) -> tuple[Step, Page | None]:
    watched = _Watched(fetch)
    try:
        page = receiver.read_source(watched, source, purpose=f"verifying for {urls.host(target)}")
    except LinkbackError as error:
        return _failed("source", error, watched.response), None
    return Step("source", Verdict.YES, f"{source} was read", _evidence(page.response)), page


def _visit_target(fetch: Fetch, target: str) -> tuple[Step, Endpoints | None]:
    watched = _Watched(fetch)
    try:
        endpoints = sender.discover(watched, target)
    except FetchError as error:
        return _failed("target", error, watched.response), None
    return Step("target", Verdict.YES, f"{target} was read", _evidence(watched.response)), endpoints


def _failed(name: str, error: LinkbackError, response: Response | None) -> Step:
    later = isinstance(error, FetchError) and error.temporary
    return Step(name, Verdict.LATER if later else Verdict.NO, _words(error), _evidence(response))


def _words(error: LinkbackError) -> str:
    if isinstance(error, Refused):
        return error.detail
    return error.message if isinstance(error, FetchError) else str(error)


def _evidence(response: Response | None) -> dict[str, Fact]:
    """What came back over the wire; nothing where nothing did."""
    if response is None:
        return {}
    return {
        "status": response.status,
        "redirects": response.redirects,
        "final_url": response.url,
        "content_type": response.header("Content-Type"),
        "charset": _charset(Page(response)),
        "bytes": len(response.body),
        "truncated": response.truncated,
    }


def _charset(page: Page) -> str:
    """The codec that the text was read with, and what named it."""
    body = page.response.body
    if not body or page.kind is Kind.OTHER:
        return ""
    if marked := byte_order_mark(body)[1]:
        return f"{marked} (byte order mark)"
    if named := lookup(page.response.charset):
        return f"{named} (Content-Type)"
    metas = (element.get("charset") for element in page.document.elements if element.name == "meta")
    declared = [codec for label in metas if label and (codec := lookup(label))]
    for codec in (*declared, "utf-8", "cp1252"):
        if body.decode(codec, "replace") == page.text:
            return f"{codec} ({'declared in the page' if codec in declared else 'by its bytes'})"
    return "as the page declares"


def _look_for(page: Page | None, source: str, target: str) -> tuple[Step, Backlink | None]:
    if page is None:
        return Step("link", Verdict.SKIPPED, "the source could not be read"), None
    try:
        backlink = receiver.find_backlink(page, source, target)
    except Refused as refusal:
        misses = tuple(f"{miss.where} {miss.found}: {miss.why}" for miss in near_misses(page, target))
        facts: dict[str, Fact] = {"reason": refusal.reason.value, "near_misses": misses}
        return Step("link", Verdict.NO, refusal.detail, facts), None
    facts = {
        "element": backlink.element,
        "attribute": backlink.attribute,
        "href": backlink.href,
        "rels": backlink.rels,
        "properties": backlink.properties,
        "text": backlink.text,
        "counts_for": tuple(each.name for each in BUILTIN if _counts(each, page, target)),
    }
    return Step("link", Verdict.YES, "the source links to the target", facts), backlink


def _counts(protocol: Protocol, page: Page, target: str) -> bool:
    """Whether receivers of a protocol take the link for one: an image is none to a pingback (protocols.md D-2)."""
    try:
        validator.find(page, target, extended=protocol.extended)
    except Refused:
        return False
    return True


def _describe(backlink: Backlink | None) -> Step:
    if backlink is None:
        return Step("description", Verdict.SKIPPED, "without a link nothing is extracted")
    facts: dict[str, Fact] = {
        "kind": backlink.kind,
        "title": backlink.title,
        "author": backlink.author.name,
        "author_url": backlink.author.url,
        "excerpt": backlink.excerpt,
        "published": backlink.published.isoformat() if backlink.published else "",
    }
    return Step("description", Verdict.YES, "what would be shown of the source", facts)


def _listening(endpoints: Endpoints | None) -> Step:
    if endpoints is None:
        return Step("endpoints", Verdict.SKIPPED, "the target could not be read")
    facts: dict[str, Fact] = {
        "found": tuple(f"{name} {each.url} ({each.via.value})" for name, each in endpoints.found.items()),
        "rejected": tuple(f"{no.protocol} {no.url} ({no.via.value}): {no.why}" for no in endpoints.rejected),
    }
    if endpoints:
        return Step("endpoints", Verdict.YES, f"the target listens to {', '.join(endpoints.found)}", facts)
    late = ", in the part that was read" if endpoints.truncated else ""
    return Step("endpoints", Verdict.NO, f"the target advertises no endpoint that can be used{late}", facts)


def _ping(endpoints: Endpoints | None, page: Page | None, source: str, target: str) -> Step:
    """The request that would leave first; other protocols get a turn only where its endpoint turns out to be none."""
    usable = [each for each in BUILTIN if endpoints is not None and each.name in endpoints.found]
    if endpoints is None or not usable:
        return Step("ping", Verdict.SKIPPED, "there is no endpoint to send to")
    protocol = usable[0]
    claim = Claim(protocol.name, source, target)
    if protocol.describes_source and page is not None:
        claim = sender.words(page, claim)
    request = protocol.write_ping(endpoints.found[protocol.name].url, claim)
    facts: dict[str, Fact] = {
        "protocol": protocol.name,
        "method": request.method,
        "url": request.url,
        "headers": tuple(f"{name}: {value}" for name, value in request.headers),
        "body": request.body.decode("utf-8", "replace"),
        "instead": tuple(each.name for each in usable[1:]),
    }
    return Step("ping", Verdict.YES, f"a {protocol.name} would be sent; nothing was", facts)


def to_json(step: Step) -> dict[str, object]:
    """A step as JSON can say it: step, verdict, summary, facts."""
    return {"step": step.name, "verdict": step.verdict.value, "summary": step.summary, "facts": dict(step.facts)}


def lines(step: Step) -> Iterator[str]:
    """A step as text without control characters, for a terminal; facts that are empty are left out."""
    yield collapse(f"{step.name}: {step.verdict.value}, {step.summary}")
    for name, fact in step.facts.items():
        for value in fact if isinstance(fact, tuple) else (fact,):
            shown = ("yes" if value else "no") if isinstance(value, bool) else str(value)
            if shown:
                yield f"  {name.replace('_', ' ') + ':':<13} {collapse(shown)}"
