"""A page that redirects to a host to which too many redirects lead is left for later: nobody's claim or delivery fails
by it, and none goes on for ever."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from linkback.errors import Reason, Refused, TooManyRedirects
from linkback.jobs import External
from linkback.model import Claim, ClaimState, Delivery, Outcome, Status
from linkback.policy import Policy, Retry
from linkback.protocols import BUILTIN
from linkback.site import Site
from linkback.store import Storage, open_store
from linkback.testing import Answering, FakeClock, FakeWeb
from linkback.web.app import App
from linkback.wire import Request, Response

S, OTHER = "https://s.example/note", "https://o.example/note"
HOME = "https://t.example"
T = f"{HOME}/post"
LINKING = f"<title>Note</title><p>I like <a href='{T}'>this</a>."
WAIT = 90
LED = TooManyRedirects(S, "too many redirects lead to victim.example for now", retry_after=WAIT)
DAY = 86_400.0
MONTH = 30 * DAY
QUEUED, FAILED = (ClaimState.QUEUED, None), (ClaimState.FAILED, Reason.SOURCE_UNREADABLE)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: LED})


@pytest.fixture
def store() -> Iterator[Storage]:
    store = open_store("sqlite://")
    yield store
    store.close()


@pytest.fixture
def site(store: Storage, web: FakeWeb, clock: FakeClock) -> Site:
    return a_site(store, web, clock)


def a_site(store: Storage, web: FakeWeb, clock: FakeClock, policy: Policy | None = None, **more: Any) -> Site:
    policy = policy or Policy(settle_seconds=0, recheck_days=0)
    retry = Retry(delays=(60.0, 600.0), jitter=0.0)
    more = {"runner": External(), "pause": clock.advance, **more}
    return Site(HOME, store=store, fetch=web, clock=clock, policy=policy, retry=retry, **more)


def receive(site: Site, target: str = T, protocol: str = "webmention") -> str:
    return site.receive(Claim(protocol, S, target)).id


def state(site: Site, id: str) -> tuple[ClaimState, Reason | None]:
    record = site.claim(id)
    assert record is not None
    return record.state, record.reason


def looks(site: Site, clock: FakeClock, until: float = 9 * DAY) -> list[float]:
    """After how many seconds something was done, one thing after the other."""
    began, times = clock(), list[float]()
    while (due := site.store.next_due()) is not None and due <= began + timedelta(seconds=until):
        clock.now = max(clock.now, due)
        assert site.drain()
        times.append((clock() - began).total_seconds())
    return times


#: each wait is as long as all before it together, the last one ends with the day, and then there are three attempts
DOUBLED = [0.0, *(WAIT * 2.0**number for number in range(10))]
A_DAY_OF_LOOKS = [*DOUBLED, DAY, DAY + 60, DAY + 660]


# claims


@pytest.mark.parametrize("protocol", ["webmention", "pingback", "trackback"])
def test_a_claim_is_put_off_for_a_day_at_most_and_then_fails_like_any_other(
    site: Site, web: FakeWeb, clock: FakeClock, protocol: str
) -> None:
    id = receive(site, protocol=protocol)
    assert looks(site, clock, DAY - 1) == DOUBLED
    assert state(site, id) == QUEUED
    assert site.store.backlog(clock()).parked == 0
    clock.now -= timedelta(seconds=DOUBLED[-1])
    assert looks(site, clock) == A_DAY_OF_LOOKS[len(DOUBLED) :]
    assert state(site, id) == FAILED
    assert len(web.requests) == len(A_DAY_OF_LOOKS)


@pytest.mark.parametrize("hours", [1, 0, 24, 1000, float("inf")])
def test_a_claim_is_put_off_for_no_longer_than_a_host_has_one_wait(
    store: Storage, web: FakeWeb, clock: FakeClock, hours: float
) -> None:
    site = a_site(store, web, clock, Policy(settle_seconds=0, recheck_days=0, host_queue_hours=hours))
    id = receive(site)
    times = looks(site, clock)
    assert (state(site, id), times[-1]) == (FAILED, min(hours * 3600, DAY) + 660)


def test_a_claim_that_was_put_off_is_proven_by_the_page_that_comes_at_last(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    id = receive(site)
    looks(site, clock, 3600)
    web.pages[S] = LINKING
    looks(site, clock)
    assert state(site, id) == (ClaimState.SUCCESS, None)
    assert [mention.target for mention in site.mentions()] == [T]


def test_attempts_that_were_none_leave_a_claim_all_of_its_own(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    id = receive(site)
    looks(site, clock, 3600)
    web.pages[S] = Response(503)
    assert len(looks(site, clock)) == 3
    assert state(site, id) == FAILED


def test_a_failure_of_before_stands_while_a_claim_is_put_off(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    web.pages[S] = Response(404)
    id = receive(site)
    site.drain()
    web.pages[S] = LED
    clock.advance(30)
    site.drain()
    assert state(site, id) == (ClaimState.QUEUED, Reason.SOURCE_MISSING)
    web.pages[S] = Response(404)
    clock.advance(WAIT)
    site.drain()
    assert state(site, id) == (ClaimState.FAILED, Reason.SOURCE_MISSING)


def test_a_redirect_without_end_is_a_failure_at_once(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    web.pages[S] = TooManyRedirects(S, "more than 5 redirects")
    id = receive(site)
    assert looks(site, clock) == [0, 60, 660]
    assert state(site, id) == FAILED


def test_whoever_waits_for_the_check_hears_the_usual_refusal(store: Storage, web: FakeWeb, clock: FakeClock) -> None:
    site = a_site(store, web, clock, verify="inline")
    with pytest.raises(Refused) as refused:
        receive(site)
    assert refused.value.reason is Reason.SOURCE_UNREADABLE
    assert (refused.value.retry_after, store.next_due()) == (None, None)


def test_the_status_of_a_claim_tells_nothing_of_it(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """A4: it is that of a claim nobody has looked at yet."""

    def told(id: str) -> bytes:
        return App(site).handle(Request("GET", f"{HOME}/status/{id}"), f"/status/{id}").body

    id = receive(site)
    before = told(id)
    for _ in looks(site, clock, DAY - 1):
        assert told(id) == before
    assert b"queued" in before
    assert b"reason" not in before


def test_the_log_says_why_a_claim_waits(site: Site, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    receive(site)
    with caplog.at_level(logging.INFO, "linkback"):
        site.drain()
    assert "too many redirects lead to victim.example for now" in caplog.text


# those that wait together


def test_what_waits_for_one_source_is_put_off_by_one_look_and_answered_by_none(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    ids = [receive(site, f"{T}/{number}") for number in range(60)]
    site.drain()
    assert len(web.requests) == 1
    assert {state(site, id) for id in ids} == {QUEUED}
    dues = sorted(due for _, due in site.store.due(clock() + timedelta(hours=1), limit=99))
    assert dues == [clock() + timedelta(seconds=WAIT + place) for place in range(60)], "and not at one moment"
    clock.advance(WAIT - 1)
    assert site.drain() == 0, "each of them waits"
    clock.advance(1 + 60)
    site.drain()
    assert len(web.requests) == 2
    web.pages[S] = f"<p>I like <a href='{T}/7'>this</a>."
    clock.advance(600)
    site.drain()
    assert len(web.requests) == 3
    assert [mention.target for mention in site.mentions()] == [f"{T}/7"]


def test_of_those_that_wait_together_each_fails_when_it_has_waited_for_a_day(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    first = receive(site, f"{T}/1")
    looks(site, clock, DAY / 2)
    second = receive(site, f"{T}/2")
    looks(site, clock, DAY * 3 / 4)
    assert (state(site, first), state(site, second)) == (FAILED, QUEUED)
    looks(site, clock)
    assert state(site, second) == FAILED


def test_a_claim_that_comes_meanwhile_is_looked_at_soon(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    receive(site)
    looks(site, clock, DAY / 2)
    web.pages[S] = LINKING
    receive(site, protocol="pingback")
    clock.advance(60)
    assert site.drain() == 1
    assert [mention.protocols for mention in site.mentions()] == [("webmention", "pingback")]


def test_a_claim_that_joins_one_that_waited_for_long_has_a_day_of_its_own(site: Site, clock: FakeClock) -> None:
    """Else a stranger, who pings early, would have a friend's ping fail within the hour."""
    first = receive(site, protocol="trackback")
    looks(site, clock, DAY * 23 / 24)
    second = receive(site)
    looks(site, clock, DAY / 2)
    assert (state(site, first), state(site, second)) == (QUEUED, QUEUED)
    looks(site, clock)
    assert (state(site, first), state(site, second)) == (FAILED, FAILED)


# old mentions


def test_an_old_mention_is_left_as_it_is_and_looked_at_a_day_later(
    store: Storage, web: FakeWeb, clock: FakeClock
) -> None:
    site = a_site(store, web, clock, Policy(settle_seconds=0))
    web.pages[S] = LINKING
    receive(site)
    site.drain()
    before = site.mentions(statuses=None)
    web.pages[S] = LED
    clock.advance(MONTH)
    times = looks(site, clock, 20 * DAY)
    assert 15 <= len(times) <= 20
    assert site.mentions(statuses=None) == before, "not even that it was missing"
    web.pages[S] = Response(410)
    looks(site, clock, 2 * DAY)
    assert [mention.status for mention in site.mentions(statuses=None)] == [Status.REMOVED]


def test_old_mentions_that_were_put_off_do_not_come_back_at_one_moment(
    store: Storage, web: FakeWeb, clock: FakeClock
) -> None:
    site = a_site(store, web, clock, Policy(settle_seconds=0))
    web.pages[S] = LINKING.replace(T, f"{T}/1") + LINKING.replace(T, f"{T}/2")
    for number in (1, 2):
        receive(site, f"{T}/{number}")
    site.drain()
    web.pages[S] = LED
    clock.advance(MONTH + 3600)
    assert site.drain() == 2
    one, other = (due for _, due in store.due(clock() + timedelta(days=9), limit=9))
    assert one != other


# deliveries

WM, PB = f"{OTHER}/wm", f"{OTHER}/rpc"
LISTENING = Response(200, (("Content-Type", "text/html"), ("Link", f"<{WM}>; rel=webmention"), ("X-Pingback", PB)))
POST = f"<p>I like <a href='{OTHER}'>this</a>."
TWO_DAYS = 2 * DAY


def publish(site: Site, web: FakeWeb, **pages: Answering) -> None:
    """Have a post that links to another, whose page and endpoint answer so."""
    web.pages.update({OTHER: pages.get("page", LISTENING), WM: pages.get("wm", LED), PB: pages.get("pb", LED)})
    site.publish(T, POST)


def only(site: Site) -> Delivery:
    [delivery] = site.deliveries()
    return delivery


@pytest.mark.parametrize(("pages", "posts"), [({"page": LED}, 0), ({"wm": LED}, 15)], ids=["the page", "its endpoint"])
def test_a_delivery_is_put_off_for_two_days_at_most_and_says_why(
    site: Site, web: FakeWeb, clock: FakeClock, pages: dict[str, Answering], posts: int
) -> None:
    ended = list[Delivery]()
    site = a_site(site.store, web, clock, on_delivery=ended.append)
    publish(site, web, **pages)
    assert len(looks(site, clock, TWO_DAYS - 1)) == 12
    waiting = only(site)
    assert (waiting.outcome, waiting.attempts, ended) == (Outcome.QUEUED, 0, [])
    assert waiting.detail == "too many redirects lead to victim.example for now"
    looks(site, clock)
    done = only(site)
    assert (done.outcome, done.attempts, len(ended)) == (Outcome.FAILED, 3, 1)
    assert done.detail == waiting.detail
    assert len(web.posts) == posts
    assert not [post for post in web.posts if post.url == PB], "nobody is told in another language for it"


def test_a_delivery_that_was_put_off_arrives(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    publish(site, web)
    looks(site, clock, 3600)
    web.pages[WM] = Response(202)
    looks(site, clock)
    assert (only(site).outcome, only(site).attempts, only(site).detail) == (Outcome.ACCEPTED, 1, "")


def test_a_delivery_that_may_have_arrived_stays_one_that_may(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    def dropped(request: Request) -> Response:
        raise TooManyRedirects(request.url, "a redirect that leads nowhere", sent=True)

    publish(site, web, wm=dropped)
    assert site.drain() == 1
    assert only(site).outcome is Outcome.UNKNOWN
    web.pages[WM] = LED
    clock.advance(60)
    assert site.drain() == 1
    waiting = only(site)
    assert (waiting.outcome, waiting.protocol) == (Outcome.UNKNOWN, "webmention")
    assert waiting.detail == "it may have arrived; then too many redirects lead to victim.example for now"


def test_an_endpoint_that_was_none_is_not_asked_again_while_the_next_waits(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    publish(site, web, wm=Response(404))
    looks(site, clock, 3600)
    assert only(site).outcome is Outcome.QUEUED
    assert [post.url for post in web.posts].count(WM) == 1
    assert [post.url for post in web.posts].count(PB) > 3


def test_the_other_deliveries_to_a_host_do_not_wait_for_one_that_was_put_off(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    """Also when it has failed."""
    publish(site, web)
    looks(site, clock, TWO_DAYS + 1)
    assert only(site).outcome is Outcome.FAILED
    assert site.store.ask_turn(WM, now=clock(), gap=timedelta(seconds=1)) is None


def test_whoever_sends_by_hand_is_told_when_to_come_back(web: FakeWeb) -> None:
    from linkback import sender

    web.pages[OTHER] = LED
    done = sender.deliver(web, Claim("", T, OTHER), BUILTIN)
    assert (done.outcome, done.retry_after) == (Outcome.FAILED, WAIT)
