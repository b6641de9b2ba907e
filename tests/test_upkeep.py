"""A mention is looked at again long after, and taken away only when its source is sure to be gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from linkback.errors import TimedOut
from linkback.jobs import External
from linkback.model import Claim, Mention, Status
from linkback.policy import Policy
from linkback.site import Site
from linkback.testing import Answering, FakeClock, FakeWeb, unreachable
from linkback.wire import Response

S, T = "https://s.example/note", "https://t.example/post"
LINKING = f"<title>Note</title><p>I like <a href='{T}'>this</a>."
EMPTY = "<title>Note</title><p>Nothing."
GONE_META = "<meta http-equiv=status content='410 Gone'><title>Deleted</title>"
DAY = 86_400.0
MONTH = 30 * DAY


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: LINKING})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def site(web: FakeWeb, clock: FakeClock) -> Iterator[Site]:
    with a_site(web, clock) as site:
        yield site


def a_site(web: FakeWeb, clock: FakeClock, days: float = 30, *, moderate_edits: bool = False, **hooks: Any) -> Site:
    policy = Policy(settle_seconds=0, recheck_days=days, moderate_edits=moderate_edits)
    return Site(
        "https://t.example", store="sqlite://", fetch=web, clock=clock, policy=policy, runner=External(), **hooks
    )


def mentioned(site: Site, protocol: str = "webmention") -> Mention:
    site.receive(Claim(protocol, S, T))
    site.drain()
    return only(site)


def only(site: Site) -> Mention:
    [mention] = site.mentions(statuses=None)
    return mention


def waits(site: Site, clock: FakeClock) -> float | None:
    due = site.store.next_due()
    return None if due is None else (due - clock()).total_seconds()


@pytest.mark.parametrize("protocol", ["webmention", "pingback", "trackback"])
def test_a_mention_is_looked_at_again_after_a_month(site: Site, web: FakeWeb, clock: FakeClock, protocol: str) -> None:
    """D-46: whatever announced it; what it says now is what is shown."""
    mentioned(site, protocol)
    assert waits(site, clock) == MONTH
    web.pages[S] = LINKING.replace("Note", "New title")
    clock.advance(MONTH)
    assert site.drain() == 1
    assert (only(site).title, only(site).status) == ("New title", Status.APPROVED)
    assert waits(site, clock) == MONTH


TWICE, ONCE, NEVER = [DAY, None], [None], [DAY, MONTH, MONTH]


@pytest.mark.parametrize(
    ("answer", "pauses"),
    [
        pytest.param(Response(410), ONCE, id="410"),
        pytest.param(GONE_META, ONCE, id="D-26"),
        pytest.param(Response(404), TWICE, id="VD-65 periodic 404"),
        pytest.param(EMPTY, TWICE, id="no link"),
        pytest.param(Response(500), NEVER, id="VD-66 500"),
        pytest.param(Response(403), NEVER, id="VD-66 403"),
        pytest.param(TimedOut(S, "too slow"), NEVER, id="VD-66 timeout"),
        pytest.param(unreachable(S), NEVER, id="nobody there"),
        pytest.param(
            Response(200, (("Content-Type", "text/html"),), b"<p>", truncated=True), NEVER, id="VD-66 truncated"
        ),
    ],
)
def test_a_source_that_fails_is_noticed_and_given_time(
    site: Site, web: FakeWeb, clock: FakeClock, answer: Answering, pauses: list[float | None]
) -> None:
    """D-41 to D-43: the second failure comes a day after the first."""
    mentioned(site)
    web.pages[S] = answer
    clock.advance(MONTH)
    first = clock()
    for pause in pauses:
        assert site.drain() == 1
        assert waits(site, clock) == pause
        removed = pause is None
        assert only(site).status is (Status.REMOVED if removed else Status.APPROVED)
        if not removed:
            assert only(site).missing_since == first
        clock.advance(pause or 0)


def test_trouble_does_not_count_as_the_loss_of_a_link(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """A time-out and then one 404 are not two times that the page was missing."""
    mentioned(site)
    for answer, pause in ((unreachable(S), DAY), (Response(404), DAY), (Response(404), None)):
        web.pages[S] = answer
        clock.now = site.store.next_due() or clock.now
        site.drain()
        assert waits(site, clock) == pause


def test_a_strangers_claim_takes_no_mention_away(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """Nobody links to that fragment, and the source links to the page all the same."""
    mentioned(site)
    clock.advance(60)
    site.receive(Claim("webmention", S, f"{T}#nonsense"))
    for _ in range(5):
        clock.now = site.store.next_due() or clock.now
        site.drain()
    assert (only(site).status, only(site).missing_since) == (Status.APPROVED, None)


def test_claims_that_fail_do_not_keep_a_dead_mention_alive(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    mentioned(site)
    web.pages[S] = Response(404)
    for _ in range(4):
        clock.advance(29 * DAY)
        site.receive(Claim("pingback", S, T))
        while (due := site.store.next_due()) is not None and due < clock() + timedelta(days=20):
            clock.now = max(clock.now, due)
            site.drain()
    assert only(site).status is Status.REMOVED


def test_what_a_later_look_found_new_is_told(web: FakeWeb, clock: FakeClock) -> None:
    heard: list[str] = []
    policy = Policy(settle_seconds=0)
    with Site(
        "https://t.example",
        store="sqlite://",
        fetch=web,
        clock=clock,
        policy=policy,
        runner=External(),
        on_mention=lambda mention: heard.append(mention.title),
    ) as site:
        mentioned(site)
        for title in ("Note", "New"):
            web.pages[S] = LINKING.replace("Note", title)
            clock.advance(MONTH)
            site.drain()
    assert heard == ["Note", "New"]


@pytest.mark.parametrize("protocol", ["webmention", "pingback", "trackback"])
@pytest.mark.parametrize("decided", [True, False], ids=["a person approved it", "the policy did"])
def test_what_a_later_look_finds_edited_waits_for_a_person(
    web: FakeWeb, clock: FakeClock, protocol: str, decided: bool
) -> None:
    """Nobody announced it: who baits and switches says nothing. What fails meanwhile holds nothing."""
    heard: list[tuple[str, Status]] = []

    def hear(mention: Mention) -> None:
        heard.append((mention.title, mention.status))

    with a_site(web, clock, moderate_edits=True, on_mention=hear) as site:
        mention = mentioned(site, protocol)
        if decided:
            site.moderate(mention.id, Status.APPROVED)
        for answer, stands in (
            (LINKING.replace("> <", ">\n <"), Status.APPROVED),
            (Response(404), Status.APPROVED),
            (LINKING, Status.APPROVED),
            (LINKING.replace("Note", "Casino"), Status.PENDING),
            (LINKING.replace("Note", "Casino"), Status.PENDING),
        ):
            web.pages[S] = answer
            clock.now = site.store.next_due() or clock.now
            site.drain()
            assert only(site).status is stands
        assert site.mentions() == []
        assert heard == [("Note", Status.APPROVED), ("Casino", Status.PENDING)]


def test_a_source_that_comes_back_is_as_before(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    mentioned(site)
    for answer in (Response(404), LINKING, Response(404), LINKING):
        web.pages[S] = answer
        clock.now = site.store.next_due() or clock.now
        site.drain()
    assert (only(site).status, only(site).missing_since) == (Status.APPROVED, None)
    assert waits(site, clock) == MONTH


def test_a_repeated_claim_is_looked_at_now_and_puts_off_the_next_look(
    site: Site, web: FakeWeb, clock: FakeClock
) -> None:
    mentioned(site)
    clock.advance(10 * DAY)
    site.receive(Claim("webmention", S, T))
    assert site.drain() == 1
    assert waits(site, clock) == MONTH
    assert web.requested == [S, S]


@pytest.mark.parametrize("status", [Status.REJECTED, Status.SPAM])
def test_what_nobody_sees_is_not_looked_at(site: Site, web: FakeWeb, clock: FakeClock, status: Status) -> None:
    site.moderate(mentioned(site).id, status)
    web.requests.clear()
    clock.advance(MONTH)
    assert site.drain() == 1
    assert web.requests == []
    site.moderate(only(site).id, Status.APPROVED)
    clock.advance(MONTH)
    assert site.drain() == 1
    assert web.requested == [S], "it is shown again"


def test_a_claim_that_failed_is_not_looked_at_again(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    web.pages[S] = Response(410)
    site.receive(Claim("webmention", S, T))
    site.drain()
    assert waits(site, clock) is None


def test_a_mention_that_was_taken_away_is_not_looked_at_again(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    mentioned(site)
    web.pages[S] = Response(410)
    clock.advance(60)
    site.receive(Claim("webmention", S, T))
    site.drain()
    assert only(site).status is Status.REMOVED
    assert waits(site, clock) is None


def test_looking_again_may_be_switched_off(web: FakeWeb, clock: FakeClock) -> None:
    with a_site(web, clock, days=0) as site:
        mentioned(site)
        assert waits(site, clock) is None


def test_many_looks_are_no_failed_attempts(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    """A job that was taken five times is not one that killed five workers."""
    mentioned(site)
    for _ in range(12):
        clock.advance(MONTH)
        assert site.drain() == 1
    assert len(web.requests) == 13
    assert site.store.parked() == []


# a person asks for a look


@pytest.mark.parametrize("days", [30, 0], ids=["rechecks on", "rechecks off"])
def test_a_look_that_a_person_asks_for_is_made_now(web: FakeWeb, clock: FakeClock, days: float) -> None:
    with a_site(web, clock, days=days) as site:
        mention = mentioned(site)
        web.pages[S] = LINKING.replace("Note", "Changed")
        clock.advance(60)
        assert site.recheck(mention.id)
        site.drain()
        assert only(site).title == "Changed"
        assert waits(site, clock) == (days * DAY or None)


def test_a_look_brings_back_what_a_check_took_away(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    mention = mentioned(site)
    web.pages[S] = Response(410)
    assert site.recheck(mention.id)
    site.drain()
    assert only(site).status is Status.REMOVED
    web.pages[S] = LINKING
    assert site.recheck(mention.id)
    site.drain()
    assert only(site).status is Status.APPROVED


def test_a_look_at_what_is_still_gone_changes_nothing(site: Site, web: FakeWeb, clock: FakeClock) -> None:
    mention = mentioned(site)
    web.pages[S] = Response(410)
    for _ in range(3):
        assert site.recheck(mention.id)
        site.drain()
    assert only(site).status is Status.REMOVED
    assert waits(site, clock) is None


def test_a_look_does_not_change_a_persons_word(site: Site, web: FakeWeb) -> None:
    mention = mentioned(site)
    site.moderate(mention.id, Status.SPAM)
    assert not site.recheck(mention.id)
    site.drain()
    assert only(site).status is Status.SPAM
    assert len(web.requests) == 1


@pytest.mark.parametrize("id", ["", "0", "99", "nobody", "1 "])
def test_there_is_nothing_to_look_at_without_a_mention(site: Site, id: str) -> None:
    mentioned(site)
    assert not site.recheck(id)


def test_nobody_has_the_mentions_of_another_site_looked_at(site: Site, web: FakeWeb) -> None:
    mention = mentioned(site)
    other = Site("https://u.example", store=site.store, fetch=web, runner=External())
    assert not other.recheck(mention.id)


# what was taken away is told


def test_a_mention_that_is_taken_away_is_told_once(web: FakeWeb, clock: FakeClock) -> None:
    heard: list[Mention] = []
    with a_site(web, clock, on_removed=heard.append) as site:
        mention = mentioned(site)
        assert heard == []
        web.pages[S] = Response(410)
        clock.advance(MONTH)
        site.drain()
        assert heard == [only(site)]
        assert heard[0].status is Status.REMOVED
        site.recheck(mention.id)
        site.drain()
        assert len(heard) == 1


def test_a_mention_that_its_source_withdraws_is_told(web: FakeWeb, clock: FakeClock) -> None:
    heard: list[Mention] = []
    with a_site(web, clock, on_removed=heard.append) as site:
        mentioned(site)
        web.pages[S] = EMPTY
        clock.advance(60)
        site.receive(Claim("webmention", S, T))
        site.drain()
        clock.advance(60)
        site.drain()
        assert heard == [only(site)]


def test_a_rejected_mention_whose_source_goes_is_not_told(web: FakeWeb, clock: FakeClock) -> None:
    heard: list[Mention] = []
    with a_site(web, clock, on_removed=heard.append) as site:
        mention = mentioned(site)
        site.moderate(mention.id, Status.REJECTED)
        web.pages[S] = Response(410)
        clock.advance(60)
        site.receive(Claim("webmention", S, T))
        site.drain()
        assert heard == []
