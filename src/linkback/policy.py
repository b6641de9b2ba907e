"""Whom we listen to and whom we tell, what is shown unasked, and when to try again.

Decisions only: nothing here waits or fetches.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from linkback import addresses, urls
from linkback.arguments import one_of, several
from linkback.errors import Blocked, ConfigurationError, FetchError, NoBacklink, Reason, Refused, SourceGone
from linkback.model import Backlink, Claim, Status
from linkback.page import Link
from linkback.rates import check_rate

#: how an excerpt is cut from the source: by blocks and words, or as WordPress does it
ExcerptStyle = Literal["default", "wordpress"]

#: what a number of hours without end comes to, and from how many days on nothing is forgotten
_LONGEST_HOURS, _LONGEST_DAYS = 1_000_000, 36_500
#: how long a status URL is to be answered (protocols.md C-78)
_SHORTEST_DAYS = 3
_HOSTS = one_of(str, 'a list of host names, such as ["spam.example"]')
_SECONDS = one_of((int, float), "a list of seconds, such as (60.0, 600.0)")
_RELS = one_of(str, 'a list of rel values, such as ["nofollow"]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a site accepts and shows.

    `moderate` holds verified mentions as pending. `moderate_edits` does so, until a person decides, with a mention that
    is shown and of which a later look finds other words. `blocked_hosts` are source hosts not listened to, with their
    subdomains. `pair_seconds` is how soon one pair may be announced again by webmention. `settle_seconds` passes
    before a source is first fetched, because senders ping while they publish; `second_look_seconds` later a source
    that did not link is read once more (protocols.md D-27). A mention is looked at again after `recheck_days`, never
    with 0. `excerpt_style` "wordpress" cuts excerpts as WordPress does (E-10). `own_sources` says whether posts of the
    site's own may mention others of them; None, the default, where nobody waits for the check: it reads a page of this
    very server. What is said of sources holds for what they redirect to.

    A claim is forgotten `claims_days` after it ended, never with 0, but for the last one by each protocol of a pair
    that has a mention. Its status URL is answered that long (C-78).

    An edit is one of the title, the author, the excerpt or the kind. A mention that a person approved is held like one
    that the policy did: what he approved is the words that he read, and a bait is made to be approved. Nothing tells
    who changed them, or why: the page's own words may take the place of a trackback's, and the first look by a newer
    linkback, which describes pages better, may find others on a page that is as it was.

    Of one host, which is all that is below one registrable domain, `host_burst` pages are read at once and one more
    each `host_seconds`, whatever they are read for: by default never more than 60 in an hour. With 0 seconds there is
    no such limit, nor for private hosts, nor for `busy_hosts` and their subdomains, as a service that speaks for many
    blogs; one page at a time they are read all the same. A claim is refused for now whose source could not be read in
    `host_queue_hours`.

    Pings are taken from one client, an IPv4 address or the /64 of an IPv6 one, `client_burst` at once and one more each
    `client_seconds`; claims from all of them likewise by `site_burst` and `site_seconds` (C-8). With 0 seconds there is
    no such limit. Each process counts for itself. Where `most_waiting` checks of the site are due no more claims are
    taken; 0 sets no cap. Raises `ConfigurationError` for a style that there is not, for hosts that are no list, and for
    a burst and seconds that are no rate, and for `claims_days` of less than 3.
    """

    moderate: bool = False
    moderate_edits: bool = False
    blocked_hosts: Collection[str] = ()
    pair_seconds: int = 30
    settle_seconds: float = 1.0
    second_look_seconds: float = 30.0
    excerpt_style: ExcerptStyle = "default"
    recheck_days: float = 30.0
    claims_days: float = 30.0
    host_seconds: float = 90.0
    host_burst: int = 20
    host_queue_hours: float = 24.0
    busy_hosts: Collection[str] = ()
    own_sources: bool | None = None
    client_burst: int = 30
    client_seconds: float = 240.0
    site_burst: int = 600
    site_seconds: float = 1.2
    most_waiting: int = 100_000

    def __post_init__(self) -> None:
        if self.excerpt_style not in get_args(ExcerptStyle):
            raise ConfigurationError(f"excerpt_style: there is no style {self.excerpt_style!r}")
        several("blocked_hosts", self.blocked_hosts, _HOSTS)
        days: object = self.claims_days
        if not (isinstance(days, int | float) and (days == 0 or days >= _SHORTEST_DAYS)):
            raise ConfigurationError(f"claims_days: {days!r} is no number of days, 0 or at least {_SHORTEST_DAYS}")
        check_rate("host", self.host_burst, self.host_seconds)
        check_rate("client", self.client_burst, self.client_seconds)
        check_rate("site", self.site_burst, self.site_seconds)
        several("busy_hosts", self.busy_hosts, _HOSTS)
        hours: object = self.host_queue_hours
        if not (isinstance(hours, int | float) and hours >= 0):
            raise ConfigurationError(f"host_queue_hours: {hours!r} is no number of hours")

    def admit(self, claim: Claim) -> None:
        """Raise `Refused(BLOCKED)` for a source we do not listen to."""
        host = urls.host(claim.source).rstrip(".")
        if _among(host, self.blocked_hosts):
            raise Refused(Reason.BLOCKED, f"{host} is blocked")

    def admit_own(self, source: str, *, inline: bool) -> None:
        """Raise `Refused(BLOCKED)` for a source on the site's own server, where such are not listened to.

        `inline` says that a thread of that server would wait for the page, and perhaps be the one that has to give it.
        """
        if self.own_sources is False:
            raise Refused(Reason.BLOCKED, f"{source} is our own, which own_sources=False keeps out")
        if self.own_sources is None and inline:
            why = "whoever sends it would wait for this server to read itself"
            raise Refused(Reason.BLOCKED, f"{source} is our own, and {why}: Policy(own_sources=True) has it checked")

    def host_gap(self, source: str) -> timedelta:
        """How long it takes until one more page may be read from a source's host; nothing where that has no limit.

        A host that is private by its name is none of a third party: only its operator can open it.
        """
        host = urls.host(source)
        free = addresses.is_private(host) or _among(host, self.busy_hosts)
        return timedelta(0) if free else timedelta(seconds=self.host_seconds)

    def host_queue(self) -> timedelta:
        """How long a new claim may have to wait until a page of its source's host may be read."""
        return timedelta(hours=min(self.host_queue_hours, _LONGEST_HOURS))

    def forgets(self, now: datetime) -> datetime | None:
        """By when a claim must have ended to be forgotten `now`; None where none is."""
        # what may be announced again only later is known until then
        days = max(self.claims_days, self.pair_seconds / 86_400)
        return now - timedelta(days=days) if self.claims_days > 0 and days < _LONGEST_DAYS else None

    def status(self, backlink: Backlink) -> Status:
        """The status of a newly verified mention."""
        return Status.PENDING if self.moderate else Status.APPROVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Whom a site tells of its links, and at which pace.

    A link is passed over that has one of `skip_rels`, that leads to one of `skip_hosts` or a subdomain, or to the
    post's own host with `skip_same_host`, and any with `data-linkback="no"` (protocols.md B-1, B-5). With `post_only`
    also those of the page's frame and of comments, where the page says what its post is: by microformats, `<article>`
    or `<main>`. `host_seconds` lie between two POSTs to one host (B-12). Of a post's links `most_told` are told, the
    first ones, and `most_told_a_host` of those to one host; a page that was told stays so, and the others are recorded
    as withdrawn. A post of more than `most_links`, or whose page has more than `most_bytes`, is refused. Raises
    `ConfigurationError` for rels and hosts that are no list.
    """

    skip_rels: Collection[str] = ()
    skip_hosts: Collection[str] = ()
    skip_same_host: bool = False
    post_only: bool = False
    host_seconds: float = 1.0
    most_told: int = 100
    most_told_a_host: int = 10
    most_links: int = 5_000
    most_bytes: int = 5_242_880

    def __post_init__(self) -> None:
        several("skip_rels", self.skip_rels, _RELS)
        several("skip_hosts", self.skip_hosts, _HOSTS)

    def wants(self, link: Link, source: str) -> bool:
        """Whether the page that a link of `source` leads to is told."""
        if urls.same_page(link.url, source) or is_passed_over(link):
            return False
        if not {rel.lower() for rel in self.skip_rels}.isdisjoint(link.element.tokens("rel")):
            return False
        if self.skip_same_host and urls.same_site(link.url, source):
            return False
        return not _among(urls.host(link.url), self.skip_hosts)


def is_passed_over(link: Link) -> bool:
    """Whether a link says itself that nobody is to be told of it."""
    return link.element.attributes.get("data-linkback", "").strip().lower() == "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When to try a thing again. `delays` are seconds after the first, second … attempt (protocols.md B-13).

    `jitter` spreads them by that fraction, so that what failed together does not return together. Raises
    `ConfigurationError` for delays that are no list of numbers.
    """

    delays: tuple[float, ...] = (60.0, 600.0)
    jitter: float = 0.2

    def __post_init__(self) -> None:
        several("delays", self.delays, _SECONDS)

    def due(self, attempts: int, now: datetime, *, at_least: float = 0.0) -> datetime | None:
        """When attempt number `attempts` + 1 is due; None once the last was made.

        `at_least` is the number of seconds the other side asked us to wait.
        """
        made = max(1, attempts)
        if made > len(self.delays):
            return None
        seconds = self.delays[made - 1]
        spread = 1 + random.uniform(0, self.jitter)  # noqa: S311 - spreading load, not keeping a secret
        return now + timedelta(seconds=max(seconds * spread, at_least))


def _among(host: str, names: Iterable[str]) -> bool:
    """Whether a host is one of the named, or a subdomain of one."""
    host = host.rstrip(".")
    known = (urls.host(f"https://{name}").rstrip(".") for name in names)
    return any(name and (host == name or host.endswith(f".{name}")) for name in known)


def wait_for(seconds: float, age: timedelta, longest: timedelta) -> timedelta | None:
    """For how long what a limit of our own kept back is left, without counting as a failure; None where it is one now.

    That is for the `seconds` it takes at least, and else for as long as it has waited, its `age`, until that comes to
    `longest`: it is tried about ten times in a day.
    """
    left = longest - age
    if left <= timedelta(0):
        return None
    return max(timedelta(seconds=min(seconds, longest.total_seconds())), min(age, left))


def judge(error: Exception) -> tuple[Reason, bool]:
    """What a failed check means: its reason, and whether there is to be another look.

    An address that we do not talk to is looked at as often as a host that is away: when a claim fails tells no stranger
    which it was, and costs no connection (protocols.md C-10).
    """
    match error:
        case SourceGone(reason=Reason.SOURCE_GONE):
            return Reason.SOURCE_GONE, False
        case SourceGone():
            return error.reason, True
        case NoBacklink(reason=reason):
            return reason, reason is not Reason.UNSUPPORTED_TYPE
        case Blocked():
            return Reason.SOURCE_UNREADABLE, True
        case FetchError(temporary=temporary):
            return Reason.SOURCE_UNREADABLE, temporary
        case _:
            return Reason.INTERNAL, False


def takes_away(reason: Reason, *, asked: bool) -> bool:
    """Whether a failed check of a mention that exists removes it (protocols.md D-41 to D-43).

    `asked` says that its own source announced the change, by sending the webmention again. A failure to read the
    source, or to read all of it, takes nothing away.
    """
    if reason in (Reason.SOURCE_GONE, Reason.NO_BACKLINK):
        return True
    return asked and reason is Reason.SOURCE_MISSING
