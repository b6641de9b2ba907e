"""From a claim to a mention: what is recorded, what is looked at, and what a check may change."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from linkback import extract, urls, validator
from linkback.errors import Blocked, Reason, Refused, StoreError, TimedOut, Unreachable
from linkback.jobs import External
from linkback.model import Author, Backlink, Claim, ClaimState, Mention, Status
from linkback.ownpages import Resolve
from linkback.page import Page
from linkback.policy import Policy, Retry
from linkback.protocols import BUILTIN
from linkback.site import MOST_ATTEMPTS, Site
from linkback.store import MOST_OPEN_CLAIMS, ClaimRecord, Storage, open_store
from linkback.testing import Answering, FakeClock, FakeWeb, unreachable
from linkback.wire import Request, Response
from linkback.work import LEASE_SECONDS

S = "https://s.example/note"
T = "https://t.example/post"
SITE = "https://t.example/"
KEY = urls.pair_key(SITE, S, T)
TB = "https://t.example/linkback/trackback?target=https%3A%2F%2Ft.example%2Fpost"
HTML = (("Content-Type", "text/html; charset=utf-8"),)
LINKING = f"<title>Note</title><p>I like <a href='{T}'>this</a> much.</p>"
NOTHING = "<title>Note</title><p>I like nothing.</p>"
#: the default of `Policy`, in seconds
PAIR = SECOND_LOOK = 30

WEBMENTION = Claim("webmention", S, T)
PINGBACK = Claim("pingback", S, T)
TRACKBACK = Claim("trackback", S, T, title="Their title", excerpt="Their words", blog_name="Their blog", endpoint=TB)
EVERY = [WEBMENTION, PINGBACK, TRACKBACK]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: LINKING})


@pytest.fixture
def store() -> Iterator[Storage]:
    store = open_store("sqlite://")
    yield store
    store.close()


Make = Callable[..., Site]


@pytest.fixture
def make(web: FakeWeb, store: Storage, clock: FakeClock) -> Make:
    """A site over the same store, with the settings given."""

    def make(*, moderate: bool = False, blocked: tuple[str, ...] = (), recheck_days: float = 0, **more: Any) -> Site:
        policy = Policy(
            moderate=moderate,
            moderate_edits=more.pop("moderate_edits", False),
            blocked_hosts=blocked,
            settle_seconds=0,
            recheck_days=recheck_days,
        )
        retry = Retry(delays=(60.0, 600.0), jitter=0.0)
        return Site(SITE, store=store, fetch=web, clock=clock, policy=policy, retry=retry, runner=External(), **more)

    return make


@pytest.fixture
def site(make: Make) -> Site:
    return make()


def receive(site: Site, claim: Claim = WEBMENTION) -> ClaimRecord:
    """Take a claim, and give it as it was recorded."""
    record = site.claim(site.receive(claim).id)
    assert record is not None
    return record


def now(site: Site, record: ClaimRecord) -> tuple[ClaimState, Reason | None]:
    """How a claim stands."""
    found = site.claim(record.id)
    assert found is not None
    return found.state, found.reason


def settled(site: Site, clock: FakeClock, claim: Claim = WEBMENTION) -> tuple[ClaimState, Reason | None]:
    """Announce, long after anything before, and let every look take place that is due; how it ended."""
    clock.advance(PAIR)
    record = receive(site, claim)
    while (due := site.store.next_due()) is not None:
        clock.now = max(clock.now, due)
        site.drain()
    return now(site, record)


def test_claims_that_join_each_look_do_not_look_like_dying_workers(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """Else a stranger could freeze a pair for good."""
    numbers = iter(range(8))

    def look(request: object) -> Response:
        if (number := next(numbers, None)) is not None:
            site.receive(Claim("webmention", S, f"{T}#{number}"))
        return Response(200, (("Content-Type", "text/html"),), f"<a href='{T}'>x</a>".encode())

    web.pages[S] = look
    receive(site)
    for _ in range(20):
        site.drain()
        clock.now = max(clock.now, site.store.next_due() or clock.now)
    assert site.store.parked() == []
    assert site.store.next_due() is None


def every(site: Site) -> list[Mention]:
    return site.mentions(statuses=None)


def only(site: Site) -> Mention:
    [mention] = every(site)
    return mention


def refused(site: Site, claim: Claim) -> Refused:
    with pytest.raises(Refused) as caught:
        site.receive(claim)
    return caught.value


# taking a claim


@pytest.mark.parametrize("claim", EVERY, ids=lambda claim: claim.protocol)
def test_a_claim_is_answered_before_anything_is_fetched(
    site: Site, web: FakeWeb, clock: FakeClock, claim: Claim
) -> None:
    """protocols.md C-6, C-7."""
    record = receive(site, claim)
    assert (record.claim, record.state, record.open, record.checked) == (claim, ClaimState.QUEUED, True, None)
    assert (record.site, record.page, record.key, record.received) == (SITE, T, KEY, clock())
    assert web.requests == []
    assert every(site) == []


def test_the_id_of_a_claim_cannot_be_guessed(site: Site, clock: FakeClock) -> None:
    """protocols.md C-78: 96 bits at least."""
    first, second = receive(site), receive(site, PINGBACK)
    assert first.id != second.id
    assert len(first.id) >= 16


def test_a_claim_and_its_job_are_recorded_together_or_not_at_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("linkback.store.jobs.add_all", full)
        with pytest.raises(StoreError, match="disk full"):
            site.receive(WEBMENTION)
    assert site.store.open_claims(KEY) == []
    assert site.drain() == 0


def test_the_source_is_left_in_peace_while_it_is_being_published(web: FakeWeb, clock: FakeClock) -> None:
    """protocols.md D-27: senders ping while they publish."""
    with Site(SITE, store="sqlite://", fetch=web, clock=clock, runner=External()) as site:
        site.receive(WEBMENTION)
        assert site.drain() == 0
        clock.advance(1)
        assert site.drain() == 1


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        pytest.param("mailto:a@b", T, Reason.SOURCE_INVALID, id="VC-67 mailto"),
        pytest.param("ftp://s/", T, Reason.SOURCE_INVALID, id="VC-67 ftp"),
        pytest.param("https:///x", T, Reason.SOURCE_INVALID, id="VC-67 no host"),
        pytest.param("not a url", T, Reason.SOURCE_INVALID, id="VC-67 no url"),
        pytest.param("", T, Reason.SOURCE_INVALID, id="C-3 empty"),
        pytest.param(S, "", Reason.TARGET_INVALID, id="C-3 empty target"),
        pytest.param(S, "https://u:p@t.example/post", Reason.TARGET_INVALID, id="VC-82"),
        pytest.param(S, "https://foreign.example/post", Reason.TARGET_UNKNOWN, id="VC-69"),
        pytest.param(S, "https://t.example.evil.example/", Reason.TARGET_UNKNOWN, id="no prefix"),
        pytest.param(T, T, Reason.SAME_PAGE, id="VC-68"),
        pytest.param(T + "#a", T + "#b", Reason.SAME_PAGE, id="VC-68 fragment"),
        pytest.param("https://t.example:443/post", T, Reason.SAME_PAGE, id="VC-68 port"),
        pytest.param("https://blocked.example/", T, Reason.BLOCKED, id="VC-31"),
        pytest.param("https://a.blocked.example/", T, Reason.BLOCKED, id="blocked subdomain"),
        pytest.param("https://BLOCKED.example/", T, Reason.BLOCKED, id="blocked in capitals"),
    ],
)
@pytest.mark.parametrize("protocol", ["webmention", "pingback", "trackback"])
def test_what_can_be_told_without_the_network_is_refused_at_once(
    make: Make, web: FakeWeb, protocol: str, source: str, target: str, reason: Reason
) -> None:
    site = make(blocked=("blocked.example",))
    assert refused(site, Claim(protocol, source, target)).reason is reason
    assert web.requests == []
    assert site.store.next_due() is None


@pytest.mark.parametrize("blocked", ["BLOCKED.example", "blocked.example.", "bücher.example"])
def test_a_blocked_host_may_be_written_in_any_way(make: Make, blocked: str) -> None:
    source = f"https://www.{blocked.lower()}/"
    assert refused(make(blocked=(blocked,)), Claim("webmention", source, T)).reason is Reason.BLOCKED


@pytest.mark.parametrize("source", ["https://notblocked.example/", "https://blocked.example.org/"])
def test_a_host_is_blocked_by_its_whole_name(make: Make, source: str) -> None:
    assert receive(make(blocked=("blocked.example",)), Claim("webmention", source, T)).open


def test_the_checks_are_made_in_the_order_of_the_table(make: Make) -> None:
    """protocols.md C-40."""
    site = make(blocked=("t.example", "blocked.example"))
    assert refused(site, Claim("pingback", "nonsense", "nonsense")).reason is Reason.SOURCE_INVALID
    assert (
        refused(site, Claim("pingback", "https://blocked.example/", "https://x.example/")).reason
        is Reason.TARGET_UNKNOWN
    )
    assert refused(site, Claim("pingback", T, T)).reason is Reason.SAME_PAGE


def test_a_language_that_is_not_spoken_is_refused(make: Make) -> None:
    assert refused(make(protocols=BUILTIN[:1]), PINGBACK).reason is Reason.BAD_ARGUMENTS


def test_a_fragment_is_kept_but_does_not_make_another_page(site: Site) -> None:
    """VC-70."""
    record = receive(site, Claim("webmention", S, T + "#c1"))
    assert (record.claim.target, record.page, record.key) == (T + "#c1", T, KEY)


@pytest.mark.parametrize(
    ("fragment", "kept"),
    [("", ""), ("#comment-5", "#comment-5"), ("#:~:text=spam", ""), ("#comment-5:~:text=spam", "#comment-5")],
)
@pytest.mark.parametrize("claim", EVERY, ids=lambda claim: claim.protocol)
def test_of_a_sources_fragment_what_it_has_a_reader_look_for_is_not_kept(
    site: Site, claim: Claim, fragment: str, kept: str
) -> None:
    """A comment has a permalink; the words that a browser scrolls to would be whoever's told us first, for ever."""
    receive(site, replace(claim, source=S + fragment, title=S + fragment))
    site.drain()
    assert (only(site).source, only(site).title) == (S + kept, "Note")


def test_blanks_around_the_urls_are_no_part_of_them(site: Site) -> None:
    assert receive(site, Claim("webmention", f"  {S}\n", f"\t{T} ")).claim == WEBMENTION


# one link, one mention


def test_a_link_that_is_there_becomes_a_mention(site: Site, clock: FakeClock) -> None:
    record = receive(site)
    clock.advance(5)
    assert site.drain() == 1
    assert now(site, record) == (ClaimState.SUCCESS, None)
    mention = only(site)
    assert mention == Mention(
        id=mention.id,
        site=SITE,
        source=S,
        target=T,
        protocols=("webmention",),
        status=Status.APPROVED,
        received=record.received,
        checked=clock(),
        title="Note",
        excerpt="I like this much.",
        final_url=S,
    )


@pytest.mark.parametrize("others", [[PINGBACK], [TRACKBACK], [PINGBACK, TRACKBACK]])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_link_announced_by_several_protocols_is_one_mention(
    site: Site, web: FakeWeb, clock: FakeClock, others: list[Claim], at_once: bool
) -> None:
    """Design decision 9."""
    claims = [WEBMENTION, *others]
    records = []
    for claim in claims:
        records.append(receive(site, claim))
        if not at_once:
            site.drain()
    site.drain()
    assert only(site).protocols == tuple(claim.protocol for claim in claims)
    assert {now(site, record)[0] for record in records} <= {ClaimState.SUCCESS, ClaimState.UNCHANGED}
    assert len(web.requests) == (1 if at_once else len(claims))


@pytest.mark.parametrize("claim", EVERY, ids=lambda claim: claim.protocol)
def test_without_a_link_there_is_no_mention(site: Site, web: FakeWeb, clock: FakeClock, claim: Claim) -> None:
    """VC-35, VC-62."""
    web.pages[S] = NOTHING
    assert settled(site, clock, claim) == (ClaimState.FAILED, Reason.NO_BACKLINK)
    assert every(site) == []


def test_three_languages_without_a_link_are_no_mention(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    web.pages[S] = NOTHING
    records = [receive(site, claim) for claim in EVERY]
    site.drain()
    clock.advance(SECOND_LOOK)
    site.drain()
    assert [now(site, record) for record in records] == [(ClaimState.FAILED, Reason.NO_BACKLINK)] * 3
    assert every(site) == []
    assert web.requested == [S, S]


@pytest.mark.parametrize(
    ("html", "proves"),
    [
        (f"<img src='{T}'>", ["webmention"]),
        (f"<a href='{TB}'>ping</a>", ["trackback"]),
        (f"<a href='{T}'>", ["webmention", "pingback", "trackback"]),
        (f"<!-- <a href='{T}'> --> {T}", []),
        (f"<a href='{T}-other'><a href='http://t.example/post'><a href='{T}/'>", []),
    ],
    ids=["image", "C-63 ping url", "link", "VD-12", "VD-35 VD-40"],
)
def test_what_proves_a_link_is_the_protocols_own(
    site: Site, web: FakeWeb, clock: FakeClock, html: str, proves: list[str]
) -> None:
    """protocols.md C-63, D-1, D-2."""
    for claim in EVERY:
        source = f"https://s.example/{claim.protocol}"
        web.pages[source] = html
        settled(site, clock, replace(claim, source=source))
    assert [mention.protocols for mention in every(site)] == [(protocol,) for protocol in proves]


def test_a_source_that_moved_is_kept_by_the_name_it_gave(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """VD-56."""
    web.pages |= {S: Response(302, (("Location", "/moved"),)), "https://s.example/moved": LINKING}
    settled(site, clock)
    assert (only(site).source, only(site).final_url) == (S, "https://s.example/moved")


# whose words


def test_a_trackback_speaks_for_itself(site: Site, clock: FakeClock) -> None:
    """VE-30."""
    settled(site, clock, TRACKBACK)
    mention = only(site)
    assert (mention.title, mention.excerpt, mention.author) == ("Their title", "Their words", Author("Their blog"))


def test_what_a_trackback_leaves_out_the_page_says(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """VC-47: the title is then the URL, which the page's own beats."""
    web.pages[S] = f"<meta name=author content=Ann>{LINKING}"
    settled(site, clock, Claim("trackback", S, T, title=S, blog_name="Their blog"))
    mention = only(site)
    assert (mention.title, mention.excerpt, mention.author) == ("Note", "I like this much.", Author("Ann"))


@pytest.mark.parametrize("other", [WEBMENTION, PINGBACK], ids=lambda claim: claim.protocol)
@pytest.mark.parametrize("first", [True, False])
def test_the_page_itself_is_believed_before_a_trackback(
    site: Site, clock: FakeClock, other: Claim, first: bool
) -> None:
    """Whichever came first: what a page says of itself is verified, what a ping says is not."""
    for claim in (TRACKBACK, other) if first else (other, TRACKBACK):
        settled(site, clock, claim)
    assert (only(site).title, only(site).excerpt) == ("Note", "I like this much.")


def test_a_page_without_a_title_is_a_mention(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """VC-40."""
    web.pages[S] = f"<a href='{T}'></a>"
    assert settled(site, clock, PINGBACK) == (ClaimState.SUCCESS, None)
    assert only(site).title == "s.example/note"


# repeats


@pytest.mark.parametrize(
    ("claim", "reason"),
    [pytest.param(PINGBACK, Reason.DUPLICATE, id="VC-32"), pytest.param(TRACKBACK, Reason.DUPLICATE, id="VC-59")],
)
def test_what_was_said_and_is_shown_is_a_duplicate(
    site: Site, web: FakeWeb, clock: FakeClock, claim: Claim, reason: Reason
) -> None:
    """Which TrackBack words as taken (C-61), so that a ping may be retried; no fetch either way."""
    settled(site, clock, claim)
    clock.advance(1000)
    web.requests.clear()
    assert refused(site, claim).reason is reason
    assert web.requests == []
    assert len(every(site)) == 1


def test_a_duplicate_is_what_the_same_protocol_said(site: Site, clock: FakeClock) -> None:
    settled(site, clock, WEBMENTION)
    assert settled(site, clock, PINGBACK) == (ClaimState.UNCHANGED, None)
    assert refused(site, PINGBACK).reason is Reason.DUPLICATE


@pytest.mark.parametrize("status", [Status.PENDING, Status.REJECTED, Status.SPAM, Status.REMOVED])
@pytest.mark.parametrize("claim", [PINGBACK, TRACKBACK], ids=lambda claim: claim.protocol)
def test_what_is_not_shown_is_not_called_a_duplicate(
    site: Site, clock: FakeClock, claim: Claim, status: Status
) -> None:
    """The answer tells nobody what a moderator did."""
    settled(site, clock, claim)
    site.moderate(only(site).id, status)
    settled(site, clock, claim)
    assert only(site).status is status


def test_a_duplicate_pingback_does_not_look_again(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """VD-74."""
    settled(site, clock, PINGBACK)
    web.pages[S] = NOTHING
    assert refused(site, PINGBACK).reason is Reason.DUPLICATE
    assert site.drain() == 0
    assert only(site).status is Status.APPROVED


@pytest.mark.parametrize("claim", [PINGBACK, TRACKBACK], ids=lambda claim: claim.protocol)
def test_what_failed_before_is_checked_again(site: Site, web: FakeWeb, clock: FakeClock, claim: Claim) -> None:
    """VC-33."""
    web.pages[S] = NOTHING
    settled(site, clock, claim)
    web.pages[S] = LINKING
    assert settled(site, clock, claim) == (ClaimState.SUCCESS, None)


@pytest.mark.parametrize("claim", [PINGBACK, TRACKBACK], ids=lambda claim: claim.protocol)
def test_repeating_does_not_make_us_fetch_a_page_more_often(
    site: Site, web: FakeWeb, clock: FakeClock, claim: Claim
) -> None:
    """protocols.md C-8: these protocols are told nothing, but their claim waits."""
    web.pages[S] = Response(403)
    settled(site, clock, claim)
    for _ in range(5):
        receive(site, claim)
        assert site.drain() == 0
    clock.advance(PAIR)
    assert site.drain() == 1
    assert web.requested == [S, S]


def test_a_repeated_webmention_is_looked_at_again(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """VC-78, VD-69."""
    assert settled(site, clock) == (ClaimState.SUCCESS, None)
    first = only(site)
    assert settled(site, clock) == (ClaimState.UNCHANGED, None)
    web.pages[S] = LINKING.replace("Note", "New title")
    assert settled(site, clock) == (ClaimState.UPDATED, None)
    mention = only(site)
    assert (mention.id, mention.title, mention.received) == (first.id, "New title", first.received)
    assert len(web.requests) == 3


@pytest.mark.parametrize(("seconds", "wait"), [(0, 30), (10.5, 20), (29.0, 1), (29.9, 1)])
def test_a_webmention_repeated_at_once_is_told_to_wait(site: Site, clock: FakeClock, seconds: float, wait: int) -> None:
    """VC-79: counted from the check, however long that took to come."""
    site.receive(WEBMENTION)
    clock.advance(1000)
    site.drain()
    clock.advance(seconds)
    refusal = refused(site, WEBMENTION)
    assert (refusal.reason, refusal.retry_after) == (Reason.TOO_OFTEN, wait)
    clock.advance(PAIR - seconds)
    assert receive(site).open


def test_a_webmention_that_waits_for_its_second_look_is_not_hurried(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """Else a claim without a link would buy a fetch of its source every second."""
    web.pages[S] = NOTHING
    site.receive(WEBMENTION)
    site.drain()
    assert refused(site, WEBMENTION).reason is Reason.TOO_OFTEN


def test_claims_that_come_before_the_check_join_it(site: Site, web: FakeWeb) -> None:
    """VC-84."""
    first, second = receive(site), receive(site, PINGBACK)
    assert site.drain() == 1
    assert now(site, first) == now(site, second) == (ClaimState.SUCCESS, None)
    assert web.requested == [S]


@pytest.mark.parametrize("claim", EVERY, ids=lambda claim: claim.protocol)
def test_a_claim_that_is_said_again_before_its_check_is_the_same_claim(site: Site, claim: Claim) -> None:
    """Its sender watches one status, and nobody can fill the store by saying one thing often."""
    first = receive(site, claim)
    assert site.receive(claim).id == first.id
    assert site.store.open_claims(KEY) == [first]


def test_a_pair_has_only_so_many_claims_that_wait(site: Site, web: FakeWeb) -> None:
    """A trackback's words are its sender's to vary, and so is the fragment of a target."""
    claims = [replace(TRACKBACK, title=f"Title {number}") for number in range(MOST_OPEN_CLAIMS)]
    first, *others = [receive(site, claim) for claim in claims]
    refusal = refused(site, replace(TRACKBACK, title="One more"))
    assert (refusal.reason, refusal.retry_after) == (Reason.TOO_OFTEN, PAIR)
    assert refused(site, Claim("webmention", S, T + "#c1")).reason is Reason.TOO_OFTEN
    assert site.receive(claims[0]).id == first.id, "what waits already is no new claim"
    assert receive(site, Claim("webmention", "https://s.example/other", T)).open
    site.drain()
    assert {now(site, record) for record in (first, *others)} == {(ClaimState.SUCCESS, None)}
    assert receive(site, WEBMENTION).open


def count(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[str]:
    """The pages that a reader was called for from now on."""
    called: list[str] = []
    whole = getattr(module, name)

    def counted(page: Page, *arguments: Any, **more: Any) -> Backlink:
        called.append(page.url)
        found: Backlink = whole(page, *arguments, **more)
        return found

    monkeypatch.setattr(module, name, counted)
    return called


@pytest.mark.parametrize(
    ("claims", "looks"),
    [
        ([replace(TRACKBACK, title=str(number)) for number in range(9)], 1),
        ([WEBMENTION, PINGBACK, replace(TRACKBACK, endpoint="")], 2),
        ([TRACKBACK, replace(TRACKBACK, endpoint=TB + "&x=1")], 2),
        ([Claim("pingback", S, T), Claim("pingback", S, T + "#c1")], 2),
    ],
    ids=["same question", "extended", "ping url", "target"],
)
def test_a_page_is_looked_at_once_for_each_question_and_described_once(
    site: Site, monkeypatch: pytest.MonkeyPatch, claims: list[Claim], looks: int
) -> None:
    """What claims cost us does not grow with how many a stranger sends."""
    found, described = count(monkeypatch, validator, "find"), count(monkeypatch, extract, "describe")
    records = [receive(site, claim) for claim in claims]
    site.drain()
    assert now(site, records[0]) == (ClaimState.SUCCESS, None)
    assert (len(found), len(described)) == (looks, 1)


def test_a_page_that_proves_nothing_is_not_described(
    site: Site, web: FakeWeb, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is asked whether a mention may be taken away."""
    settled(site, clock)
    found, described = count(monkeypatch, validator, "find"), count(monkeypatch, extract, "describe")
    web.pages[S] = NOTHING
    assert settled(site, clock) == (ClaimState.DELETED, Reason.NO_BACKLINK)
    assert (len(found), described) == (2, []), "the second look is the other one"


def test_claims_that_come_while_the_source_is_fetched_join_the_check(site: Site, web: FakeWeb) -> None:
    """VC-84: nobody is forgotten, whatever language they speak, and the source is read once."""
    joined: list[ClaimRecord] = []

    def answer(request: Request) -> Response:
        joined.extend(receive(site, claim) for claim in EVERY)
        return Response(200, HTML, LINKING.encode())

    web.pages[S] = answer
    first = receive(site)
    assert site.drain() == 1
    assert [now(site, record) for record in (first, *joined)] == [(ClaimState.SUCCESS, None)] * 4
    assert only(site).protocols == ("webmention", "pingback", "trackback")
    assert web.requested == [S]


def test_a_claim_that_comes_later_than_that_is_not_lost(
    site: Site, web: FakeWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came between the look at the page and its record: it gets the answer of its like, or a look of its own."""
    joined: list[ClaimRecord] = []
    whole = site.store.pair

    def late(key: str) -> tuple[list[ClaimRecord], Mention | None]:
        found = whole(key)
        if not joined:
            joined.append(receive(site))
            joined.append(receive(site, TRACKBACK))
        return found

    first = receive(site)
    monkeypatch.setattr(site.store, "pair", late)
    site.drain()
    assert [now(site, record)[0] for record in (first, *joined)] == [
        ClaimState.SUCCESS,
        ClaimState.SUCCESS,
        ClaimState.UNCHANGED,
    ]


def test_a_worker_that_was_too_slow_does_no_harm(
    site: Site, web: FakeWeb, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """While it fetched, its lease ended and another answered everybody."""

    def answer(request: Request) -> Response:
        web.pages[S] = LINKING
        clock.advance(LEASE_SECONDS)
        assert site.drain() == 1
        return Response(200, HTML, NOTHING.encode())

    web.pages[S] = answer
    record = receive(site)
    assert site.drain() == 1
    assert now(site, record) == (ClaimState.SUCCESS, None)
    assert only(site).title == "Note"
    assert site.store.next_due() is None
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_job_without_open_claims_ends(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    record = replace(receive(site), id="another", key="0" * 64, open=False)
    site.store.add_claim(record, due=clock())
    assert site.drain() == 2
    assert web.requested == [S]
    assert site.store.next_due() is None


# second looks and retries


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(Response(404), Reason.SOURCE_MISSING, id="VD-73"),
        pytest.param(NOTHING, Reason.NO_BACKLINK, id="no link"),
        pytest.param(Response(200, HTML, b"<p>", truncated=True), Reason.TRUNCATED, id="VD-60"),
        pytest.param(Response(204), Reason.NO_BACKLINK, id="VD-61"),
    ],
)
@pytest.mark.parametrize("claim", EVERY, ids=lambda claim: claim.protocol)
def test_a_source_without_its_link_is_read_once_more(
    site: Site, web: FakeWeb, clock: FakeClock, claim: Claim, answer: Answering, reason: Reason
) -> None:
    """protocols.md D-27: pings overtake the pages that they are about."""
    web.pages[S] = answer
    record = receive(site, claim)
    site.drain()
    assert now(site, record) == (ClaimState.QUEUED, reason), "not yet decided"
    clock.advance(SECOND_LOOK - 1)
    assert site.drain() == 0
    clock.advance(1)
    web.pages[S] = LINKING
    assert site.drain() == 1
    assert now(site, record) == (ClaimState.SUCCESS, None)


def test_there_is_no_third_look(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    web.pages[S] = NOTHING
    assert settled(site, clock) == (ClaimState.FAILED, Reason.NO_BACKLINK)
    assert web.requested == [S, S]


def test_a_second_look_is_had_after_trouble_too(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    left: Iterator[Response] = iter([Response(503), Response(404), Response(200, HTML, LINKING.encode())])
    web.pages[S] = lambda request: next(left)
    assert settled(site, clock) == (ClaimState.SUCCESS, None)


@pytest.mark.parametrize(
    "answer",
    [Response(500), Response(429), unreachable(S), TimedOut(S, "slow"), Unreachable(S, "reset by peer", sent=True),
     Blocked(S, "a private address")],
    ids=["500", "429", "nobody", "timeout", "reset", "private"],
)  # fmt: skip
def test_temporary_trouble_is_tried_three_times(site: Site, web: FakeWeb, clock: FakeClock, answer: Answering) -> None:
    """protocols.md D-25; when a claim fails does not tell an address that is closed from one where nobody answers."""
    web.pages[S] = answer
    record = receive(site)
    for pause in (60, 600):
        assert site.drain() == 1
        assert now(site, record) == (ClaimState.QUEUED, Reason.SOURCE_UNREADABLE)
        clock.advance(pause - 1)
        assert site.drain() == 0
        clock.advance(1)
    assert site.drain() == 1
    assert now(site, record) == (ClaimState.FAILED, Reason.SOURCE_UNREADABLE)
    assert site.store.next_due() is None
    assert len(web.requests) == 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(410), Reason.SOURCE_GONE),
        (Response(403), Reason.SOURCE_UNREADABLE),
        (Response(200, (("Content-Type", "image/png"),)), Reason.UNSUPPORTED_TYPE),
    ],
    ids=["VD-67", "403", "VD-53"],
)
def test_what_waiting_cannot_help_ends_at_once(
    site: Site, web: FakeWeb, clock: FakeClock, answer: Answering, reason: Reason
) -> None:
    web.pages[S] = answer
    record = receive(site)
    site.drain()
    assert now(site, record) == (ClaimState.FAILED, reason)
    assert site.store.next_due() is None


def closed(source: str, address: str) -> Blocked:
    return Blocked(source, f"{address} is not a public address (open it with …)", address=address)


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_source_on_an_address_that_nobody_opened_is_a_warning_that_names_what_opens_it(
    site: Site, web: FakeWeb, caplog: pytest.LogCaptureFixture
) -> None:
    web.pages[S] = closed(S, "127.0.0.1")
    receive(site)
    site.drain()
    assert warned(caplog) == [
        f"no mention of {T} by {S} yet: {S}: 127.0.0.1 is not a public address (open it with …)",
    ]


def test_strangers_cannot_fill_the_log_with_closed_addresses(
    site: Site, web: FakeWeb, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    numbers = itertools.count()

    def told(addresses: Sequence[str]) -> int:
        caplog.clear()
        for number, address in zip(numbers, addresses, strict=False):
            source = f"https://s{number}.example/"
            web.pages[source] = closed(source, address)
            receive(site, Claim("webmention", source, T))
        site.drain()
        lines = sum("no mention of" in record.getMessage() for record in caplog.records)
        assert lines >= len(addresses), "what is no warning is still an information"
        return len(warned(caplog))

    assert told(["127.0.0.1"] * 5) == 1
    clock.advance(60)
    assert told(["127.0.0.1"]) == 0, "the hour is not over"
    assert told([f"10.0.0.{last}" for last in range(30)]) == 19
    for _ in range(3):
        clock.advance(1200)
        site.drain()
    assert told(["127.0.0.1", "10.0.0.1", "127.0.0.1"]) == 2


@pytest.mark.parametrize("answer", [Response(403), Blocked(S, "port 81 of 8.8.8.8 is none")], ids=["403", "port"])
def test_a_source_that_fails_in_another_way_is_no_warning(
    site: Site, web: FakeWeb, answer: Answering, caplog: pytest.LogCaptureFixture
) -> None:
    web.pages[S] = answer
    receive(site)
    site.drain()
    assert warned(caplog) == []


class Doors(FakeWeb):
    """A web whose door is told at times to hurry."""

    def __init__(self) -> None:
        super().__init__()
        self.hurries: list[float] = []

    def hurried(self, seconds: float) -> Doors:
        self.hurries.append(seconds)
        return self


def crowded(store: Storage, clock: FakeClock, number: int) -> None:
    """Have so many checks of another site wait, which nobody makes."""
    policy = Policy(settle_seconds=0, host_seconds=0)
    other = Site("https://o.example/", store=store, fetch=FakeWeb(), clock=clock, policy=policy, runner=External())
    for page in range(number):
        other.receive(Claim("webmention", S, f"https://o.example/{page}"))


def slow(store: Storage, clock: FakeClock) -> tuple[Site, Doors]:
    """A site that knows of pages that come too late, and the door that they are read by."""
    web = Doors()
    web.pages[S] = TimedOut(S, "slow")
    policy, retry = Policy(settle_seconds=0, recheck_days=0), Retry(jitter=0)
    return Site(SITE, store=store, fetch=web, clock=clock, policy=policy, retry=retry, runner=External()), web


def test_a_slow_page_has_less_time_where_others_wait_behind_it_but_for_the_last_look(
    store: Storage, clock: FakeClock
) -> None:
    """security.md D8: a flood of pings from slow hosts holds the workers for less long; it may be of another site."""
    site, web = slow(store, clock)
    crowded(store, clock, 21)
    told = []
    for waited in (6, 60 + 6, 600 + 6, 5, 60, 600 + 6):
        if store.next_due(site=SITE) is None:
            clock.advance(PAIR)
            record = receive(site)
        clock.advance(waited)
        assert site.drain() == 1
        told.append(web.hurries.copy())
        web.hurries.clear()
    assert told == [[4.0], [4.0], [], [], [], []]
    assert now(site, record) == (ClaimState.FAILED, Reason.SOURCE_UNREADABLE)


def test_a_source_is_read_after_a_second_and_once_more_after_thirty(
    store: Storage, web: FakeWeb, clock: FakeClock
) -> None:
    """By default, and not a moment before; a mention is looked at again after thirty days."""
    site = Site(SITE, store=store, fetch=web, clock=clock, runner=External())
    web.pages[S] = NOTHING
    record = receive(site)
    for wait, pages in ((1, NOTHING), (SECOND_LOOK, LINKING), (30 * 86_400, LINKING)):
        web.pages[S] = pages
        clock.advance(wait - 0.001)
        assert site.drain() == 0
        clock.advance(0.001)
        assert site.drain() == 1
    assert (now(site, record), len(web.requests)) == ((ClaimState.SUCCESS, None), 3)


@pytest.mark.parametrize(("others", "hurries"), [(0, 0), (20, 0), (21, 2)])
def test_whoever_works_once_an_hour_gives_each_page_its_time_unless_many_wait(
    store: Storage, clock: FakeClock, others: int, hurries: int
) -> None:
    site, web = slow(store, clock)
    crowded(store, clock, others)
    record = receive(site)
    for _ in range(3):
        clock.advance(3600)
        assert site.drain() == 1
    assert len(web.hurries) == hurries
    assert now(site, record) == (ClaimState.FAILED, Reason.SOURCE_UNREADABLE)


def test_how_many_wait_is_asked_for_once_in_some_seconds_and_only_where_a_look_is_late(
    store: Storage, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, web = slow(store, clock)
    count, asked = store.due, list[int]()

    def due(until: datetime, *, limit: int, site: str | None = None) -> list[tuple[int, datetime]]:
        asked.append(limit)
        return count(until, limit=limit, site=site)

    monkeypatch.setattr(store, "due", due)
    for number in range(100):
        site.receive(Claim("webmention", f"https://s{number}.example/", T))
    assert site.work()
    assert asked == []
    clock.advance(6)
    web.pages.clear()
    for _ in range(79):
        assert site.work()
    assert (len(asked), len(web.hurries)) == (1, 79)
    clock.advance(5)
    assert site.drain() == 20
    assert (len(asked), len(web.hurries)) == (2, 79), "no more than twenty are left"


def test_each_claim_of_a_pair_ends_for_itself(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """A claim that came later gets its second look, one that had it does not wait for it."""
    web.pages[S] = NOTHING
    first = receive(site)
    site.drain()
    clock.advance(SECOND_LOOK)
    second = receive(site, PINGBACK)
    site.drain()
    assert now(site, first) == (ClaimState.FAILED, Reason.NO_BACKLINK)
    assert now(site, second) == (ClaimState.QUEUED, Reason.NO_BACKLINK)
    web.pages[S] = LINKING
    clock.advance(SECOND_LOOK)
    site.drain()
    assert now(site, second) == (ClaimState.SUCCESS, None)
    assert only(site).protocols == ("pingback",)


# a mention that exists, and its link


GONE_BY_MARKUP = f"<meta http-equiv=Status content='410 GONE'>{LINKING}"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(Response(410), Reason.SOURCE_GONE, id="VD-62"),
        pytest.param(NOTHING, Reason.NO_BACKLINK, id="VD-63"),
        pytest.param(GONE_BY_MARKUP, Reason.SOURCE_GONE, id="VD-64"),
        pytest.param(Response(404), Reason.SOURCE_MISSING, id="VD-65"),
    ],
)
def test_a_webmention_of_a_link_that_is_gone_takes_the_mention_away(
    site: Site, web: FakeWeb, clock: FakeClock, answer: Answering, reason: Reason
) -> None:
    """protocols.md D-41, D-42."""
    settled(site, clock)
    web.pages[S] = answer
    assert settled(site, clock) == (ClaimState.DELETED, reason)
    assert only(site).status is Status.REMOVED
    assert site.mentions(T) == []


@pytest.mark.parametrize(
    "answer",
    [Response(500), Response(403), TimedOut(S, "slow"), unreachable(S), Blocked(S, "private"),
     Response(200, HTML, b"<p>", truncated=True), Response(200, (("Content-Type", "image/png"),))],
    ids=["500", "403", "timeout", "nobody", "blocked", "truncated", "image"],
)  # fmt: skip
def test_trouble_takes_no_mention_away(site: Site, web: FakeWeb, clock: FakeClock, answer: Answering) -> None:
    """VD-66."""
    settled(site, clock)
    before = only(site)
    web.pages[S] = answer
    state, _ = settled(site, clock)
    assert state is ClaimState.FAILED
    assert only(site) == before


@pytest.mark.parametrize("answer", [NOTHING, Response(404)])
def test_a_mention_is_not_taken_away_before_the_second_look(
    site: Site, web: FakeWeb, clock: FakeClock, answer: Answering
) -> None:
    """A blog that is being rebuilt does not lose its mentions for half a minute."""
    settled(site, clock)
    clock.advance(PAIR)
    web.pages[S] = answer
    record = receive(site)
    site.drain()
    assert only(site).status is Status.APPROVED
    web.pages[S] = LINKING
    clock.advance(SECOND_LOOK)
    site.drain()
    assert now(site, record) == (ClaimState.UNCHANGED, None)


def test_a_link_that_is_back_is_shown_again(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """VD-68."""
    settled(site, clock)
    web.pages[S] = NOTHING
    settled(site, clock)
    web.pages[S] = LINKING
    assert settled(site, clock) == (ClaimState.SUCCESS, None)
    assert only(site).status is Status.APPROVED


def test_a_pair_that_is_unknown_has_nothing_to_delete(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """VD-67; and neither has one that was taken away before."""
    web.pages[S] = Response(410)
    assert settled(site, clock) == (ClaimState.FAILED, Reason.SOURCE_GONE)
    web.pages[S] = LINKING
    settled(site, clock)
    web.pages[S] = Response(410)
    assert settled(site, clock)[0] is ClaimState.DELETED
    assert settled(site, clock)[0] is ClaimState.FAILED


def test_a_pingback_never_takes_away(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """protocols.md D-46: it announces a link, not a change."""
    settled(site, clock, WEBMENTION)
    web.pages[S] = Response(410)
    assert settled(site, clock, PINGBACK) == (ClaimState.FAILED, Reason.SOURCE_GONE)
    assert only(site).status is Status.APPROVED


def test_a_stranger_cannot_take_a_mention_away_by_naming_a_fragment(site: Site, clock: FakeClock) -> None:
    """Nobody links to it, but the page is linked to as before."""
    settled(site, clock)
    assert settled(site, clock, Claim("webmention", S, T + "#nobody")) == (ClaimState.FAILED, Reason.NO_BACKLINK)
    assert only(site).status is Status.APPROVED


def test_a_stranger_cannot_take_away_what_a_link_to_the_ping_url_proved(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    web.pages[S] = f"<a href='{TB}'>ping</a>"
    settled(site, clock, TRACKBACK)
    assert settled(site, clock, WEBMENTION) == (ClaimState.FAILED, Reason.NO_BACKLINK)
    assert only(site).status is Status.APPROVED
    web.pages[S] = NOTHING
    assert settled(site, clock, WEBMENTION) == (ClaimState.DELETED, Reason.NO_BACKLINK)


@pytest.mark.parametrize("spelled", [T, "https://T.example:443/%70ost", T + "#part"])
def test_a_ping_url_is_the_one_that_the_page_advertises_however_it_is_spelled(site: Site, spelled: str) -> None:
    """Else the last who pings could have an earlier one proved by a link that is no evidence any more."""
    endpoint = "https://t.example/linkback/trackback?" + urls.query({"target": spelled})
    assert receive(site, replace(TRACKBACK, target=spelled, endpoint=endpoint)).claim.endpoint == TB


@pytest.mark.parametrize("endpoint", [TB + "&blog=1", TB.partition("?")[0] + "/7", ""])
def test_a_ping_url_of_the_hosts_own_making_stays_as_it_is(site: Site, endpoint: str) -> None:
    assert receive(site, replace(TRACKBACK, endpoint=endpoint)).claim.endpoint == endpoint


def test_of_two_claims_one_link_is_enough(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    settled(site, clock)
    clock.advance(PAIR)
    wrong, right = receive(site, Claim("webmention", S, T + "#nobody")), receive(site)
    site.drain()
    assert now(site, wrong) == (ClaimState.FAILED, Reason.NO_BACKLINK)
    assert now(site, right) == (ClaimState.UNCHANGED, None)
    assert only(site).status is Status.APPROVED


# moderation


def test_with_moderation_what_is_verified_is_held(make: Make, clock: FakeClock) -> None:
    site = make(moderate=True)
    assert settled(site, clock) == (ClaimState.PENDING, None)
    assert only(site).status is Status.PENDING
    assert site.mentions() == []


@pytest.mark.parametrize("status", [Status.APPROVED, Status.REJECTED, Status.SPAM])
@pytest.mark.parametrize("moderate", [True, False])
def test_a_moderators_word_outlasts_every_repeat(
    make: Make, web: FakeWeb, clock: FakeClock, status: Status, moderate: bool
) -> None:
    """Design decision 11: also when the link was gone in between."""
    site = make(moderate=moderate)
    settled(site, clock)
    site.moderate(only(site).id, status)
    settled(site, clock)
    settled(site, clock, PINGBACK)
    assert only(site).status is status
    web.pages[S] = Response(410)
    settled(site, clock)
    assert only(site).status is (Status.REMOVED if status is Status.APPROVED else status)
    web.pages[S] = LINKING
    settled(site, clock)
    assert only(site).status is status


@pytest.mark.parametrize("status", [Status.APPROVED, Status.REJECTED, Status.SPAM])
@pytest.mark.parametrize("moderate", [True, False])
def test_the_answer_tells_nothing_of_what_a_moderator_decided(
    make: Make, web: FakeWeb, clock: FakeClock, status: Status, moderate: bool
) -> None:
    """A spammer who watches the status of a repeat, and what is shown, learns no more than while nobody had decided."""
    site = make(moderate=moderate)
    settled(site, clock)
    site.moderate(only(site).id, status)
    waits = moderate and status is not Status.APPROVED
    told = [settled(site, clock)]
    web.pages[S] = LINKING.replace("Note", "New")
    told += [settled(site, clock), settled(site, clock, PINGBACK)]
    web.pages[S] = NOTHING
    told.append(settled(site, clock))
    seen = [ClaimState.PENDING] * 3 if waits else [ClaimState.UNCHANGED, ClaimState.UPDATED, ClaimState.UNCHANGED]
    assert told == [*((state, None) for state in seen), (ClaimState.DELETED, Reason.NO_BACKLINK)]


SPELLED = "https://s.example/%6Eote"


@pytest.mark.parametrize("before", EVERY, ids=lambda claim: claim.protocol)
def test_a_stranger_cannot_take_a_mention_away_by_spelling_its_source(
    make: Make, web: FakeWeb, clock: FakeClock, before: Claim
) -> None:
    """By the letter of the law it is one page, and there are servers that know one spelling only."""
    site = make(recheck_days=30)
    receive(site, before)
    site.drain()
    clock.advance(PAIR)
    record = receive(site, Claim("webmention", SPELLED, T))
    for _ in range(10):
        clock.advance(60)
        site.drain()
    assert now(site, record) == (ClaimState.FAILED, Reason.SOURCE_MISSING)
    clock.advance(40 * 86_400)
    site.drain()
    assert (only(site).status, only(site).source) == (Status.APPROVED, S)
    assert web.requested[-1] == S, "and later looks are at the source as it was announced first"


def test_of_claims_of_a_pair_the_usual_spelling_is_looked_at(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """Else whoever comes first decides whether a friend is found."""
    receive(site, Claim("webmention", SPELLED, T))
    record = receive(site)
    site.drain()
    assert (web.requested, now(site, record)) == ([S], (ClaimState.SUCCESS, None))


def test_a_claim_that_comes_while_another_spelling_is_read_waits_for_its_own(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    records: list[ClaimRecord] = []

    def look(request: object) -> Response:
        records.append(receive(site))
        return Response(410)

    web.pages[SPELLED] = look
    receive(site, Claim("webmention", SPELLED, T))
    site.drain()
    clock.advance(PAIR)
    site.drain()
    assert (web.requested, now(site, records[0])) == ([SPELLED, S], (ClaimState.SUCCESS, None))


def test_a_stranger_cannot_take_a_mention_away_by_spelling_its_target(
    make: Make, web: FakeWeb, clock: FakeClock
) -> None:
    """A text has no links, only what looks like one."""
    site = make(recheck_days=30)
    web.pages[S] = Response(200, (("Content-Type", "text/plain"),), f"See {T} for more.".encode())
    receive(site)
    site.drain()
    clock.advance(PAIR)
    receive(site, Claim("webmention", S, "HTTPS://T.example/%70ost"))
    for _ in range(80):
        clock.advance(86_400)
        site.drain()
    assert only(site).status is Status.APPROVED


def test_what_is_held_is_said_to_be_pending(make: Make, web: FakeWeb, clock: FakeClock) -> None:
    """Also when it is said again, and when its link was gone in between."""
    site = make(moderate=True)
    told = [settled(site, clock)[0], settled(site, clock)[0]]
    web.pages[S] = NOTHING
    told.append(settled(site, clock)[0])
    web.pages[S] = LINKING
    told.append(settled(site, clock)[0])
    assert told == [ClaimState.PENDING, ClaimState.PENDING, ClaimState.DELETED, ClaimState.PENDING]


def test_a_mention_that_is_approved_by_hand_reports_its_updates(make: Make, web: FakeWeb, clock: FakeClock) -> None:
    site = make(moderate=True)
    settled(site, clock)
    site.moderate(only(site).id, Status.APPROVED)
    web.pages[S] = LINKING.replace("Note", "New")
    assert settled(site, clock) == (ClaimState.UPDATED, None)


@pytest.mark.parametrize("status", [None, Status.APPROVED, Status.REJECTED, Status.SPAM])
@pytest.mark.parametrize("moderate", [True, False])
def test_where_edits_are_held_the_answer_tells_nothing_of_what_a_moderator_decided(
    make: Make, web: FakeWeb, clock: FakeClock, status: Status | None, moderate: bool
) -> None:
    """An edit is said to be held, whether or not anybody would have seen the mention."""
    site = make(moderate=moderate, moderate_edits=True)
    settled(site, clock)
    if status is not None:
        site.moderate(only(site).id, status)
    web.pages[S] = LINKING.replace("Note", "New")
    assert settled(site, clock) == (ClaimState.PENDING, None)
    kept = status in (Status.REJECTED, Status.SPAM)
    assert only(site).status is (status if kept else Status.PENDING)
    site.moderate(only(site).id, status or Status.APPROVED)
    assert settled(site, clock) == (ClaimState.PENDING if kept else ClaimState.UNCHANGED, None)
    assert only(site).title == "New"


def test_an_edit_that_is_held_is_said_to_be_when_its_page_was_away(make: Make, web: FakeWeb, clock: FakeClock) -> None:
    site = make(moderate_edits=True)
    for body in (LINKING, LINKING.replace("Note", "Bait")):
        web.pages[S] = body
        settled(site, clock)
    web.pages[S] = Response(410, HTML, b"", S)
    assert settled(site, clock) == (ClaimState.DELETED, Reason.SOURCE_GONE)
    web.pages[S] = LINKING.replace("Note", "Bait")
    assert settled(site, clock) == (ClaimState.PENDING, None)
    assert only(site).status is Status.PENDING
    site.moderate(only(site).id, Status.APPROVED)
    assert settled(site, clock) == (ClaimState.UNCHANGED, None)


def test_the_host_hears_of_an_edit_that_is_held(make: Make, web: FakeWeb, clock: FakeClock) -> None:
    """A host that publishes what it shows takes the mention down."""
    heard: list[tuple[str, Status]] = []
    site = make(moderate_edits=True, on_mention=lambda mention: heard.append((mention.title, mention.status)))
    settled(site, clock)
    web.pages[S] = LINKING.replace("Note", "New")
    settled(site, clock)
    settled(site, clock)
    assert heard == [("Note", Status.APPROVED), ("New", Status.PENDING)]
    assert site.mentions() == []


@pytest.mark.parametrize(
    ("claims", "held"),
    [((WEBMENTION, PINGBACK, TRACKBACK), False), ((TRACKBACK, WEBMENTION), True), ((TRACKBACK, PINGBACK), True)],
)
def test_another_protocol_is_an_edit_where_it_brings_other_words(
    make: Make, clock: FakeClock, claims: tuple[Claim, ...], held: bool
) -> None:
    """What a trackback says of itself gives way to the page; beside other protocols it has no word."""
    site = make(moderate_edits=True)
    for claim in claims:
        settled(site, clock, claim)
    assert only(site).status is (Status.PENDING if held else Status.APPROVED)


# what may break


Break = Callable[..., Any]


def bug(*arguments: object, **more: object) -> Any:
    raise RuntimeError("parser bug")


def test_a_page_that_breaks_a_reader_ends_its_own_claim_only(
    site: Site, web: FakeWeb, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole: Break = validator.find
    bad = "https://bad.example/"
    web.pages[bad] = LINKING

    def breaking(page: Page, *arguments: Any, **more: Any) -> Backlink:
        found: Backlink = bug() if page.url == bad else whole(page, *arguments, **more)
        return found

    monkeypatch.setattr(validator, "find", breaking)
    first, second = receive(site, Claim("webmention", bad, T)), receive(site)
    assert site.drain() == 2
    assert now(site, first) == (ClaimState.FAILED, Reason.INTERNAL)
    assert now(site, second) == (ClaimState.SUCCESS, None)
    assert site.store.next_due() is None
    assert "parser bug" in caplog.text


@pytest.mark.parametrize("known", [False, True])
def test_no_verdict_comes_of_a_lack_of_memory(
    site: Site, web: FakeWeb, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """The claim waits for another look, and a mention that is there stays (R19)."""
    if known:
        assert settled(site, clock) == (ClaimState.SUCCESS, None)
        clock.advance(PAIR)
    record = receive(site)
    with monkeypatch.context() as scarce:
        scarce.setattr(validator, "find", scarcely)
        assert site.drain() == 1
    assert now(site, record) == (ClaimState.QUEUED, None)
    assert len(site.mentions()) == known
    due = site.store.next_due()
    assert due is not None
    clock.now = due
    site.drain()
    assert now(site, record)[0] is (ClaimState.UNCHANGED if known else ClaimState.SUCCESS)


def scarcely(*arguments: object, **more: object) -> Any:
    raise MemoryError


def test_a_page_that_cannot_be_described_is_a_mention_all_the_same(
    site: Site, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its link was seen."""
    monkeypatch.setattr(extract, "describe", bug)
    assert settled(site, clock) == (ClaimState.SUCCESS, None)
    assert (only(site).source, only(site).title) == (S, "")
    assert "parser bug" in caplog.text


@pytest.mark.parametrize("answer", [Unreachable(S, "reset by peer", sent=True), Blocked(S, "a private address")])
def test_a_source_that_cannot_be_fetched_does_not_stop_the_next(site: Site, web: FakeWeb, answer: Answering) -> None:
    bad = "https://bad.example/"
    web.pages[bad] = answer
    first, second = receive(site, Claim("webmention", bad, T)), receive(site)
    assert site.drain() == 2
    assert now(site, first)[1] is Reason.SOURCE_UNREADABLE
    assert now(site, second) == (ClaimState.SUCCESS, None)


def test_a_fetcher_that_breaks_is_given_its_tries(
    site: Site, web: FakeWeb, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of ours is not the sender's: the claim is kept, and ends only after the last try."""
    web.pages[S] = RuntimeError("bug")
    assert settled(site, clock) == (ClaimState.FAILED, Reason.INTERNAL)
    assert len(web.requests) == 3
    assert "bug" in caplog.text


def test_a_claim_that_kills_its_workers_is_given_up(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    record = receive(site)
    for _ in range(MOST_ATTEMPTS):
        site.store.lease(clock(), clock())
    assert site.drain() == 1
    assert now(site, record) == (ClaimState.FAILED, Reason.INTERNAL)
    assert web.requests == []
    assert site.store.next_due() is None


def test_a_job_without_claims_that_kills_its_workers_ends_too(site: Site, store: Storage, clock: FakeClock) -> None:
    store.add_claim(replace(receive(site), id="another", key="0" * 64, open=False), due=clock())
    for _ in range(MOST_ATTEMPTS):
        store.lease(clock(), clock(), limit=9)
    assert site.drain() == 2
    assert store.next_due() is None


@pytest.mark.parametrize("method", ["begin_check", "pair", "finish_check"])
def test_a_store_that_fails_during_a_check_keeps_the_job(
    site: Site, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise StoreError("disk full")

    record = receive(site)
    with monkeypatch.context() as patch:
        patch.setattr(site.store, method, full)
        with pytest.raises(StoreError):
            site.drain()
    assert now(site, record)[0] is ClaimState.QUEUED
    assert every(site) == []
    clock.advance(LEASE_SECONDS)
    assert site.drain() == 1
    assert now(site, record) == (ClaimState.SUCCESS, None)


def test_a_language_that_is_not_spoken_any_more_ends_its_claims(
    make: Make, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    record = receive(site, PINGBACK)
    make(protocols=BUILTIN[:1]).drain()
    assert now(site, record) == (ClaimState.FAILED, Reason.INTERNAL)


# the hook


def test_the_host_hears_of_each_mention_that_is_new_or_changed(make: Make, web: FakeWeb, clock: FakeClock) -> None:
    """Not of each look: a host that publishes what it shows would have something to say each time it is told."""
    heard: list[Mention] = []
    site = make(on_mention=heard.append)
    settled(site, clock)
    assert heard == [only(site)]
    settled(site, clock)
    assert len(heard) == 1, "the same again is no news"
    settled(site, clock, PINGBACK)
    assert heard[1:] == [only(site)], "another protocol is"
    web.pages[S] = LINKING.replace("much", "a lot")
    settled(site, clock)
    assert heard[2:] == [only(site)]
    web.pages[S] = NOTHING
    settled(site, clock)
    assert len(heard) == 3, "a mention that was taken away was not written"
    web.pages[S] = LINKING
    settled(site, clock)
    assert heard[3:] == [only(site)], "and is back"


def test_a_hook_that_raises_does_no_harm(make: Make, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    def hook(mention: Mention) -> None:
        raise RuntimeError("the host's bug")

    site = make(on_mention=hook)
    assert settled(site, clock) == (ClaimState.SUCCESS, None)
    assert len(every(site)) == 1
    assert "the host's bug" in caplog.text


def test_a_hook_may_use_the_site(make: Make, clock: FakeClock) -> None:
    counts: list[int] = []

    def hook(mention: Mention) -> None:
        counts.append(len(asking.mentions(mention.target)))

    asking: Site = make(on_mention=hook)
    settled(asking, clock)
    assert counts == [1]


def test_a_mention_that_is_gone_when_the_hook_is_called_is_not_told(
    make: Make, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Mention] = []
    site = make(on_mention=heard.append)
    monkeypatch.setattr(site.store, "mention_for", lambda key: None)
    settled(site, clock)
    assert heard == []


# the host's own idea of its pages


OLD = "https://t.example/2010/old"
POSTS = {T: T, T + "/": T, "http://t.example/post": T, OLD: T}


@pytest.mark.parametrize("link", [T, T + "/", "http://t.example/post", OLD, OLD + "#c1", "/2010/old"])
@pytest.mark.parametrize("target", [T, OLD])
def test_two_urls_of_one_post_are_the_same_target(
    make: Make, web: FakeWeb, clock: FakeClock, link: str, target: str
) -> None:
    """VD-44; design decision 10."""
    web.pages[S] = f"<base href='https://t.example/'><a href='{link}'>"
    site = make(resolve=POSTS.get)
    assert settled(site, clock, Claim("webmention", S, target)) == (ClaimState.SUCCESS, None)
    assert site.mentions(OLD) == site.mentions(T) == every(site)


def test_claims_for_two_urls_of_one_post_are_one_mention(make: Make, clock: FakeClock) -> None:
    site = make(resolve=POSTS.get)
    settled(site, clock, Claim("webmention", S, T))
    settled(site, clock, Claim("pingback", S, OLD))
    assert only(site).protocols == ("webmention", "pingback")


@pytest.mark.parametrize("link", ["https://t.example/other", T + "-2", "https://evil.example/post"])
def test_another_post_is_another_target(make: Make, web: FakeWeb, clock: FakeClock, link: str) -> None:
    web.pages[S] = f"<a href='{link}'>"
    site = make(resolve={**POSTS, "https://t.example/other": "https://t.example/other"}.get)
    assert settled(site, clock) == (ClaimState.FAILED, Reason.NO_BACKLINK)


def test_a_post_does_not_mention_itself_by_another_name(make: Make) -> None:
    """protocols.md C-5."""
    assert refused(make(resolve=POSTS.get), Claim("webmention", OLD + "#x", T)).reason is Reason.SAME_PAGE


def refusing(reason: Reason) -> Resolve:
    def resolve(url: str) -> str | None:
        if url == T:
            raise Refused(reason)
        return None

    return resolve


@pytest.mark.parametrize(
    "reason", [pytest.param(Reason.TARGET_GONE, id="VC-28"), pytest.param(Reason.TARGET_CLOSED, id="VC-29")]
)
@pytest.mark.parametrize("claim", EVERY, ids=lambda claim: claim.protocol)
def test_the_host_may_say_why_a_page_takes_no_mentions(make: Make, web: FakeWeb, claim: Claim, reason: Reason) -> None:
    assert refused(make(resolve=refusing(reason)), claim).reason is reason
    assert web.requests == []


def test_a_page_the_host_does_not_know_is_unknown(make: Make) -> None:
    assert refused(make(resolve=POSTS.get), Claim("webmention", S, T + "/nope")).reason is Reason.TARGET_UNKNOWN


def test_a_post_that_closes_before_the_check_still_gets_what_it_took(make: Make, clock: FakeClock) -> None:
    """The claim was accepted, and the answer given."""
    open_pages: dict[str, Resolve] = {"resolve": POSTS.get}
    site = make(resolve=lambda url: open_pages["resolve"](url))
    record = receive(site)
    open_pages["resolve"] = refusing(Reason.TARGET_CLOSED)
    assert site.drain() == 1
    assert now(site, record) == (ClaimState.SUCCESS, None)


class Failing:
    """A `resolve` whose database is away at times."""

    def __init__(self) -> None:
        self.broken = False

    def __call__(self, url: str) -> str | None:
        if self.broken:
            raise ConnectionError("the host's database is away")
        return POSTS.get(url)


def test_what_resolve_raises_passes_through_and_nothing_is_recorded(make: Make) -> None:
    resolve = Failing()
    site = make(resolve=resolve)
    resolve.broken = True
    with pytest.raises(ConnectionError):
        site.receive(WEBMENTION)
    assert site.store.next_due() is None
    assert site.store.open_claims(KEY) == []


def test_a_claim_whose_check_resolve_breaks_is_kept(
    make: Make, web: FakeWeb, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the host's trouble, and no answer about the source."""
    web.pages[S] = f"<a href='{OLD}'>"
    resolve = Failing()
    site = make(resolve=resolve)
    record = receive(site)
    resolve.broken = True
    assert site.drain() == 1
    assert now(site, record) == (ClaimState.QUEUED, None)
    assert "the host's database is away" in caplog.text
    resolve.broken = False
    clock.advance(60)
    assert site.drain() == 1
    assert now(site, record) == (ClaimState.SUCCESS, None)


def test_a_claim_whose_check_gets_an_odd_answer_is_kept(
    make: Make, web: FakeWeb, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    web.pages[S] = f"<a href='{OLD}'>"
    answers: dict[str, Any] = dict(POSTS)
    site = make(resolve=lambda url: answers.get(url))
    record = receive(site)
    answers[OLD] = answers[T] = "/post"
    assert site.drain() == 1
    assert now(site, record) == (ClaimState.QUEUED, None)
    assert "must give the absolute URL of a page of https://t.example/, or None" in caplog.text
    assert "Traceback" not in caplog.text
    answers |= POSTS
    clock.advance(60)
    assert site.drain() == 1
    assert now(site, record) == (ClaimState.SUCCESS, None)


def test_a_claim_that_resolve_always_breaks_ends(make: Make, web: FakeWeb, clock: FakeClock) -> None:
    web.pages[S] = f"<a href='{OLD}'>"
    resolve = Failing()
    site = make(resolve=resolve)
    record = receive(site)
    resolve.broken = True
    for pause in (60, 600, 0):
        assert site.drain() == 1
        clock.advance(pause)
    assert now(site, record) == (ClaimState.FAILED, Reason.INTERNAL)
    assert site.store.next_due() is None


def test_the_request_tells_the_source_who_is_mentioned(
    site: Site, web: FakeWeb, caplog: pytest.LogCaptureFixture
) -> None:
    """protocols.md D-21; and the log tells the operator what came of it."""
    web.pages[S] = Response(410)
    receive(site)
    with caplog.at_level(logging.INFO, "linkback"):
        site.drain()
    assert "verifying webmention for t.example" in web.requests[0].header("User-Agent")
    assert f"no mention of {T} by {S}" in caplog.text


def test_a_policy_hears_who_vouches_for_a_source() -> None:
    """Vouch is the policy's to use; nothing of it is kept, so the claim reads back as it was recorded."""
    heard: list[str] = []

    class Vouched(Policy):
        def admit(self, claim: Claim) -> None:
            heard.append(claim.vouch)

    with Site(
        "https://t.example", store="sqlite://", fetch=FakeWeb(), runner=External(), policy=Vouched(settle_seconds=0)
    ) as site:
        receipt = site.receive(Claim("webmention", S, T, vouch="https://v.example/"))
        kept = site.claim(receipt.id)
        assert kept is not None
        assert (heard, kept.claim.vouch) == (["https://v.example/"], "")
