"""The languages linkback speaks, what a language must be able to do, and how ours are advertised.

Rule: a protocol is one object: its signpost as data, so that all finding stays in `discovery`, and four
methods, two for each direction. None of them opens a socket. A user's own protocol is any object of
this shape.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable

from linkback import urls
from linkback.model import Answer, Claim, Reply, Signpost
from linkback.protocols import signs, trackback
from linkback.protocols.pingback import Pingback
from linkback.protocols.trackback import TrackBack
from linkback.protocols.webmention import Webmention
from linkback.wire import Headers, Request, Response


class Protocol(typing.Protocol):
    """One language for claims, spoken both ways."""

    @property
    def name(self) -> str:
        """The protocol's name in lower case, as it stands in `Claim.protocol`."""

    @property
    def signpost(self) -> Signpost:
        """How its endpoints are advertised."""

    @property
    def max_body(self) -> int:
        """The longest request body it takes, in bytes; longer ones are refused as `Reason.TOO_LARGE`."""

    @property
    def repeatable(self) -> bool:
        """Whether a ping whose answer was lost may be sent again without harm (protocols.md B-11)."""

    @property
    def describes_source(self) -> bool:
        """Whether its pings carry the source's own title, excerpt and blog name (protocols.md B-42, E-3)."""

    @property
    def updates(self) -> bool:
        """Whether a repeated ping asks for another look at the source (protocols.md C-79, D-40)."""

    @property
    def extended(self) -> bool:
        """Whether images, media, frames and citations count as links (protocols.md D-1, D-2)."""

    def write_ping(self, endpoint: str, claim: Claim) -> Request:
        """We speak: the request that tells `endpoint` of a claim. Content-Length is the sender's matter."""

    def read_reply(self, response: Response) -> Reply:
        """They answered: what that means. Never raises."""

    def read_ping(self, request: Request, target: str = "") -> Claim:
        """They speak: the claim in a request, its URLs trimmed but not judged.

        `target` is the page that the endpoint's own URL names, for protocols that do not say it in the
        body. Raises `Refused` where the request holds no claim.
        """

    def write_reply(self, answer: Answer, request: Request) -> Response:
        """We answer: the response for any `Answer`. Nothing of the request is repeated in it."""


#: the protocols of linkback, best first: a delivery uses the first that its target offers (protocols.md B-8)
BUILTIN: tuple[Protocol, ...] = (Webmention(), Pingback(), TrackBack())


def endpoint_url(protocol: Protocol, base: str, permalink: str) -> str:
    """Where our endpoint for a page listens: `base` and the protocol's name.

    TrackBack says the target in the endpoint's URL only, so `permalink` goes there (protocols.md C-50), in normal form:
    a link to that URL is a proof, and a page has many spellings.
    """
    url = f"{base}/{protocol.name}"
    return f"{url}?{_naming(urls.canonical(permalink) or permalink)}" if protocol.signpost.rdf else url


def as_advertised(endpoint: str, target: str, permalink: str) -> str:
    """An endpoint of ours that names its page as some `target`, as `endpoint_url` has it; any other as it is.

    Who sends says both.
    """
    url, said = urls.without_query(endpoint), urls.query_value(endpoint, "target")
    if not urls.same_page(said, target) or endpoint != f"{url}?{_naming(said)}":
        return endpoint
    return f"{url}?{_naming(urls.canonical(permalink) or permalink)}"


def _naming(page: str) -> str:
    return urls.query({"target": page})


def advertise_headers(protocols: Iterable[Protocol], base: str, permalink: str) -> Headers:
    """The header fields that tell of every endpoint of a page of ours (protocols.md A-49, A-71)."""
    return tuple(
        field
        for protocol in protocols
        for field in signs.headers(protocol.name, protocol.signpost, endpoint_url(protocol, base, permalink))
    )


def advertise_elements(protocols: Iterable[Protocol], base: str, permalink: str) -> str:
    """What the headers say, as elements for the head of a page that cannot set headers (protocols.md A-49)."""
    return "".join(
        signs.link_element(protocol.name, endpoint_url(protocol, base, permalink)) + "\n"
        for protocol in protocols
        if not protocol.signpost.rdf
    )


def advertise_markup(protocols: Iterable[Protocol], base: str, permalink: str, title: str = "") -> str:
    """What no header can say: the RDF block of TrackBack, "" where it is not spoken (protocols.md A-91)."""
    return "".join(
        trackback.rdf(endpoint_url(protocol, base, permalink), permalink, title) + "\n"
        for protocol in protocols
        if protocol.signpost.rdf
    )


__all__ = [
    "BUILTIN",
    "Pingback",
    "Protocol",
    "TrackBack",
    "Webmention",
    "advertise_elements",
    "advertise_headers",
    "advertise_markup",
    "endpoint_url",
]
