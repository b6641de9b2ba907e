"""Whom we listen to, what is shown unasked, and when to try again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from linkback.errors import (
    BadStatus,
    Blocked,
    ConfigurationError,
    LinkbackError,
    NoBacklink,
    Reason,
    Refused,
    SourceGone,
    TimedOut,
)
from linkback.model import Backlink, Claim, Status
from linkback.policy import Outgoing, Policy, Retry, judge, takes_away, wait_for

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
T = "https://t.example/post"


@pytest.mark.parametrize(
    ("source", "seconds"),
    [
        ("http://127.0.0.1:8000/a", 0),
        ("http://[::1]/a", 0),
        ("http://10.1.2.3/a", 0),
        ("http://localhost:8000/a", 0),
        ("http://nas/a", 0),
        ("http://8.8.8.8/a", 90),
        ("http://localhost.example/a", 90),
    ],
)
def test_private_hosts_are_not_held_to_the_budget(source: str, seconds: float) -> None:
    """Only their operator can open them, for whom they are no third party."""
    assert Policy().host_gap(source) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("source", "seconds"),
    [
        ("https://brid.gy/post/1", 0),
        ("https://www.BRID.gy.:8443/post/1", 0),
        ("https://notbrid.gy/", 90),
        ("https://b.gy/", 90),
        ("https://s.example/", 90),
    ],
)
def test_busy_hosts_and_their_subdomains_are_not_held_to_the_budget(source: str, seconds: float) -> None:
    assert Policy(busy_hosts=["Brid.gy"]).host_gap(source) == timedelta(seconds=seconds)
    assert Policy(busy_hosts=["Brid.gy"], host_seconds=0).host_gap(source) == timedelta(0)


def test_by_default_a_host_sees_no_more_than_sixty_requests_an_hour() -> None:
    assert Policy().host_burst + 3600 / Policy().host_seconds <= 60


@pytest.mark.parametrize(
    ("source", "blocked"),
    [
        ("https://spam.example/x", True),
        ("https://SPAM.example:8443/", True),
        ("https://deep.down.spam.example/", True),
        ("https://spam.example./", True),
        ("https://notspam.example/", False),
        ("https://spam.example.org/", False),
        ("https://s.example/spam.example", False),
        ("https://xn--bse-sna.example/", True),
        ("http://[2001:db8::1]/", True),
        ("http://[2001:db8::2]/", False),
        ("no url", False),
    ],
)
def test_a_blocked_host_is_blocked_with_its_subdomains(source: str, blocked: bool) -> None:
    policy = Policy(blocked_hosts=["Spam.Example.", "böse.example", "[2001:db8::1]", "", "no host"])
    if not blocked:
        policy.admit(Claim("webmention", source, T))
        return
    with pytest.raises(Refused) as refused:
        policy.admit(Claim("webmention", source, T))
    assert refused.value.reason is Reason.BLOCKED


def test_nobody_is_blocked_unasked() -> None:
    Policy().admit(Claim("webmention", "https://s.example/", T))


@pytest.mark.parametrize(("policy", "status"), [(Policy(), Status.APPROVED), (Policy(moderate=True), Status.PENDING)])
def test_a_verified_mention_is_shown_unless_moderated(policy: Policy, status: Status) -> None:
    assert policy.status(Backlink(source="https://s.example/", target=T, final_url="https://s.example/")) is status


@pytest.mark.parametrize(
    ("delays", "attempts", "at_least", "seconds"),
    [
        ((60.0, 600.0), 0, 0.0, 60.0),
        ((60.0, 600.0), 1, 0.0, 60.0),
        ((60.0, 600.0), 2, 0.0, 600.0),
        ((60.0, 600.0), 3, 0.0, None),
        ((60.0, 600.0), 99, 0.0, None),
        ((60.0, 600.0), 1, 3600.0, 3600.0),
        ((60.0, 600.0), 3, 3600.0, None),
        ((), 0, 0.0, None),
        ((), 1, 0.0, None),
    ],
)
def test_a_thing_is_tried_again_by_its_schedule(
    delays: tuple[float, ...], attempts: int, at_least: float, seconds: float | None
) -> None:
    """B-12, B-13."""
    due = Retry(delays=delays, jitter=0.0).due(attempts, NOW, at_least=at_least)
    assert due == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("seconds", "age", "longest", "wait"),
    [
        (90, 0, 1000, 90),
        (90, 90, 1000, 90),
        (90, 91, 1000, 91),
        (90, 400, 1000, 400),
        (90, 600, 1000, 400),
        (90, 950, 1000, 90),
        (90, 999, 1000, 90),
        (90, 1000, 1000, None),
        (90, 5000, 1000, None),
        (90, 0, 0, None),
        (1e300, 0, 1000, 1000),
        (90, -5000, 1000, 90),
    ],
)
def test_what_a_limit_of_our_own_kept_back_waits_as_long_again_until_it_is_a_failure(
    seconds: float, age: float, longest: float, wait: float | None
) -> None:
    found = wait_for(seconds, timedelta(seconds=age), timedelta(seconds=longest))
    assert found == (None if wait is None else timedelta(seconds=wait))


def test_what_failed_together_does_not_return_together() -> None:
    dues = [Retry(delays=(100.0,), jitter=0.5).due(1, NOW) for _ in range(50)]
    waits = {(due - NOW).total_seconds() for due in dues if due}
    assert len(waits) > 1
    assert min(waits) >= 100.0
    assert max(waits) <= 150.0


@pytest.mark.parametrize(
    ("error", "reason", "again"),
    [
        (SourceGone(Reason.SOURCE_GONE), Reason.SOURCE_GONE, False),
        (SourceGone(Reason.SOURCE_MISSING), Reason.SOURCE_MISSING, True),
        (NoBacklink(Reason.NO_BACKLINK), Reason.NO_BACKLINK, True),
        (NoBacklink(Reason.TRUNCATED), Reason.TRUNCATED, True),
        (NoBacklink(Reason.UNSUPPORTED_TYPE), Reason.UNSUPPORTED_TYPE, False),
        (TimedOut(T, "slow"), Reason.SOURCE_UNREADABLE, True),
        (BadStatus(T, 503), Reason.SOURCE_UNREADABLE, True),
        (BadStatus(T, 403), Reason.SOURCE_UNREADABLE, False),
        (Blocked(T, "no"), Reason.SOURCE_UNREADABLE, True),
        (LinkbackError("?"), Reason.INTERNAL, False),
        (KeyError("?"), Reason.INTERNAL, False),
    ],
)
def test_a_failed_check_is_judged(error: Exception, reason: Reason, again: bool) -> None:
    """D-25, D-27."""
    assert judge(error) == (reason, again)


@pytest.mark.parametrize("reason", list(Reason))
def test_only_the_source_itself_takes_a_mention_away(reason: Reason) -> None:
    """D-41 to D-43: never a failure to read it."""
    assert takes_away(reason, asked=False) is (reason in (Reason.SOURCE_GONE, Reason.NO_BACKLINK))
    assert takes_away(reason, asked=True) is (reason in (Reason.SOURCE_GONE, Reason.NO_BACKLINK, Reason.SOURCE_MISSING))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Policy(blocked_hosts="spam.example"), "blocked_hosts"),
        (lambda: Outgoing(skip_hosts="spam.example"), "skip_hosts"),
        (lambda: Outgoing(skip_rels="nofollow"), "skip_rels"),
        (lambda: Outgoing(skip_rels=cast("Any", None)), "skip_rels"),
        (lambda: Policy(blocked_hosts=cast("Any", [5])), "blocked_hosts"),
        (lambda: Policy(busy_hosts="brid.gy"), "busy_hosts"),
    ],
    ids=["blocked_hosts", "skip_hosts", "skip_rels", "none", "number", "busy_hosts"],
)
def test_what_is_to_be_a_list_is_one(make: Callable[[], object], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be a list of "):
        make()


@pytest.mark.parametrize("hours", [-1, float("nan"), "24", None])
def test_a_queue_of_no_length_is_said_so(hours: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^host_queue_hours: .* is no number of hours$"):
        Policy(host_queue_hours=hours)


@pytest.mark.parametrize(("hours", "longer"), [(0, 0), (1.5, 1), (float("inf"), 876_000), (1e300, 876_000)])
def test_a_queue_may_be_as_long_as_anybody_likes(hours: float, longer: int) -> None:
    assert Policy(host_queue_hours=hours).host_queue() >= timedelta(hours=longer)
