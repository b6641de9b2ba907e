"""How much a site takes from one client, in an hour, and on top of what waits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from linkback.errors import Reason, Refused, StoreError
from linkback.jobs import External
from linkback.model import Claim
from linkback.policy import Policy
from linkback.site import Site
from linkback.store import ClaimRecord, Storage, open_store
from linkback.testing import FakeClock, FakeWeb
from linkback.throttle import Throttle

SITE, T = "https://t.example/", "https://t.example/post"
#: an address of somebody, and one of somebody else
ALICE, BOB = "8.8.8.8", "9.9.9.9"
NOON = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)


class Ticks:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def store() -> Iterator[Storage]:
    store = open_store("sqlite://")
    yield store
    store.close()


def claim(number: int, protocol: str = "webmention") -> Claim:
    return Claim(protocol, f"https://s{number}.example/", T)


def record(number: int) -> ClaimRecord:
    return ClaimRecord(id=str(number), site=SITE, key=str(number), page=T, claim=claim(number), received=NOON)


def site_over(store: Storage, **policy: float) -> Site:
    policy = {"settle_seconds": 0, "recheck_days": 0, "client_seconds": 0, "site_seconds": 0, **policy}
    return Site(SITE, store=store, fetch=FakeWeb(), runner=External(), clock=FakeClock(NOON), policy=Policy(**policy))  # type: ignore[arg-type]


def refusal(site: Site, claim: Claim, client: str = "") -> Refused | None:
    try:
        site.receive(claim, client=client)
    except Refused as refused:
        return refused
    return None


def takes(throttle: Throttle, tries: int, client: str = "") -> int:
    taken = 0
    for number in range(tries):
        with contextlib.suppress(Refused):
            throttle.keep(record(number), lambda number=number: record(number), client=client)  # type: ignore[misc]
            taken += 1
    return taken


@pytest.mark.parametrize(
    ("client", "other", "shared"),
    [
        (ALICE, BOB, False),
        (ALICE, "::ffff:8.8.8.8", True),
        (ALICE, "2002:0808:0808::1", True),
        (ALICE, "64:ff9b::808:808", True),
        ("2600:1f00::1", "2600:1f00::ffff:ffff:ffff:ffff", True),
        ("2600:1f00::1", "2600:1f00:0:1::1", False),
    ],
)
def test_one_client_has_one_share(client: str, other: str, shared: bool, store: Storage, ticks: Ticks) -> None:
    throttle = Throttle(Policy(client_burst=1), store, SITE, clock=ticks)
    throttle.hear(client)
    if not shared:
        throttle.hear(other)
        return
    with pytest.raises(Refused) as refused:
        throttle.hear(other)
    assert (refused.value.reason, refused.value.retry_after) == (Reason.TOO_OFTEN, 240)


@pytest.mark.parametrize("client", ["", "127.0.0.1", "::1", "10.1.2.3", "fe80::1%eth0", "unknown", "testclient", "1"])
def test_a_client_that_is_not_known_is_not_limited(client: str, store: Storage) -> None:
    """Else the proxy that stands before us would be everybody."""
    throttle = Throttle(Policy(client_burst=1), store, SITE)
    for _ in range(100):
        throttle.hear(client)


def test_no_more_than_sixty_pings_of_a_client_are_heard_in_any_hour(store: Storage, ticks: Ticks) -> None:
    """protocols.md C-8"""
    throttle, heard = Throttle(Policy(), store, SITE, clock=ticks), []
    for second in range(3 * 3600):
        ticks.now = float(second)
        with contextlib.suppress(Refused):
            throttle.hear(ALICE)
            heard.append(second)
    hours = [sum(first <= second <= first + 3600 for second in heard) for first in heard]
    assert heard[:31] == [*range(30), 240]
    assert max(hours) == 45


def test_a_flood_from_one_address_keeps_nobody_else_out(store: Storage) -> None:
    site = site_over(store, client_seconds=120.0, site_seconds=1.2)
    refused = [refusal(site, claim(number), ALICE) for number in range(1000)]
    assert [each is None for each in refused] == [True] * 30 + [False] * 970
    assert {each.reason for each in refused if each} == {Reason.TOO_OFTEN}
    assert refusal(site, claim(1000), BOB) is None
    assert len(store.due(NOON, limit=9999)) == 31


def test_a_ping_that_is_no_good_counts_for_its_client(store: Storage) -> None:
    """And once there were too many, neither the blog's own function nor the store is asked."""
    asked: list[str] = []

    def resolve(url: str) -> None:
        asked.append(url)

    site = Site(SITE, store=store, fetch=FakeWeb(), runner=External(), policy=Policy(client_burst=3), resolve=resolve)
    reasons = [refusal(site, Claim("webmention", "https://s.example/", f"{T}{number}"), ALICE) for number in range(5)]
    assert [each and each.reason for each in reasons] == [Reason.TARGET_UNKNOWN] * 3 + [Reason.TOO_OFTEN] * 2
    assert len(asked) == 3
    store.close()
    assert (again := refusal(site, claim(1), ALICE)) is not None
    assert again.reason is Reason.TOO_OFTEN


def test_what_is_not_recorded_anew_takes_nothing_from_the_site(store: Storage) -> None:
    site = site_over(store, site_seconds=60.0, site_burst=3)
    assert refusal(site, claim(1)) is None
    for number in range(20):
        assert refusal(site, claim(1)) is None, "it joins the one that waits"
        assert refusal(site, Claim("webmention", T, T)) is not None
        assert refusal(site, replace(claim(number), target="https://elsewhere.example/")) is not None
    assert refusal(site, claim(1, "pingback")) is None, "another claim of the same pair"
    assert refusal(site, claim(2)) is None
    last = refusal(site, claim(3))
    assert last is not None
    assert (last.reason, last.retry_after) == (Reason.TOO_OFTEN, 60)
    assert store.last_claim(record(3).key, "webmention") is None


def test_a_site_takes_so_many_an_hour_from_all(store: Storage, ticks: Ticks) -> None:
    throttle, taken = Throttle(Policy(most_waiting=0), store, SITE, clock=ticks), 0
    for number in range(7200):
        ticks.now = number / 2
        taken += takes(throttle, 1)
    assert 3590 <= taken <= 3600


def test_six_hundred_at_once_are_taken_and_then_one_each_so_often(store: Storage, ticks: Ticks) -> None:
    throttle = Throttle(Policy(), store, SITE, clock=ticks)
    assert takes(throttle, 700) == 600
    for now, taken in ((1.19, 0), (1.2, 1), (2.39, 0), (2.4, 1)):
        ticks.now = now
        assert takes(throttle, 9) == taken


@pytest.mark.parametrize(("heard", "taken", "left"), [(3, 10, 0), (4, 9, 1)])
def test_the_last_places_are_for_clients_that_send_little(
    heard: int, taken: int, left: int, store: Storage, ticks: Ticks
) -> None:
    """Else a thousand addresses that never rest would leave none to whoever comes by."""
    throttle = Throttle(Policy(site_burst=10), store, SITE, clock=ticks)
    for _ in range(heard):
        throttle.hear(ALICE)
    throttle.hear(BOB)
    assert (takes(throttle, 20, ALICE), takes(throttle, 20, BOB)) == (taken, left)


def test_a_place_is_given_back_where_the_store_fails(store: Storage, ticks: Ticks) -> None:
    throttle = Throttle(Policy(site_burst=1, site_seconds=9.0, most_waiting=1), store, SITE, clock=ticks)

    def fails() -> ClaimRecord:
        raise StoreError("the disk is full")

    for _ in range(3):
        with pytest.raises(StoreError, match="full"):
            throttle.keep(record(1), fails)
    assert throttle.keep(record(1), lambda: replace(record(1), id="an older one")).id == "an older one"
    assert throttle.keep(record(2), lambda: record(2)) == record(2)
    with pytest.raises(Refused):
        throttle.keep(record(3), lambda: record(3))


# the cap on what waits


def test_so_many_checks_may_wait_and_not_one_more(store: Storage) -> None:
    site = site_over(store, most_waiting=5)
    assert [refusal(site, claim(number)) for number in range(5)] == [None] * 5
    last = refusal(site, claim(5))
    assert last is not None
    assert (last.reason, last.retry_after) == (Reason.TOO_OFTEN, 60)
    assert len(store.due(NOON, limit=99)) == 5


@pytest.mark.parametrize(("waiting", "room"), [(4, 1), (5, 0), (6, 0)])
def test_what_waited_before_the_process_began_counts(waiting: int, room: int, store: Storage) -> None:
    before = site_over(store)
    for number in range(waiting):
        before.receive(claim(number))
    site = site_over(store, most_waiting=5)
    assert sum(refusal(site, claim(100 + number)) is None for number in range(9)) == room


class Counting:
    """A store of which only the number of checks that are due is asked."""

    due = 0

    def __init__(self) -> None:
        self.asked: list[int] = []

    def checks_due(self, now: datetime, *, site: str, most: int) -> int:
        self.asked.append(most)
        return min(self.due, most)


def test_the_store_is_asked_now_and_then_and_counts_no_further_than_the_cap(ticks: Ticks) -> None:
    store = Counting()
    throttle = Throttle(Policy(site_seconds=0, most_waiting=10), store, SITE, clock=ticks)  # type: ignore[arg-type]
    store.due = 7
    assert takes(throttle, 50) == 3
    store.due = 0
    assert takes(throttle, 50) == 0
    assert store.asked == [10]
    ticks.now = 5.0
    assert takes(throttle, 50) == 10
    ticks.now, store.due = 10.0, 10_000
    assert takes(throttle, 50) == 0
    assert store.asked == [10, 10, 10]


@pytest.mark.parametrize(("due", "taken"), [(99_999, 1), (100_000, 0), (100_001, 0)])
def test_a_hundred_thousand_checks_may_wait_by_default(due: int, taken: int, ticks: Ticks) -> None:
    store = Counting()
    store.due = due
    assert takes(Throttle(Policy(), store, SITE, clock=ticks), 9) == taken  # type: ignore[arg-type]


@pytest.mark.parametrize(("took", "again"), [(0.0, 5.0), (0.025, 5.0), (0.1, 20.0), (30.0, 60.0)])
def test_what_took_long_to_count_is_believed_for_longer(took: float, again: float, ticks: Ticks) -> None:
    """A ping waits for it: where a hundred thousand are counted, no more than one of some hundred pings may (D7)."""

    class Slow(Counting):
        def checks_due(self, now: datetime, *, site: str, most: int) -> int:
            ticks.now += took
            return super().checks_due(now, site=site, most=most)

    store = Slow()
    throttle = Throttle(Policy(site_seconds=0, most_waiting=10), store, SITE, clock=ticks)  # type: ignore[arg-type]
    for moment, looks in ((0.0, 1), (again - 0.01, 1), (again, 2)):
        ticks.now = moment
        takes(throttle, 1)
        assert len(store.asked) == looks


@pytest.mark.parametrize("most", [0, 10])
def test_a_store_that_cannot_count_sets_no_cap(most: int, ticks: Ticks) -> None:
    throttle = Throttle(Policy(site_seconds=0, most_waiting=most), object(), SITE, clock=ticks)  # type: ignore[arg-type]
    assert takes(throttle, 50) == 50


def test_without_a_cap_nothing_is_counted(ticks: Ticks) -> None:
    store = Counting()
    store.due = 10**6
    throttle = Throttle(Policy(site_seconds=0, most_waiting=0), store, SITE, clock=ticks)  # type: ignore[arg-type]
    assert takes(throttle, 50) == 50
    assert store.asked == []


def test_what_is_being_checked_waits_no_more(store: Storage) -> None:
    before = site_over(store)
    for number in range(2):
        before.receive(claim(number))
    assert len(store.lease(NOON, NOON + timedelta(minutes=2), limit=9)) == 2
    assert refusal(site_over(store, most_waiting=1), claim(5)) is None
