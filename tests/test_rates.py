"""Token buckets: how much at once, how much in a time, and what a flood of keys can and cannot undo."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from linkback.errors import ConfigurationError
from linkback.fetch import Limits
from linkback.policy import Policy
from linkback.rates import TokenBuckets, check_rate

HOUR = 3600.0


class Ticks:
    """A clock that stands still until it is told."""

    def __init__(self, now: float = 1_000_000.25) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


def granted(buckets: TokenBuckets, key: str, tries: int) -> int:
    return sum(buckets.take(key) == 0.0 for _ in range(tries))


@pytest.mark.parametrize(
    ("burst", "seconds", "wait"), [(1, 1.0, 1.0), (30, 120.0, 120.0), (600, 1.2, 1.2), (20, 90.0, 90.0), (3, 0.1, 0.1)]
)
def test_a_burst_is_granted_at_once_and_then_one_each_gap(
    burst: int, seconds: float, wait: float, ticks: Ticks
) -> None:
    buckets = TokenBuckets(burst, seconds, clock=ticks)
    assert granted(buckets, "a", burst) == burst
    assert buckets.take("a") == pytest.approx(wait, abs=1e-6)
    assert buckets.take("a") == pytest.approx(wait, abs=1e-6), "asking again makes it no longer"
    ticks.now += seconds + 1e-6
    assert granted(buckets, "a", 2) == 1


@pytest.mark.parametrize(("burst", "seconds", "most"), [(30, 120.0, 60), (600, 1.2, 3600), (20, 90.0, 60)])
def test_no_hour_has_more_than_its_share(burst: int, seconds: float, most: int, ticks: Ticks) -> None:
    """Whatever the hour, and however it is asked: all the time, or after a day of quiet."""
    buckets, times = TokenBuckets(burst, seconds, clock=ticks), []
    begin = ticks.now
    while ticks.now < begin + 3 * HOUR:
        if buckets.take("a") == 0.0:
            times.append(ticks.now)
        else:
            ticks.now += min(seconds, 7.0) / 2
    ticks.now += 24 * HOUR
    times += [ticks.now] * granted(buckets, "a", 2 * burst)
    hours = [sum(first <= time < first + HOUR for time in times) for first in times[:: max(1, len(times) // 200)]]
    assert most - 1 <= max(hours) <= most
    assert times.count(ticks.now) == burst


def test_keys_are_strangers_to_each_other(ticks: Ticks) -> None:
    buckets = TokenBuckets(1, 60.0, clock=ticks)
    assert [buckets.take(key) for key in "aba"] == [0.0, 0.0, 60.0]


def test_some_may_be_left_for_others(ticks: Ticks) -> None:
    buckets = TokenBuckets(5, 10, clock=ticks)
    assert [buckets.take("a", leave=2) for _ in range(4)] == [0.0, 0.0, 0.0, 10.0]
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 10.0]
    assert (buckets.take("a", leave=2), buckets.take("a", leave=5)) == (30.0, 60.0)


def test_what_is_owed_is_known_until_it_is_back(ticks: Ticks) -> None:
    buckets, seen, began = TokenBuckets(5, 10, clock=ticks), [], ticks.now
    for _ in range(3):
        buckets.take("a")
    for seconds in (0.0, 9.9, 10.0, 29.9, 30.0, 99.0):
        ticks.now = began + seconds
        seen.append(buckets.owed("a"))
    assert (seen, buckets.owed("b"), TokenBuckets(1, 0).owed("a")) == ([3, 3, 2, 1, 0, 0], 0, 0)


def test_what_came_to_nothing_is_given_back(ticks: Ticks) -> None:
    buckets = TokenBuckets(2, 60.0, clock=ticks)
    buckets.give_back("nobody's")
    assert granted(buckets, "a", 2) == 2
    buckets.give_back("a")
    assert granted(buckets, "a", 2) == 1
    for _ in range(5):
        buckets.give_back("a")
    assert granted(buckets, "a", 9) == 2, "no bucket holds more than its burst"


def test_without_seconds_nothing_is_limited(ticks: Ticks) -> None:
    assert granted(TokenBuckets(1, 0, clock=ticks), "a", 1000) == 1000


@pytest.mark.parametrize(
    ("burst", "seconds"),
    [(0, 1.0), (-1, 1.0), (0, 0), (1, -1.0), (1, float("nan")), (1, float("inf")), ("9", 1.0), (9, "1"), (None, 1)],
)
def test_a_rate_that_is_none_is_said_so(burst: Any, seconds: Any) -> None:
    """By the names of the two values."""
    for make in (
        lambda: check_rate("led", burst, seconds),
        lambda: Limits(led_burst=burst, led_seconds=seconds),
        lambda: Policy(client_burst=burst, client_seconds=seconds),
        lambda: Policy(site_burst=burst, site_seconds=seconds),
        lambda: Policy(host_burst=burst, host_seconds=seconds),
    ):
        with pytest.raises(ConfigurationError, match=r"^(led|client|site|host)_burst and \1_seconds: .* is no rate"):
            make()


def test_only_so_many_keys_are_remembered(ticks: Ticks) -> None:
    buckets = TokenBuckets(2, 60.0, most=50, clock=ticks)
    for number in range(10_000):
        assert buckets.take(str(number)) == 0.0
        assert len(buckets._full_at) <= 50


def test_keys_that_owe_nothing_are_forgotten_first(ticks: Ticks) -> None:
    buckets = TokenBuckets(1, 60.0, most=10, clock=ticks)
    assert granted(buckets, "early", 1) == 1
    ticks.now += 59
    for number in range(9):
        buckets.take(str(number))
    ticks.now += 1
    buckets.take("one too many")
    assert len(buckets._full_at) == 9 + 1 - 1, "some more room is made at once"
    assert "early" not in buckets._full_at


def test_keys_that_owe_nothing_do_not_pile_up(ticks: Ticks) -> None:
    """A host of a thousand blogs has a thousand of these."""
    buckets, most = TokenBuckets(1, 60.0, clock=ticks), 0
    for number in range(5_000):
        buckets.take(str(number))
        most = max(most, len(buckets._full_at))
        ticks.now += 1
    assert most <= 121


def test_a_flood_of_other_keys_forgets_no_debt(ticks: Ticks) -> None:
    """Who spent his burst cannot have it again by sending under other names."""
    buckets = TokenBuckets(30, 120.0, most=100, clock=ticks)
    assert granted(buckets, "attacker", 100) == 30
    for number in range(5_000):
        ticks.now += 0.01
        buckets.take(f"alias{number}")
    assert granted(buckets, "attacker", 100) == 0


def test_threads_share_what_there_is(ticks: Ticks) -> None:
    buckets = TokenBuckets(100, 60.0, clock=ticks)
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: granted(buckets, "a", 50), range(8))) == 100


def test_a_child_does_not_wait_for_a_thread_of_its_parent(ticks: Ticks) -> None:
    buckets = TokenBuckets(1, 60.0, clock=ticks)
    with buckets._lock:
        child = os.fork()
        if child == 0:  # pragma: no cover  (the child's lines are not measured)
            os._exit(0 if buckets.take("a") == 0.0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
