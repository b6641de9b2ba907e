"""A clock that jumps by ten years (security.md R15): what is due is done, soon, and nothing spins or waits for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from linkback.errors import Refused
from linkback.jobs import External, Step, Wait
from linkback.model import Claim, ClaimState, Outcome
from linkback.policy import Policy
from linkback.site import Site
from linkback.testing import FakeClock, FakeWeb
from linkback.wire import Response

S, T = "https://s.example/note", "https://t.example/post"
WM = "https://t.example/wm"
LISTENING = Response(200, (("Content-Type", "text/html"), ("Link", f"<{WM}>; rel=webmention")))
LINKING = f"<p>I like <a href='{T}'>this</a>."
DECADE = 10 * 365.25 * 86_400
#: the longest that anything but a post with a date of its own may be put off, in seconds
LONGEST = 48 * 3600.0
WEBMENTION = Claim("webmention", S, T)

FORWARD = pytest.param(DECADE, id="ten years ahead")
BACKWARD = pytest.param(-DECADE, id="ten years back")


class Watching(External):
    """Runs nothing, and knows what a thread would be told."""

    def attach(self, step: Step, wait: Wait) -> None:
        self.step, self.wait = step, wait


class Clock(FakeClock):
    """Notes each pause, and lets it pass."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.advance(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb({S: LINKING, T: LISTENING, WM: Response(202)})


@pytest.fixture
def runner() -> Watching:
    return Watching()


@pytest.fixture
def receiving(clock: Clock, web: FakeWeb, runner: Watching) -> Iterator[Site]:
    with Site(
        "https://t.example",
        store="sqlite://",
        fetch=web,
        clock=clock,
        pause=clock.pause,
        runner=runner,
        policy=Policy(recheck_days=0),
    ) as site:
        yield site


@pytest.fixture
def sending(clock: Clock, web: FakeWeb) -> Iterator[Site]:
    with Site(
        "https://s.example", store="sqlite://", fetch=web, clock=clock, pause=clock.pause, runner=Watching()
    ) as site:
        yield site


def state(site: Site, id: str) -> ClaimState | None:
    record = site.claim(id)
    return record.state if record is not None else None


@pytest.mark.parametrize("jump", [FORWARD, BACKWARD])
def test_a_claim_that_waits_is_checked(receiving: Site, clock: Clock, jump: float) -> None:
    receipt = receiving.receive(WEBMENTION)
    clock.advance(jump)
    receiving.drain(patience=LONGEST)
    assert state(receiving, receipt.id) is ClaimState.SUCCESS


@pytest.mark.parametrize("jump", [FORWARD, BACKWARD])
def test_a_claim_whose_worker_died_is_checked(receiving: Site, clock: Clock, jump: float) -> None:
    receipt = receiving.receive(WEBMENTION)
    clock.advance(5)
    [_] = receiving.store.lease(clock(), clock() + timedelta(seconds=60))
    clock.advance(jump)
    receiving.drain(patience=LONGEST)
    assert state(receiving, receipt.id) is ClaimState.SUCCESS


@pytest.mark.parametrize("jump", [FORWARD, BACKWARD])
def test_a_source_that_was_checked_may_ask_again(receiving: Site, clock: Clock, jump: float) -> None:
    receiving.receive(WEBMENTION)
    receiving.drain(patience=5)
    clock.advance(jump)
    try:
        receiving.receive(WEBMENTION)
    except Refused as refusal:
        clock.advance(min(refusal.retry_after or 0, LONGEST))
        receiving.receive(WEBMENTION)
    assert receiving.drain(patience=LONGEST) == 1


@pytest.mark.parametrize("jump", [FORWARD, BACKWARD])
def test_a_host_that_was_read_before_has_its_turn(receiving: Site, web: FakeWeb, clock: Clock, jump: float) -> None:
    receiving.receive(WEBMENTION)
    clock.advance(jump)
    web.pages[f"{S}/2"] = LINKING
    receipt = receiving.receive(Claim("webmention", f"{S}/2", T))
    receiving.drain(patience=LONGEST)
    assert state(receiving, receipt.id) is ClaimState.SUCCESS


@pytest.mark.parametrize("jump", [FORWARD, BACKWARD])
def test_a_delivery_that_waits_is_made(sending: Site, clock: Clock, jump: float) -> None:
    sending.publish(S, LINKING)
    clock.advance(jump)
    sending.drain(patience=LONGEST)
    assert [delivery.outcome for delivery in sending.deliveries()] == [Outcome.ACCEPTED]


@pytest.mark.parametrize("jump", [FORWARD, BACKWARD])
def test_a_host_that_was_told_something_before_has_its_turn(sending: Site, clock: Clock, jump: float) -> None:
    sending.publish(S, LINKING)
    sending.drain(patience=5)
    clock.advance(jump)
    sending.publish("https://s.example/second", LINKING)
    sending.drain(patience=LONGEST)
    assert [delivery.outcome for delivery in sending.deliveries()] == [Outcome.ACCEPTED] * 2


@pytest.mark.parametrize("jump", [FORWARD, BACKWARD])
def test_what_comes_after_the_jump_is_done_as_ever(receiving: Site, web: FakeWeb, clock: Clock, jump: float) -> None:
    """Whatever the past left behind."""
    receiving.receive(WEBMENTION)
    clock.advance(jump)
    web.pages["https://other.example/"] = LINKING
    receipt = receiving.receive(Claim("webmention", "https://other.example/", T))
    receiving.drain(patience=5)
    assert state(receiving, receipt.id) is ClaimState.SUCCESS
    record = receiving.claim(receipt.id)
    assert record is not None
    assert record.checked is not None
    assert record.received <= record.checked <= clock()
    [checked] = [mention.checked for mention in receiving.mentions(T) if mention.source == record.claim.source]
    assert checked <= clock()


@pytest.mark.parametrize("jump", [FORWARD, BACKWARD])
def test_nothing_spins(receiving: Site, runner: Watching, clock: Clock, jump: float) -> None:
    """A thread that is told to wait for less than nothing does a job each time, until none is due."""
    for number in range(3):
        receiving.receive(Claim("webmention", f"{S}?{number}", T))
    clock.advance(jump)
    rounds = 0
    while (wait := runner.wait()) is not None and wait <= 0:
        assert runner.step(), "due, and not to be had"
        rounds += 1
    assert rounds == (3 if jump > 0 else 0)


@pytest.mark.parametrize("jump", [FORWARD, BACKWARD])
def test_a_jump_under_a_worker_costs_at_most_another_look(
    receiving: Site, web: FakeWeb, clock: Clock, jump: float
) -> None:
    """The clock is set while the source is fetched: the verdict counts all the same."""

    def look(_: object) -> Response:
        clock.advance(jump)
        return Response(200, (("Content-Type", "text/html"),), LINKING.encode())

    web.pages[S] = look
    receipt = receiving.receive(WEBMENTION)
    clock.advance(5)
    assert receiving.drain() == 1
    assert state(receiving, receipt.id) is ClaimState.SUCCESS
    assert len(receiving.mentions(T)) == 1
    assert receiving.store.next_due() is None


@pytest.mark.parametrize("jump", [FORWARD, BACKWARD])
def test_a_drain_that_is_patient_ends(receiving: Site, clock: Clock, jump: float) -> None:
    receiving.receive(WEBMENTION)
    clock.advance(jump)
    receiving.drain(patience=30)
    assert sum(clock.pauses) <= 30
    assert len(clock.pauses) <= 3
