"""The words of linkback as values: frozen, comparable, free of behaviour."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from linkback.errors import Reason


class Status(enum.StrEnum):
    """Where a mention stands. Only `approved` ones are shown."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    SPAM = "spam"
    REMOVED = "removed"


#: nobody sees these, so nobody misses them; they may be shown again one day
UNSEEN = frozenset({Status.REJECTED, Status.SPAM})


class Outcome(enum.StrEnum):
    """How a delivery ended, or that it has not been tried.

    Of a withdrawn one nothing is sent: it lost its link before, or its post has more links than are told of.
    """

    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NO_ENDPOINT = "no-endpoint"
    WITHDRAWN = "withdrawn"


#: the other side has it
ARRIVED = frozenset({Outcome.SENT, Outcome.ACCEPTED})
#: it was tried, and the other side does not have it
UNDELIVERED = frozenset({Outcome.REFUSED, Outcome.FAILED})


class Cause(enum.StrEnum):
    """Why a delivery is owed: a link that is new, or one told before whose post changed, lost it or is deleted."""

    NEW = "new"
    UPDATE = "update"
    REMOVED = "removed"
    DELETED = "deleted"


class ClaimState(enum.StrEnum):
    """Where a claim stands, in the words of the status resource (protocols.md C-78)."""

    QUEUED = "queued"
    PENDING = "pending"
    SUCCESS = "success"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    FAILED = "failed"


class Via(enum.StrEnum):
    """How a page advertised an endpoint."""

    LINK_HEADER = "link-header"
    X_PINGBACK = "x-pingback"
    LINK = "link"
    A = "a"
    RDF = "rdf"
    GUESS = "guess"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a sender says: `source` links to `target`.

    `title`, `excerpt` and `blog_name` are TrackBack's own words for the source;
    `endpoint` is the ping URL the claim came in by, which a trackback may link to instead
    (protocols.md C-63). `vouch` is a page that vouches for the source; policies see it, the store does not keep it.
    """

    protocol: str
    source: str
    target: str
    title: str = ""
    excerpt: str = ""
    blog_name: str = ""
    endpoint: str = ""
    vouch: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A claim that was taken. `id` names its status; `checked` says that the backlink was verified already."""

    id: str
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote the source page; unknown parts are ""."""

    name: str = ""
    url: str = ""
    photo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlink:
    """The element on the source page that proves a claim, and what that page says of itself.

    Evidence: `element`, `attribute`, `href` (as resolved), `rels`, `properties` (microformats
    `u-*` names without the prefix), `text` (of the link), `position` (how many elements of the
    same name stand before it). Description: text only, "" or None where the page does not say.
    """

    source: str
    target: str
    final_url: str
    element: str = ""
    attribute: str = ""
    href: str = ""
    rels: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    text: str = ""
    position: int = 0
    title: str = ""
    author: Author = Author()
    excerpt: str = ""
    published: datetime | None = None
    kind: str = "mention"
    canonical_url: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """A claim that was checked: one link from one page to one of ours.

    `protocols` are those that announced it. `status` is a `Status`. `missing_since` is when its source was first not
    seen to link any more, for whatever reason, `lost_since` when it was first seen not to; None where it links. Times
    are aware UTC, except `published`, which keeps the offset its page gave (or none).
    """

    id: str
    site: str
    source: str
    target: str
    protocols: tuple[str, ...]
    status: Status
    received: datetime
    checked: datetime
    title: str = ""
    author: Author = Author()
    excerpt: str = ""
    published: datetime | None = None
    kind: str = "mention"
    final_url: str = ""
    missing_since: datetime | None = None
    lost_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a page listens: `url`, and `via` which signpost it was found (a `Via`)."""

    url: str
    via: Via


@dataclass(frozen=True, slots=True)
class Rejected:
    """An advertised endpoint that is not used, and why."""

    protocol: str
    url: str
    via: Via
    why: str


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints of one page, by protocol name; None where it advertises none.

    `truncated` says that the page was longer than was read, so a late signpost may be missing.
    """

    url: str
    final_url: str
    found: Mapping[str, Endpoint] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    truncated: bool = False

    @property
    def webmention(self) -> Endpoint | None:
        """The endpoint for webmentions, None where the page has none."""
        return self.found.get("webmention")

    @property
    def pingback(self) -> Endpoint | None:
        """The endpoint for pingbacks, None where the page has none."""
        return self.found.get("pingback")

    @property
    def trackback(self) -> Endpoint | None:
        """The endpoint for trackbacks, None where the page has none."""
        return self.found.get("trackback")

    def __bool__(self) -> bool:
        return bool(self.found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signpost:
    """How a protocol is advertised, as data: all finding stays in `discovery`.

    `header` is a field whose value is the endpoint. `header_rels` match in `Link` fields,
    `element_rels` on the named `elements`; `empty_href` says whether an empty reference means the
    page itself. `rdf` asks for TrackBack RDF blocks, which beat the elements. `strict` looks for the
    literal `<link>` of Pingback 2.3 in the body's text, and for no element (protocols.md A-48).
    `guess` takes a ping URL of WordPress that the page shows for a signpost where there is no other (A-89).
    """

    header: str = ""
    header_rels: frozenset[str] = frozenset()
    elements: tuple[str, ...] = ()
    element_rels: frozenset[str] = frozenset()
    empty_href: bool = False
    rdf: bool = False
    strict: bool = False
    guess: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a receiver's answer to a ping means.

    `again` is how many more tries the answer deserves although it said no (a publication race);
    `unusable` says that the endpoint itself is no endpoint, so another protocol may be tried.
    `status_url` is where a webmention's progress can be watched; `retry_after` is in seconds.
    """

    outcome: Outcome
    code: int | None = None
    detail: str = ""
    again: int = 0
    unusable: bool = False
    status_url: str = ""
    retry_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What we answer to a claim: taken (`reason` None) or refused.

    `checked` says that the backlink was verified before answering. `status_url` is where the
    claim's progress can be watched, `retry_after` is in seconds. `page` is the page of ours that the endpoint's own URL
    names, for who comes to look at an endpoint with a browser.
    """

    reason: Reason | None = None
    checked: bool = False
    status_url: str = ""
    retry_after: int | None = None
    page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One notification that we owe, or made, to one target.

    `code` is the protocol's own number (HTTP status, fault code, TrackBack error), `detail` one
    line of text. `again` and `retry_after` (seconds) say whether another try is worth making; the store keeps no
    `retry_after`. A stored `unknown` may also be one that is being sent at this moment.

    `cause` says why it is owed. `told` is the protocol by which the target heard of the source before, "" where it did
    not; `revision` counts how often the delivery was owed, and `owed` is from when it is, None where nobody said.
    """

    source: str
    target: str
    protocol: str | None = None
    endpoint: str | None = None
    outcome: Outcome = Outcome.QUEUED
    code: int | None = None
    detail: str = ""
    status_url: str = ""
    attempts: int = 0
    again: int = 0
    retry_after: int | None = None
    id: str = ""
    cause: Cause = Cause.NEW
    told: str = ""
    revision: int = 1
    owed: datetime | None = field(default=None, compare=False)


class JobKind(enum.StrEnum):
    """The two kinds of work that can be due."""

    CHECK = "check"
    DELIVER = "deliver"


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is due, leased to one worker. `subject` is a pair key or a delivery id.

    `attempts` counts this attempt too: it is written before the work begins, so that a job
    that kills its worker is still counted. `lease` counts how often the job was taken, and so tells one lease from
    another. `site` is the URL of the site that it is for. `abandoned` says that whoever had it before neither ended it
    nor gave it back. `due` is since when it waited for this lease, None where nobody said.
    """

    id: int
    kind: JobKind
    subject: str
    attempts: int
    lease: int = 1
    site: str = ""
    abandoned: bool = False
    due: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether a POST may leave now, or a page be read.

    Where not, `due` is when to ask again, None where the job is another worker's.
    """

    granted: bool
    due: datetime | None = None
