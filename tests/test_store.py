"""What every store promises, whatever database is behind it."""

from __future__ import annotations

import itertools
import threading
import typing
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy

from linkback import urls
from linkback.errors import Reason, Refused, StoreError
from linkback.model import Author, Cause, Claim, ClaimState, Delivery, Job, JobKind, Mention, Outcome, Status, Turn
from linkback.site import utcnow
from linkback.store import (
    MOST_OPEN_CLAIMS,
    UNPACED,
    Backlog,
    ClaimRecord,
    Counting,
    Edit,
    Gathering,
    Overtaking,
    Pace,
    Sibling,
    Storage,
    Verdict,
    decisions,
    open_store,
    rows,
)
from linkback.store.sql import SqlStore
from linkback.store.working import WorkingStore
from tests.databases import KINDS, SERVERS, Databases

SITE = "https://bob.example"
PAGE = "https://bob.example/post"
SOURCE = "https://alice.example/a"
KEY = urls.pair_key(SITE, SOURCE, PAGE)
NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DJANGO_KINDS = ("django sqlite file", *(f"django {kind}" for kind in SERVERS))


@pytest.fixture(params=[*KINDS, *DJANGO_KINDS])
def store(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Storage]:
    """Every test below runs on every back end."""
    if request.param in KINDS:
        store = open_store(databases.empty(request.param, tmp_path))
    else:
        store = request.getfixturevalue("django_databases").store(request.param, tmp_path)
    yield store
    store.close()


def record(id: str, *, protocol: str = "webmention", received: datetime = NOON, **more: Any) -> ClaimRecord:
    claim = Claim(protocol, SOURCE, PAGE, title=id)
    return ClaimRecord(id=id, site=SITE, key=KEY, page=PAGE, claim=claim, received=received, **more)


def found(status: Status = Status.APPROVED, *, protocols: tuple[str, ...] = ("webmention",), **more: Any) -> Mention:
    values: dict[str, Any] = {"received": NOON, "checked": NOON + MINUTE, **more}
    return Mention("", SITE, SOURCE, PAGE, protocols, status, **values)


def answered(claim: ClaimRecord, state: ClaimState = ClaimState.SUCCESS, **more: Any) -> ClaimRecord:
    return replace(claim, state=state, open=False, checked=NOON + MINUTE, **more)


def take(store: Storage, now: datetime = NOON) -> Job:
    (job,) = store.lease(now, now + MINUTE)
    return job


def check(store: Storage, id: str, *, now: datetime = NOON, **verdict: Any) -> None:
    """One claim, taken and checked with this verdict."""
    claim = record(id, received=now)
    store.add_claim(claim, due=now)
    checked = replace(answered(claim), checked=now + MINUTE)
    store.finish_check(take(store, now), Verdict(key=KEY, page=PAGE, claims=[checked], **verdict))


# claims


def test_a_claim_comes_back_as_it_was_recorded(store: Storage) -> None:
    claim = Claim("trackback", SOURCE, PAGE + "#c1", "Title", "Excerpt", "Blog", "https://bob.example/tb/1")
    kept = replace(record("an-id", received=datetime(2024, 5, 6, 12, 0, 0, 123456, UTC)), claim=claim)
    store.add_claim(kept, due=NOON)
    assert store.claim("an-id") == kept


@pytest.mark.parametrize("pace", [None, Pace(timedelta(seconds=1), 2)])
def test_a_first_claim_that_is_taken_is_kept_as_any_other(store: Storage, pace: Pace | None) -> None:
    """A store may leave it to `add_claim`, and always does once it knows the pair."""
    if not store.add_first(record("a"), due=NOON, pace=pace):
        store.add_claim(record("a"), due=NOON, pace=pace)
    assert not store.add_first(record("b", protocol="pingback"), due=NOON, pace=pace)
    assert store.open_claims(KEY) == [record("a")]
    [job] = store.lease(NOON, NOON + MINUTE, limit=2)
    assert (job.subject, job.site, job.attempts) == (KEY, SITE, 1)


@pytest.mark.parametrize("id", ["nobody", "AN-ID", "an-id ", "an-id\0", "an-\ud800", "", "án-id", "n" * 5000])
def test_an_unknown_claim_is_none(store: Storage, id: str) -> None:
    """Ids come from strangers, and some databases are less exact than others."""
    store.add_claim(replace(record("an-id"), key="0" * 64), due=NOON)
    assert store.claim(id) is None
    assert store.last_claim(KEY, "webmention") is None
    assert store.open_claims(KEY) == []


def test_two_claims_cannot_share_an_id(store: Storage) -> None:
    """And the failed one leaves nothing half written."""
    store.add_claim(record("same"), due=NOON)
    with pytest.raises(StoreError) as caught:
        store.add_claim(replace(record("same"), key="0" * 64), due=NOON)
    # SQLAlchemy's or Django's
    assert type(caught.value.__cause__).__name__ == "IntegrityError"
    assert "\n" not in str(caught.value)
    assert store.open_claims("0" * 64) == []
    assert len(store.lease(NOON, NOON + MINUTE, limit=9)) == 1


def test_times_in_any_zone_come_back_as_utc(store: Storage) -> None:
    there = timezone(timedelta(hours=5, minutes=30))
    store.add_claim(record("a", received=NOON.astimezone(there)), due=NOON)
    kept = store.claim("a")
    assert kept is not None
    assert kept.received == NOON
    assert kept.received.tzinfo is UTC


def test_a_time_without_an_offset_is_refused(store: Storage) -> None:
    with pytest.raises(StoreError, match="without an offset"):
        store.add_claim(record("a", received=NOON.replace(tzinfo=None)), due=NOON)


def test_text_that_no_database_holds_is_kept_as_far_as_it_goes(store: Storage) -> None:
    claim = Claim("trackback", SOURCE, PAGE, title="a\ud800b\0c 猫")
    store.add_claim(replace(record("a"), claim=claim), due=NOON)
    kept = store.claim("a")
    assert kept is not None
    assert kept.claim.title == "a?bc 猫"


def test_long_text_is_kept_whole(store: Storage) -> None:
    claim = Claim("trackback", SOURCE, PAGE, excerpt="猫" * 100_000)
    store.add_claim(replace(record("a"), claim=claim), due=NOON)
    kept = store.claim("a")
    assert kept is not None
    assert kept.claim == claim


def test_open_claims_are_the_pairs_own_oldest_first(store: Storage) -> None:
    store.add_claim(record("late", received=NOON + MINUTE), due=NOON)
    store.add_claim(record("early"), due=NOON)
    store.add_claim(record("closed", open=False), due=NOON)
    store.add_claim(replace(record("other"), key="0" * 64), due=NOON)
    assert [claim.id for claim in store.open_claims(KEY)] == ["early", "late"]


@pytest.mark.parametrize("source", [SOURCE, "https://ALICE.example/a"])
def test_a_claim_that_is_said_again_while_it_waits_is_the_one_that_waits(store: Storage, source: str) -> None:
    """Else one sender could fill the table; the job comes forward all the same."""
    first = record("a")
    assert store.add_claim(first, due=NOON + MINUTE) == first
    repeat = replace(first, id="b", claim=replace(first.claim, source=source), received=NOON + MINUTE / 2)
    assert store.add_claim(repeat, due=NOON + MINUTE / 2) == first
    assert store.open_claims(KEY) == [first]
    assert store.claim("b") is None
    assert store.next_due() == NOON + MINUTE / 2


@pytest.mark.parametrize(
    "other",
    [
        {"protocol": "pingback"},
        {"target": PAGE + "#c1"},
        {"endpoint": "https://bob.example/tb/1"},
        {"title": "Title"},
        {"excerpt": "Excerpt"},
        {"blog_name": "Blog"},
    ],
)
def test_a_claim_that_says_something_else_is_another(store: Storage, other: dict[str, str]) -> None:
    first = record("a")
    second = replace(first, id="b", claim=replace(first.claim, **other))
    assert [store.add_claim(first, due=NOON), store.add_claim(second, due=NOON)] == [first, second]
    assert store.open_claims(KEY) == [first, second]


def test_a_claim_that_was_answered_may_be_said_again(store: Storage) -> None:
    check(store, "a")
    again = replace(record("a"), id="b")
    assert store.add_claim(again, due=NOON) == again
    assert store.open_claims(KEY) == [again]


def test_a_pair_has_only_so_many_open_claims(store: Storage) -> None:
    """A repeat of one of them is taken, and so is another pair's."""
    for number in range(MOST_OPEN_CLAIMS):
        assert store.add_claim(record(str(number)), due=NOON + MINUTE) is not None
    assert store.add_claim(record("too many"), due=NOON) is None
    assert store.claim("too many") is None
    assert store.next_due() == NOON + MINUTE, "what is not taken changes nothing"
    assert store.add_claim(record("0"), due=NOON + MINUTE) == record("0")
    assert store.add_claim(replace(record("other"), key="0" * 64), due=NOON) is not None
    assert len(store.open_claims(KEY)) == MOST_OPEN_CLAIMS


def test_the_last_claim_is_the_newest_of_its_protocol(store: Storage) -> None:
    for id, protocol, minutes in [("a", "pingback", 2), ("b", "pingback", 1), ("c", "webmention", 3)]:
        store.add_claim(record(id, protocol=protocol, received=NOON + minutes * MINUTE), due=NOON)
    last = store.last_claim(KEY, "pingback")
    assert last is not None
    assert last.id == "a"
    store.add_claim(record("d", protocol="pingback", received=NOON + 2 * MINUTE), due=NOON)
    last = store.last_claim(KEY, "pingback")
    assert last is not None
    assert last.id == "d", "of two at one moment, the one recorded later"


# jobs


def test_a_claim_has_one_job_that_is_leased_once(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    (job,) = store.lease(NOON, NOON + MINUTE, limit=5)
    assert (job.kind, job.subject, job.attempts) == (JobKind.CHECK, KEY, 1)
    assert store.lease(NOON, NOON + MINUTE, limit=5) == []


def test_a_job_is_not_given_before_it_is_due(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON + MINUTE)
    assert store.lease(NOON, NOON + MINUTE) == []
    assert len(store.lease(NOON + MINUTE, NOON + 2 * MINUTE)) == 1


def test_a_lease_expires_and_the_next_attempt_is_counted(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    first = take(store)
    second = take(store, NOON + MINUTE)
    assert (second.id, second.attempts) == (first.id, 2)


def test_the_longest_due_comes_first_up_to_the_limit(store: Storage) -> None:
    for minutes in (3, 1, 2):
        store.add_claim(replace(record(str(minutes)), key=str(minutes) * 64), due=NOON - minutes * MINUTE)
    assert [job.subject[0] for job in store.lease(NOON, NOON + MINUTE, limit=2)] == ["3", "2"]


@pytest.mark.parametrize("limit", [0, -1])
def test_nothing_is_leased_where_nothing_is_asked_for(store: Storage, limit: int) -> None:
    store.add_claim(record("a"), due=NOON)
    assert store.lease(NOON, NOON + MINUTE, limit=limit) == []


def test_a_job_says_whether_who_had_it_before_left_it(store: Storage) -> None:
    """Until it is begun, or given back by whoever began it."""
    store.add_claim(record("a"), due=NOON)
    (first,) = store.lease(NOON, NOON + MINUTE)
    (left,) = store.lease(NOON + MINUTE, NOON + 2 * MINUTE)
    store.release(left, due=NOON + MINUTE, counted=False)
    (again,) = store.lease(NOON + MINUTE, NOON + 2 * MINUTE)
    store.release(again, due=NOON + MINUTE)
    (last,) = store.lease(NOON + MINUTE, NOON + 2 * MINUTE)
    assert [each.abandoned for each in (first, left, again, last)] == [False, True, True, False]
    assert [each.attempts for each in (first, left, again, last)] == [1, 2, 2, 3]


def test_a_released_job_is_due_at_the_time_given(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    job = take(store)
    store.release(job, due=NOON + 2 * MINUTE)
    assert store.next_due() == NOON + 2 * MINUTE
    assert store.lease(NOON + MINUTE, NOON + 3 * MINUTE) == []
    assert take(store, NOON + 2 * MINUTE).attempts == 2


def test_a_late_worker_cannot_release_what_another_holds(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    slow = take(store)
    take(store, NOON + MINUTE)
    store.release(slow, due=NOON)
    assert store.lease(NOON + MINUTE, NOON + 2 * MINUTE) == []


def test_next_due_is_the_first_due_time_or_end_of_a_lease(store: Storage) -> None:
    assert store.next_due() is None
    store.add_claim(record("a"), due=NOON)
    assert store.next_due() == NOON
    take(store)
    assert store.next_due() == NOON + MINUTE
    store.add_claim(replace(record("b"), key="0" * 64), due=NOON + 5 * MINUTE)
    assert store.next_due() == NOON + MINUTE


def test_a_job_may_be_taken_by_its_id_once_and_when_it_is_due(store: Storage) -> None:
    for number in range(3):
        store.add_claim(replace(record(str(number)), key=str(number) * 64), due=NOON + number * MINUTE)
    [(first, _), (second, _), (third, _)] = store.due(NOON + 5 * MINUTE, limit=5)
    now = NOON + MINUTE
    assert [job.subject[0] for job in store.lease(now, now + MINUTE, id=second, limit=5)] == ["1"]
    assert [store.lease(now, now + MINUTE, id=id) for id in (second, third, third + 1)] == [[], [], []]
    assert store.lease(now, now + MINUTE, id=first, site="https://dan.example") == []
    assert store.lease(now, now + MINUTE, id=first, kind=JobKind.DELIVER) == []
    assert len(store.lease(now, now + MINUTE, id=first, site=SITE, kind=JobKind.CHECK)) == 1


def test_the_jobs_that_are_due_by_a_time_are_named_in_order(store: Storage) -> None:
    for minutes in (3, 1, 2):
        store.add_claim(replace(record(str(minutes)), key=str(minutes) * 64), due=NOON + minutes * MINUTE)
    three, one, two = (job.id for job in sorted(store.lease(NOON + 5 * MINUTE, NOON, limit=3), key=lambda job: job.id))
    store.release(Job(one, JobKind.CHECK, "1" * 64, 1), due=NOON + MINUTE)
    store.release(Job(three, JobKind.CHECK, "3" * 64, 1), due=None)
    store.release(Job(two, JobKind.CHECK, "2" * 64, 1), due=NOON)
    assert store.due(NOON + MINUTE, limit=5) == [(two, NOON), (one, NOON + MINUTE)]
    assert store.due(NOON + MINUTE, limit=1) == [(two, NOON)]
    assert store.due(NOON + MINUTE, limit=0) == []
    assert [id for id, _ in store.due(NOON, limit=5, site=SITE)] == [two]
    assert store.due(NOON, limit=5, site="https://dan.example") == []


def test_a_job_that_is_held_is_due_when_its_lease_ends(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    job = take(store)
    assert store.due(NOON, limit=5) == []
    assert store.due(NOON + MINUTE, limit=5) == [(job.id, NOON + MINUTE)]


@pytest.mark.parametrize("kind", [JobKind.CHECK, JobKind.DELIVER, None])
def test_jobs_may_be_taken_of_one_kind_only(store: Storage, kind: JobKind | None) -> None:
    (owed,) = owe(store, now=NOON - MINUTE)
    subjects = {JobKind.CHECK: [KEY], JobKind.DELIVER: [owed.id], None: [owed.id, KEY]}[kind]
    store.add_claim(record("a"), due=NOON - MINUTE / 2)
    assert store.next_due(kind=kind) == (NOON - MINUTE / 2 if kind is JobKind.CHECK else NOON - MINUTE)
    assert store.next_due(kind=kind, site="https://dan.example") is None
    assert store.lease(NOON, NOON + MINUTE, limit=9, kind=kind, site="https://dan.example") == []
    assert [job.subject for job in store.lease(NOON, NOON + MINUTE, limit=9, kind=kind)] == subjects


def test_a_job_does_not_end_under_a_claim_that_joined_it(store: Storage) -> None:
    """The claim found the job running, and relies on it."""
    store.add_claim(record("old", open=False), due=NOON)
    job = take(store)
    store.add_claim(record("new"), due=NOON)
    store.end(job)
    assert store.next_due() == NOON
    assert take(store).attempts == 2


def test_a_late_worker_cannot_end_what_another_holds(store: Storage) -> None:
    store.add_claim(record("closed", open=False), due=NOON)
    slow = take(store)
    quick = take(store, NOON + MINUTE)
    store.end(slow)
    assert store.next_due() == NOON + 2 * MINUTE
    store.end(quick)
    assert store.next_due() is None


def test_a_claim_that_joins_brings_the_job_forward_and_forgets_its_attempts(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    store.release(take(store), due=NOON + 9 * MINUTE)
    store.add_claim(record("b"), due=NOON + 2 * MINUTE)
    assert store.next_due() == NOON + 2 * MINUTE
    assert take(store, NOON + 2 * MINUTE).attempts == 1


def test_a_claim_that_joins_never_puts_the_job_off(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    store.add_claim(record("b"), due=NOON + MINUTE)
    assert store.next_due() == NOON


def test_a_claim_that_joins_a_running_check_leaves_its_job_alone(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    job = take(store)
    store.add_claim(record("b", received=NOON + MINUTE / 2), due=NOON + MINUTE / 2)
    assert store.next_due() == NOON + MINUTE
    verdict = Verdict(key=KEY, page=PAGE, claims=[answered(record("a"))])
    store.finish_check(job, verdict)
    assert store.next_due() is None, "the worker still held it"


def test_a_worker_whose_lease_ran_out_cannot_end_the_job_of_a_new_claim(store: Storage) -> None:
    """The new claim's job starts again at attempt 1, as the old one did; they are not taken for each other."""
    store.add_claim(record("a"), due=NOON)
    slow = take(store)
    store.add_claim(record("b", received=NOON + 2 * MINUTE), due=NOON + 2 * MINUTE)
    fresh = take(store, NOON + 2 * MINUTE)
    assert slow.attempts == fresh.attempts == 1
    store.finish_check(slow, Verdict(key=KEY, page=PAGE, claims=[answered(record("a"))]))
    assert [claim.id for claim in store.open_claims(KEY)] == ["b"]
    assert store.next_due() == NOON + 3 * MINUTE


def test_an_ended_jobs_number_is_never_used_again(store: Storage) -> None:
    check(store, "a")
    store.add_claim(record("b"), due=NOON)
    first = take(store)
    store.finish_check(first, Verdict(key=KEY, page=PAGE, claims=[answered(record("b"))]))
    store.add_claim(record("c"), due=NOON)
    assert take(store).id > first.id


def test_threads_never_share_a_job(store: Storage) -> None:
    for number in range(40):
        store.add_claim(replace(record(str(number)), key=f"{number:064}"), due=NOON)
    leased: list[Job] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            while jobs := store.lease(NOON, NOON + MINUTE, limit=3):
                leased.extend(jobs)
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(job.subject for job in leased) == [f"{number:064}" for number in range(40)]
    assert {job.attempts for job in leased} == {1}


# checks


def test_a_verdict_records_mention_claims_and_the_end_of_the_job(store: Storage) -> None:
    check(store, "a", mention=found())
    kept = store.claim("a")
    assert kept is not None
    assert (kept.state, kept.open, kept.checked) == (ClaimState.SUCCESS, False, NOON + MINUTE)
    assert store.mention_for(KEY) is not None
    assert store.next_due() is None


def test_a_refused_claim_keeps_its_reason_and_makes_no_mention(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    refused = answered(record("a"), ClaimState.FAILED, reason=Reason.NO_BACKLINK)
    store.finish_check(take(store), Verdict(key=KEY, page=PAGE, claims=[refused], removed=True))
    assert store.claim("a") == refused
    assert store.mention_for(KEY) is None


def test_a_mention_comes_back_as_it_was_found(store: Storage) -> None:
    mention = found(
        Status.PENDING,
        protocols=("pingback", "webmention"),
        title="Title",
        author=Author("Ann", "https://alice.example/", "https://alice.example/me.png"),
        excerpt="so she said",
        published=datetime(2024, 5, 6, 9, 0, tzinfo=timezone(timedelta(hours=-7))),
        kind="reply",
        final_url=SOURCE + "/",
    )
    check(store, "a", mention=mention)
    kept = store.mention_for(KEY)
    assert kept is not None
    assert kept == replace(mention, id=kept.id)
    assert kept.published is not None
    assert kept.published.utcoffset() == timedelta(hours=-7)
    assert store.mention(kept.id) == kept


@pytest.mark.parametrize("published", [None, datetime(2024, 5, 6, 9, 0), datetime(2024, 5, 6, tzinfo=UTC)])
def test_published_keeps_the_offset_its_page_gave_or_none(store: Storage, published: datetime | None) -> None:
    check(store, "a", mention=found(published=published))
    kept = store.mention_for(KEY)
    assert kept is not None
    assert kept.published == published


def test_a_repeat_updates_what_was_found_and_keeps_what_was_first(store: Storage) -> None:
    check(store, "a", mention=found(title="Old"))
    first = store.mention_for(KEY)
    later = NOON + 9 * MINUTE
    check(store, "b", mention=found(title="New", excerpt="more", received=later, checked=later))
    (kept,) = store.mentions()
    assert first is not None
    assert kept == replace(first, title="New", excerpt="more", checked=later)


def test_protocols_are_united_in_the_order_of_their_first_announcement(store: Storage) -> None:
    for id, protocols in [("a", ("webmention",)), ("b", ("pingback", "webmention")), ("c", ("mine", "pingback"))]:
        check(store, id, mention=found(protocols=protocols))
    kept = store.mention_for(KEY)
    assert kept is not None
    assert kept.protocols == ("webmention", "pingback", "mine")


HISTORIES = [
    # what happened to one mention, and where it stands then
    ("gone", None),
    ("found approved", "approved"),
    ("found pending, found approved", "pending"),
    ("found approved, found pending", "approved"),
    ("found approved, gone", "removed"),
    ("found approved, gone, found pending", "pending"),
    ("found spam, gone, found approved", "approved"),
    ("found approved, say rejected, found approved", "rejected"),
    ("found spam, say approved, found spam", "approved"),
    ("found approved, say spam, gone", "spam"),
    ("found approved, say rejected, gone, found approved", "rejected"),
    ("found rejected, gone", "removed"),
    ("found pending, say approved, gone", "removed"),
    ("found pending, say approved, gone, found pending", "approved"),
    ("found pending, say approved, gone, gone, found pending", "approved"),
    ("found approved, say pending, gone, found approved", "pending"),
    ("found approved, say removed, found approved", "removed"),
    ("found approved, say removed, gone, found approved", "removed"),
    ("found pending, say approved, gone, say rejected, found approved", "rejected"),
    ("found approved, gone, say approved, found spam", "approved"),
    ("found pending, say approved, gone, say removed, found approved", "removed"),
]


@pytest.mark.parametrize(("history", "stands"), HISTORIES)
def test_a_moderators_word_lasts_and_only_what_is_linked_is_shown(
    store: Storage, history: str, stands: str | None
) -> None:
    for number, step in enumerate(history.split(", ")):
        act, _, status = step.partition(" ")
        if act == "say":
            mention = store.mention_for(KEY)
            assert mention is not None
            assert store.moderate(mention.id, Status(status)) == replace(mention, status=Status(status))
        elif act == "found":
            check(store, str(number), mention=found(Status(status)))
        else:
            check(store, str(number), removed=True)
    kept = store.mention_for(KEY)
    assert (kept and kept.status) == (stands and Status(stands))


EDITS = [
    # what happened to one mention, found with which title, where edits are held, and where it stands then
    ("found A, found A", "approved"),
    ("found A, found B", "pending"),
    ("found A, found B, found B", "pending"),
    ("found A, found B, found A", "pending"),
    ("found A, say approved, found A", "approved"),
    ("found A, say approved, found B", "pending"),
    ("found A, found B, say approved", "approved"),
    ("found A, found B, say approved, found B", "approved"),
    ("found A, found B, say approved, found C", "pending"),
    ("found A, found B, say rejected, found C", "rejected"),
    ("found A, say rejected, found B", "rejected"),
    ("found A, say spam, found B", "spam"),
    ("found A, say removed, found B", "removed"),
    ("found A, gone, found A", "approved"),
    ("found A, gone, found B", "pending"),
    ("found A, say approved, gone, found A", "approved"),
    ("found A, say approved, gone, found B", "pending"),
    ("found A, found B, gone", "removed"),
    ("found A, found B, gone, gone, found B", "pending"),
    ("found A, found B, gone, found B, gone, found A", "pending"),
    ("found A, say approved, found B, gone, found B", "pending"),
    ("found A, found B, gone, say approved, found B", "approved"),
    ("found A, found B, say approved, gone, found B", "approved"),
]


@pytest.mark.parametrize(("history", "stands"), EDITS)
def test_an_edit_is_held_until_a_person_decides(store: Storage, history: str, stands: str) -> None:
    for number, step in enumerate(history.split(", ")):
        act, _, word = step.partition(" ")
        if act == "say":
            [mention] = store.mentions()
            store.moderate(mention.id, Status(word))
        elif act == "found":
            check(store, str(number), mention=found(title=word), holds_edits=True)
        else:
            check(store, str(number), removed=True)
    [kept] = store.mentions()
    assert kept.status is Status(stands)


ANN = Author("Ann", "https://ann.example/", "https://ann.example/photo")


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({"title": "Other"}, True),
        ({"excerpt": "Other words"}, True),
        ({"excerpt": ""}, True),
        ({"author": replace(ANN, name="Bob")}, True),
        ({"author": replace(ANN, url="https://casino.example/")}, True),
        ({"kind": "reply"}, True),
        ({"author": replace(ANN, photo="https://ann.example/photo?v=2")}, False),
        ({"title": "  A\ttitle\u200b "}, False),
        ({"excerpt": "Some\n words"}, False),
        ({"published": NOON}, False),
        ({"final_url": "https://alice.example/moved"}, False),
        ({"protocols": ("pingback",)}, False),
        ({"lost_since": NOON, "missing_since": NOON}, False),
    ],
)
def test_an_edit_is_what_readers_see(store: Storage, changes: dict[str, Any], held: bool) -> None:
    mention = found(title="A title", excerpt="Some words", author=ANN, kind="like")
    check(store, "a", mention=mention, holds_edits=True)
    check(store, "b", mention=replace(mention, **changes), holds_edits=True)
    [kept] = store.mentions()
    assert kept.status is (Status.PENDING if held else Status.APPROVED)
    assert kept.excerpt == changes.get("excerpt", "Some words"), "who decides sees the new words"


def test_nobody_has_decided_of_an_edit() -> None:
    """Django's admin shows it."""
    mention, verdict = found(title="A"), Verdict(key=KEY, page=PAGE, claims=[])
    known = {"id": 1, "decided_status": None, **rows.found(verdict, mention), "decided": True}
    changes = decisions.found(replace(mention, title="B"), SimpleNamespace(**known), holds_edits=True)
    assert (changes["status"], changes["decided"]) == ("pending", False)


def test_an_edit_is_held_that_comes_after_a_person_approved_what_was_read_before(store: Storage) -> None:
    """A moderator takes no turn: he may speak between the look and its record."""
    check(store, "a", mention=found(Status.PENDING, title="A"), holds_edits=True)
    store.add_claim(record("b"), due=NOON)
    job = take(store)
    [before] = store.mentions()
    store.moderate(before.id, Status.APPROVED)
    edit = Verdict(key=KEY, page=PAGE, claims=[answered(record("b"))], mention=found(title="B"), holds_edits=True)
    store.finish_check(job, edit)
    [kept] = store.mentions()
    assert (kept.status, kept.title) == (Status.PENDING, "B")


def test_a_removal_says_when_the_source_was_looked_at(store: Storage) -> None:
    check(store, "a", mention=found())
    check(store, "b", now=NOON + 5 * MINUTE, removed=True)
    kept = store.mention_for(KEY)
    assert kept is not None
    assert kept.checked == NOON + 6 * MINUTE


def test_a_failed_look_changes_no_mention(store: Storage) -> None:
    """protocols.md D-43: 5xx, a timeout or a block keep what is there."""
    check(store, "a", mention=found(title="Kept"))
    before = store.mention_for(KEY)
    check(store, "b")
    assert store.mention_for(KEY) == before


def test_a_removal_needs_no_claim(store: Storage) -> None:
    """A regular look at an old source has nobody who asked for it."""
    check(store, "a", mention=found())
    store.add_claim(record("b", open=False), due=NOON)
    store.finish_check(take(store), Verdict(key=KEY, page=PAGE, claims=[], removed=True))
    kept = store.mention_for(KEY)
    assert kept is not None
    assert (kept.status, kept.checked) == (Status.REMOVED, NOON + MINUTE)


def test_a_removal_of_what_a_person_hid_changes_nothing(store: Storage) -> None:
    check(store, "a", mention=found())
    (mention,) = store.mentions()
    hidden = store.moderate(mention.id, Status.SPAM)
    store.add_claim(record("b", open=False), due=NOON)
    store.finish_check(take(store), Verdict(key=KEY, page=PAGE, claims=[], removed=True))
    assert store.mention(mention.id) == hidden == replace(mention, status=Status.SPAM)


def test_again_postpones_the_job_and_keeps_its_claims_open(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    waiting = replace(record("a"), state=ClaimState.PENDING, reason=Reason.SOURCE_UNREADABLE)
    store.finish_check(take(store), Verdict(key=KEY, page=PAGE, claims=[waiting], again=NOON + 3 * MINUTE))
    assert store.open_claims(KEY) == [waiting]
    assert store.next_due() == NOON + 3 * MINUTE
    assert take(store, NOON + 3 * MINUTE).attempts == 2


def test_no_claim_stays_open_when_its_job_ends(store: Storage) -> None:
    """Nobody would ever look at it again."""
    store.add_claim(record("a"), due=NOON)
    store.finish_check(take(store), Verdict(key=KEY, page=PAGE, claims=[record("a", state=ClaimState.UPDATED)]))
    kept = store.claim("a")
    assert kept is not None
    assert (kept.state, kept.open) == (ClaimState.UPDATED, False)


def test_claims_that_joined_a_check_get_the_answer_to_the_same_question_and_others_wait(store: Storage) -> None:
    first, second = record("a", protocol="pingback"), record("b", protocol="webmention")
    store.add_claim(first, due=NOON)
    store.add_claim(second, due=NOON)
    job = take(store)
    for protocol in ("pingback", "webmention", "trackback"):
        store.add_claim(record(protocol, protocol=protocol), due=NOON)
    known = [answered(first, ClaimState.UNCHANGED), answered(second, ClaimState.FAILED, reason=Reason.TRUNCATED)]
    store.finish_check(job, Verdict(key=KEY, page=PAGE, claims=known))
    joined = [store.claim(protocol) for protocol in ("pingback", "webmention", "trackback")]
    assert [(claim.state, claim.reason, claim.checked) for claim in joined if claim] == [
        (ClaimState.UNCHANGED, None, NOON + MINUTE),
        (ClaimState.FAILED, Reason.TRUNCATED, NOON + MINUTE),
        (ClaimState.QUEUED, None, None),
    ]
    assert [claim.id for claim in store.open_claims(KEY)] == ["trackback"]
    assert take(store).subject == KEY


def test_another_ping_url_is_another_question(store: Storage) -> None:
    """A link to one proves nothing of the other (protocols.md C-63)."""
    first = replace(record("a"), claim=replace(record("a").claim, endpoint="https://bob.example/tb/1"))
    store.add_claim(first, due=NOON)
    job = take(store)
    store.add_claim(record("b"), due=NOON)
    store.finish_check(job, Verdict(key=KEY, page=PAGE, claims=[answered(first)], mention=found()))
    assert [claim.id for claim in store.open_claims(KEY)] == ["b"]
    assert store.next_due() == NOON


def test_a_claim_that_joined_a_check_without_claims_keeps_the_job_due(store: Storage) -> None:
    store.add_claim(record("old", open=False), due=NOON)
    job = take(store)
    store.add_claim(record("new"), due=NOON)
    store.finish_check(job, Verdict(key=KEY, page=PAGE, claims=[], mention=found()))
    assert [claim.id for claim in store.open_claims(KEY)] == ["new"]
    assert take(store).attempts == 1, "the first look had its answer"


def test_a_late_worker_records_its_verdict_and_leaves_the_others_job(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    slow = take(store)
    quick = take(store, NOON + MINUTE)
    verdict = Verdict(key=KEY, page=PAGE, claims=[answered(record("a"))], mention=found())
    store.finish_check(slow, verdict)
    assert store.next_due() == NOON + 2 * MINUTE
    assert store.mention_for(KEY) is not None
    assert store.open_claims(KEY) == []
    store.finish_check(quick, verdict)
    assert len(store.mentions()) == 1
    assert store.next_due() is None


def test_a_late_worker_that_wants_another_look_leaves_the_claim_to_the_jobs_holder(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    slow = take(store)
    take(store, NOON + MINUTE)
    waiting = record("a", state=ClaimState.PENDING, reason=Reason.SOURCE_UNREADABLE)
    store.finish_check(slow, Verdict(key=KEY, page=PAGE, claims=[waiting], again=NOON + 9 * MINUTE))
    assert store.open_claims(KEY) == [waiting]
    assert store.next_due() == NOON + 2 * MINUTE


@pytest.mark.parametrize("late", [{"mention": found(title="Old")}, {"removed": True}, {}])
def test_a_late_worker_does_not_undo_what_was_found_since(store: Storage, late: dict[str, Any]) -> None:
    store.add_claim(record("a"), due=NOON)
    slow = take(store)
    quick = take(store, NOON + MINUTE)
    newer = found(title="New", checked=NOON + 2 * MINUTE)
    store.finish_check(quick, Verdict(key=KEY, page=PAGE, claims=[answered(record("a"))], mention=newer))
    before = store.claim("a"), store.mention_for(KEY)
    failed = answered(record("a"), ClaimState.FAILED)
    store.finish_check(slow, Verdict(key=KEY, page=PAGE, claims=[failed], again=NOON, **late))
    assert (store.claim("a"), store.mention_for(KEY)) == before
    assert store.next_due() is None


def test_a_late_worker_that_looked_last_is_believed(store: Storage) -> None:
    store.add_claim(record("a"), due=NOON)
    slow = take(store)
    quick = take(store, NOON + MINUTE)
    store.finish_check(quick, Verdict(key=KEY, page=PAGE, claims=[answered(record("a"))], mention=found()))
    newest = found(title="Newest", checked=NOON + 9 * MINUTE)
    store.finish_check(slow, Verdict(key=KEY, page=PAGE, claims=[], mention=newest))
    kept = store.mention_for(KEY)
    assert kept is not None
    assert kept.title == "Newest"


# mentions


def test_mentions_are_listed_by_site_page_and_status_in_the_order_received(store: Storage) -> None:
    other_page, other_site = PAGE + "/2", "https://carol.example"
    for name, site, page, status, minutes in [
        ("1", SITE, PAGE, Status.APPROVED, 2),
        ("2", SITE, PAGE, Status.SPAM, 1),
        ("3", SITE, other_page, Status.APPROVED, 3),
        ("4", other_site, PAGE, Status.PENDING, 4),
    ]:
        claim = replace(record(name), key=name * 64, page=page)
        store.add_claim(claim, due=NOON)
        mention = replace(found(status, received=NOON + minutes * MINUTE), site=site, target=page, title=name)
        store.finish_check(take(store), Verdict(key=name * 64, page=page, claims=[answered(claim)], mention=mention))
    ours = urls.page_key(SITE, PAGE)

    def names(**choice: Any) -> str:
        return "".join(mention.title for mention in store.mentions(**choice))

    assert names() == "2134"
    assert names(site=SITE) == "213"
    assert names(pages=[ours]) == "21"
    assert names(pages=[ours, urls.page_key(SITE, other_page)], statuses=[Status.APPROVED]) == "13"
    assert names(statuses={Status.SPAM, Status.PENDING}) == "24"
    assert names(site=other_site, pages=[ours]) == ""
    assert names(pages=[]) == names(statuses=[]) == ""


def test_pages_are_asked_for_by_their_keys(store: Storage) -> None:
    """A URL would silently find nothing."""
    with pytest.raises(StoreError, match="page_key"):
        store.mentions(site=SITE, pages=[PAGE])


@pytest.mark.parametrize("id", ["7", "07", "-1", "", "a", "１", "9" * 10, "9" * 5000, "1;"])
def test_an_id_that_is_nobodys_finds_nothing(store: Storage, id: str) -> None:
    assert store.mention(id) is None
    assert store.moderate(id, Status.APPROVED) is None
    assert store.delivery(id) is None
    assert not post(store, Job(7, JobKind.DELIVER, id, 1), replace(OWED, id=id)).granted


# deliveries

OWED = Delivery(source=PAGE, target="https://carol.example/x")
WM, TB = "https://carol.example/wm", "https://carol.example/tb"
UPDATES = frozenset({"webmention"})
_versions = itertools.count()


def edited(*targets: str, **more: Any) -> Edit:
    """A version of the post that was not told before."""
    values = {"site": SITE, "source": PAGE, "targets": targets, "now": NOON, "updates": UPDATES}
    return Edit(**{**values, "content": str(next(_versions)), **more})


def owe(store: Storage, *targets: str, **more: Any) -> list[Delivery]:
    return store.record_edit(edited(*(targets or (OWED.target,)), **more))


def post(store: Storage, job: Job, owed: Delivery, endpoint: str = WM, **more: Any) -> Turn:
    values = {"now": NOON, "until": NOON + 9 * MINUTE, "gap": timedelta(0), **more}
    return store.begin_post(job, owed, "trackback" if endpoint == TB else "webmention", endpoint, **values)


def test_a_delivery_is_owed_once_with_one_job(store: Storage) -> None:
    (first,) = owe(store)
    assert first == replace(OWED, id=first.id)
    assert [each.owed for each in store.deliveries()] == [NOON]
    (second,) = owe(store, OWED.target, "https://carol.example/y", "https://carol.example/y")
    assert second.target == "https://carol.example/y"
    assert store.delivery(first.id) == first
    assert store.deliveries() == [first, second]
    jobs = store.lease(NOON, NOON + MINUTE, limit=9)
    assert [(job.kind, job.subject) for job in jobs] == [(JobKind.DELIVER, first.id), (JobKind.DELIVER, second.id)]


def test_targets_are_told_apart_as_written_and_by_site(store: Storage) -> None:
    targets = [OWED.target, OWED.target + "#one", OWED.target + "#two", OWED.target + "/", OWED.target.upper()]
    assert [delivery.target for delivery in owe(store, *targets)] == targets
    assert len(owe(store, site="https://dan.example")) == 1


def test_deliveries_are_listed_by_site_and_source(store: Storage) -> None:
    owe(store)
    owe(store, source=SOURCE)
    owe(store, site="https://dan.example")
    assert [d.source for d in store.deliveries(site=SITE)] == [PAGE, SOURCE]
    assert len(store.deliveries(source=PAGE)) == 2
    assert len(store.deliveries(site=SITE, source=PAGE)) == 1
    assert store.deliveries(source=PAGE + "#") == []


def test_more_deliveries_than_one_statement_takes(store: Storage) -> None:
    many = [f"https://c.example/{number}" for number in range(1100)]
    assert len(owe(store, *many)) == 1100
    assert owe(store, *many) == []


def test_a_delivery_that_ended_is_recorded_whole(store: Storage) -> None:
    (owed,) = owe(store)
    ended = replace(
        owed,
        protocol="webmention",
        endpoint=WM,
        outcome=Outcome.ACCEPTED,
        code=201,
        detail="Created",
        status_url="https://carol.example/status/1",
        attempts=1,
        again=2,
    )
    store.finish_delivery(take(store), ended)
    assert store.delivery(owed.id) == replace(ended, told="webmention")
    assert store.next_due() is None


def test_a_delivery_to_try_again_keeps_its_job(store: Storage) -> None:
    (owed,) = owe(store)
    store.finish_delivery(take(store), replace(owed, outcome=Outcome.FAILED), again=NOON + 4 * MINUTE)
    assert store.next_due() == NOON + 4 * MINUTE
    assert take(store, NOON + 4 * MINUTE).attempts == 2


def test_a_delivery_is_in_flight_from_its_post_to_its_end(store: Storage) -> None:
    """protocols.md B-11: a crash after the POST can be told from one before it, whatever was known before."""
    (owed,) = owe(store)
    failed = replace(owed, outcome=Outcome.FAILED, code=503, detail="busy", status_url="https://carol.example/1")
    store.finish_delivery(take(store), failed, again=NOON)
    job = take(store)
    assert post(store, job, owed, TB).granted
    begun = replace(owed, protocol="trackback", endpoint=TB, outcome=Outcome.UNKNOWN)
    assert store.delivery(owed.id) == replace(begun, detail="its sending was begun")
    store.finish_delivery(job, replace(begun, outcome=Outcome.SENT))
    assert store.delivery(owed.id) == replace(begun, outcome=Outcome.SENT, told="trackback")


def test_a_post_holds_its_job_anew(store: Storage) -> None:
    """Reading target and source may have taken most of the lease."""
    (owed,) = owe(store)
    job = take(store)
    assert post(store, job, owed, until=NOON + 3 * MINUTE).granted
    assert store.lease(NOON + 2 * MINUTE, NOON + 9 * MINUTE) == []
    assert store.next_due() == NOON + 3 * MINUTE


def test_a_late_worker_may_not_post_what_another_holds(store: Storage) -> None:
    """Else the receiver would get it twice."""
    (owed,) = owe(store)
    slow = take(store)
    quick = take(store, NOON + MINUTE)
    assert post(store, slow, owed) == Turn(False)
    assert store.delivery(owed.id) == owed
    assert store.next_due() == NOON + 2 * MINUTE
    assert post(store, quick, owed).granted


def test_a_delivery_that_is_gone_has_no_post(store: Storage) -> None:
    owe(store)
    assert post(store, take(store), replace(OWED, id="77")) == Turn(False, NOON)


@pytest.mark.parametrize(
    ("known", "late", "kept"),
    [
        (Outcome.QUEUED, Outcome.FAILED, Outcome.FAILED),
        (Outcome.REFUSED, Outcome.FAILED, Outcome.REFUSED),
        (Outcome.REFUSED, Outcome.ACCEPTED, Outcome.ACCEPTED),
        (Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.ACCEPTED),
        (Outcome.UNKNOWN, Outcome.FAILED, Outcome.UNKNOWN),
        (Outcome.UNKNOWN, Outcome.SENT, Outcome.SENT),
    ],
)
def test_a_late_worker_fills_a_gap_or_brings_good_news(
    store: Storage, known: Outcome, late: Outcome, kept: Outcome
) -> None:
    (owed,) = owe(store)
    slow = take(store)
    quick = take(store, NOON + MINUTE)
    if known is not Outcome.QUEUED:
        store.finish_delivery(quick, replace(owed, outcome=known), again=NOON + 9 * MINUTE)
    due = store.next_due()
    store.finish_delivery(slow, replace(owed, outcome=late))
    now = store.delivery(owed.id)
    assert now is not None
    assert now.outcome is kept, "one that is unknown may be on its way by another worker"
    assert store.next_due() == due


def test_a_late_worker_with_a_delivery_that_is_gone_does_no_harm(store: Storage) -> None:
    store.finish_delivery(Job(9, JobKind.DELIVER, "9", 1), OWED)
    assert store.deliveries() == []


# edits


def told(store: Storage, *targets: str) -> list[Delivery]:
    """A post all of whose links were told by webmention."""
    for owed in owe(store, *targets):
        ended = replace(owed, outcome=Outcome.SENT, protocol="webmention", endpoint=WM, attempts=1)
        store.finish_delivery(take(store), ended)
    return store.deliveries()


def test_a_post_that_says_the_same_owes_nothing_unless_it_must(store: Storage) -> None:
    told(store)
    again = edited(OWED.target)
    assert [owed.cause for owed in store.record_edit(again)] == [Cause.UPDATE]
    assert store.record_edit(again) == []
    take(store)
    assert [owed.cause for owed in store.record_edit(replace(again, force=True))] == []
    assert [owed.cause for owed in store.record_edit(replace(again, gone=True))] == [Cause.DELETED]
    assert [owed.cause for owed in store.record_edit(again)] == [Cause.UPDATE], "it is back"


def test_a_delivery_that_is_owed_again_has_a_new_job_and_keeps_its_place(store: Storage) -> None:
    (before,) = told(store)
    (owed,) = owe(store, now=NOON + MINUTE)
    assert (owed.id, owed.revision, owed.told, owed.outcome) == (before.id, 2, "webmention", Outcome.QUEUED)
    assert store.deliveries() == [owed]
    assert store.next_due() == NOON + MINUTE
    assert take(store, NOON + MINUTE).attempts == 1


def test_a_dry_edit_says_what_it_would_owe_and_records_nothing(store: Storage) -> None:
    dry = edited(OWED.target, dry=True)
    assert store.record_edit(dry) == [OWED]
    assert store.deliveries() == []
    assert store.next_due() is None
    assert len(store.record_edit(replace(dry, dry=False))) == 1


def test_a_delivery_waits_for_the_post_to_come_out_whenever_that_is_put(store: Storage) -> None:
    edit = edited(OWED.target, at=NOON + 60 * MINUTE)
    store.record_edit(edit)
    for minutes in (60, 90, 30):
        store.record_edit(replace(edit, at=NOON + minutes * MINUTE))
        assert store.next_due() == NOON + minutes * MINUTE


def test_what_was_not_sent_yet_ends_with_its_link(store: Storage) -> None:
    owe(store)
    (gone,) = owe(store, "https://dan.example/")[1:]
    assert (gone.target, gone.outcome) == (OWED.target, Outcome.WITHDRAWN)
    job = take(store)
    store.end(job)
    assert take(store).subject != job.subject


@pytest.mark.parametrize("revived", [True, False])
def test_a_job_does_not_end_under_a_delivery_that_was_owed_anew(store: Storage, revived: bool) -> None:
    (owed,) = owe(store)
    owe(store, "https://dan.example/")
    job = next(job for job in store.lease(NOON, NOON + MINUTE, limit=9) if job.subject == owed.id)
    if revived:
        owe(store, OWED.target, "https://dan.example/", now=NOON + MINUTE / 2)
    store.end(job)
    left = [job.subject for job in store.lease(NOON + MINUTE / 2, NOON + MINUTE, limit=9)]
    assert left == ([owed.id] if revived else [])


def test_an_edit_before_the_post_stops_it(store: Storage) -> None:
    """It would tell of the post as it was."""
    (before,) = told(store)
    owe(store)
    owed = store.delivery(before.id)
    assert owed is not None
    job = take(store)
    owe(store, "https://dan.example/", now=NOON + MINUTE / 4)
    assert post(store, job, owed, now=NOON + MINUTE / 2) == Turn(False, NOON + MINUTE / 4)
    now = store.delivery(before.id)
    assert now is not None
    assert (now.cause, now.outcome) == (Cause.REMOVED, Outcome.QUEUED)


@pytest.mark.parametrize(
    ("linked", "ended", "cause", "outcome", "heard"),
    [
        (True, Outcome.ACCEPTED, Cause.UPDATE, Outcome.QUEUED, "webmention"),
        (True, Outcome.REFUSED, Cause.NEW, Outcome.QUEUED, ""),
        (True, Outcome.UNKNOWN, Cause.UPDATE, Outcome.UNKNOWN, "webmention"),
        (False, Outcome.ACCEPTED, Cause.REMOVED, Outcome.QUEUED, "webmention"),
        (False, Outcome.REFUSED, Cause.REMOVED, Outcome.WITHDRAWN, ""),
        (False, Outcome.UNKNOWN, Cause.REMOVED, Outcome.UNKNOWN, "webmention"),
    ],
)
def test_an_edit_while_the_post_is_in_flight_is_told_after_it(
    store: Storage, linked: bool, ended: Outcome, cause: Cause, outcome: Outcome, heard: str
) -> None:
    """The receiver may have looked too early."""
    (owed,) = owe(store)
    job = take(store)
    assert post(store, job, owed).granted
    later = NOON + MINUTE / 2
    owe(store, *([OWED.target] if linked else ["https://dan.example/"]), now=later)
    store.finish_delivery(job, replace(owed, outcome=ended, protocol="webmention", endpoint=WM))
    now = store.delivery(owed.id)
    assert now is not None
    assert (now.cause, now.outcome, now.told) == (cause, outcome, heard)
    left = {job.subject: job for job in store.lease(later, later + MINUTE, limit=9)}
    assert left[owed.id].attempts == 1, "what begins anew has all its tries before it"


def test_a_deletion_that_could_not_be_told_is_told_by_asking_again(store: Storage) -> None:
    (before,) = told(store)
    owe(store, gone=True)
    failed = replace(before, revision=2, cause=Cause.DELETED, outcome=Outcome.FAILED)
    store.finish_delivery(take(store), failed)
    assert [owed.cause for owed in owe(store, gone=True)] == [Cause.DELETED]


def forget_posts(store: Storage) -> None:
    """As in a database that is older than they are."""
    with typing.cast("typing.Any", store)._database.write() as connection:
        if isinstance(store, SqlStore):
            connection.execute(sqlalchemy.text("DELETE FROM linkback_posts"))
        else:
            from linkback.adapters.django.models import Post

            Post.objects.using(connection).all().delete()


def test_a_post_that_was_told_before_posts_were_recorded_tells_its_new_links(store: Storage) -> None:
    """An upgrade must not send the whole archive anew."""
    told(store)
    forget_posts(store)
    assert [owed.target for owed in owe(store, OWED.target, "https://dan.example/")] == ["https://dan.example/"]
    assert [owed.target for owed in owe(store, OWED.target)] != []


HOUR = 60 * MINUTE


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("first", "then"), [(24 * HOUR, None), (24 * HOUR, HOUR), (HOUR, 24 * HOUR), (None, HOUR)])
def test_a_post_comes_out_when_it_was_last_said_to(
    store: Storage, first: timedelta | None, then: timedelta | None, same: bool
) -> None:
    edit = edited(OWED.target, at=NOON + first if first else None)
    store.record_edit(edit)
    later = replace(edit, at=NOON + then if then else None, content=edit.content if same else "another")
    store.record_edit(later)
    assert store.next_due() == NOON + (then or timedelta(0))


def test_a_link_that_went_and_came_back_waits_for_its_post(store: Storage) -> None:
    owe(store, at=NOON + HOUR)
    owe(store, "https://dan.example/", at=NOON + HOUR)
    owe(store, at=NOON + 24 * HOUR)
    due = {store.delivery(job.subject): job for job in store.lease(NOON + 23 * HOUR, NOON + 99 * HOUR, limit=9)}
    assert OWED.target not in [delivery.target for delivery in due if delivery]


def test_a_delivery_in_somebodys_hands_waits_for_its_post_all_the_same(store: Storage) -> None:
    edit = edited(OWED.target)
    (owed,) = store.record_edit(edit)
    job = take(store)
    store.record_edit(replace(edit, at=NOON + HOUR))
    assert post(store, job, owed) == Turn(False, NOON + HOUR)


def test_a_turn_that_comes_later_leaves_the_delivery_as_it_was_read(store: Storage) -> None:
    """protocols.md B-9: one language had its answer, and the next must wait for its host."""
    (owed,) = owe(store)
    job = take(store)
    assert post(store, job, owed).granted
    store.postpone(job, owed, due=NOON + MINUTE)
    assert store.delivery(owed.id) == owed
    assert take(store, NOON + MINUTE).attempts == 1
    other = two_jobs(store)
    assert post(store, *other[0]).granted, "its host was let go"


def test_a_late_worker_does_not_let_go_what_another_holds(store: Storage) -> None:
    """Its host would get two POSTs at once."""
    (owed,) = owe(store)
    slow = take(store)
    assert post(store, slow, owed, until=NOON + MINUTE).granted
    quick = take(store, NOON + MINUTE)
    assert post(store, quick, owed, now=NOON + MINUTE).granted
    store.finish_delivery(slow, replace(owed, outcome=Outcome.FAILED, endpoint=WM))
    assert store.ask_turn(WM, now=NOON + MINUTE, gap=SECOND) is not None


def test_a_rest_gives_no_slot_twice(store: Storage) -> None:
    owe(store, *(f"https://carol.example/{number}" for number in range(9)), gap=SECOND)
    job = take(store)
    owed = store.delivery(job.subject)
    assert owed is not None
    post(store, job, owed)
    ended = replace(owed, outcome=Outcome.FAILED, endpoint=WM)
    store.finish_delivery(job, ended, again=NOON + MINUTE, rest=NOON + 3 * SECOND)
    owe(store, "https://carol.example/late", source=SOURCE, gap=SECOND)
    assert store.lease(NOON + 8 * SECOND, NOON + MINUTE, limit=9) != []
    assert store.next_due() == NOON + 9 * SECOND


def test_a_clock_that_was_ahead_blocks_no_host(store: Storage) -> None:
    """security.md R15."""
    (one, first), (other, second) = two_jobs(store)
    wrong = NOON + timedelta(days=365)
    assert post(store, one, first, now=wrong, until=wrong + MINUTE).granted
    assert post(store, other, second, gap=SECOND).granted
    (owed,) = owe(store, "https://carol.example/more", gap=SECOND)[:1]
    assert owed.outcome is Outcome.QUEUED
    assert store.next_due() == NOON


def test_after_the_clock_was_set_back_nothing_waits_for_times_of_the_wrong_one(store: Storage) -> None:
    """security.md R15. Looks at old mentions are spread over a month, and a post keeps its date."""
    wrong = NOON + timedelta(days=3650)
    pairs = [f"{number:064}" for number in range(40)]
    for number, key in enumerate(pairs):
        later = timedelta(days=30) if number else MINUTE
        store.add_claim(replace(record(f"c{number}"), key=key), due=wrong + later)
    owe(store, at=wrong + timedelta(hours=1))
    owe(store, "https://dan.example/", at=wrong + timedelta(days=90))
    [held] = store.lease(wrong + 5 * MINUTE, wrong + 7 * MINUTE)
    store.set_back(wrong + 5 * MINUTE, NOON)
    [again, post] = store.lease(NOON, NOON + MINUTE, limit=9)
    assert (again.id, again.abandoned, post.kind) == (held.id, True, JobKind.DELIVER)
    dues = [due - NOON for _, due in store.due(NOON + timedelta(days=32), limit=99)][2:]
    assert len(dues) == 39
    assert min(dues) >= timedelta(days=2)
    assert len(set(dues)) == 30
    store.set_back(NOON + MINUTE, NOON)
    last = store.due(wrong + timedelta(days=365), limit=99)[-1][1]
    assert last == wrong + timedelta(days=90)


def test_what_is_not_laid_aside_cannot_be_revived(store: Storage) -> None:
    """And stays as it is."""
    (owed,) = owe(store)
    job = take(store)
    store.finish_delivery(job, replace(owed, outcome=Outcome.FAILED, attempts=1))
    assert not store.revive(job, due=NOON)
    assert store.delivery(owed.id) == replace(owed, outcome=Outcome.FAILED, attempts=1)


def test_a_claim_of_a_pair_that_was_laid_aside_is_refused_for_now(store: Storage) -> None:
    """It would wait for a person without a word."""
    store.add_claim(record("a"), due=NOON)
    store.release(take(store), due=None)
    with pytest.raises(Refused) as caught:
        store.add_claim(record("b"), due=NOON)
    assert (caught.value.reason, caught.value.retry_after) == (Reason.UNAVAILABLE, 3600)
    assert store.claim("b") is None
    assert [job.subject for job in store.parked()] == [KEY]


def test_a_post_that_was_given_up_is_not_told_because_its_time_moved(store: Storage) -> None:
    edit = edited(OWED.target)
    (owed,) = store.record_edit(edit)
    store.finish_delivery(take(store), replace(owed, outcome=Outcome.FAILED))
    assert store.record_edit(replace(edit, at=NOON + HOUR)) == []
    assert store.next_due() is None


def test_a_hosts_sources_are_read_one_after_the_other(store: Storage) -> None:
    """A host that answers slowly holds one worker, not all."""
    other = urls.pair_key(SITE, SOURCE + "/2", PAGE)
    store.add_claim(record("a"), due=NOON)
    store.add_claim(replace(record("b"), key=other), due=NOON)
    one, two = store.lease(NOON, NOON + 9 * MINUTE, limit=2)
    until = NOON + MINUTE
    assert store.begin_read(one, SOURCE, now=NOON, until=until).granted
    assert not store.begin_read(two, SOURCE, now=NOON, until=until).granted
    assert store.begin_read(two, "https://elsewhere.example/", now=NOON, until=until).granted
    store.release(one, due=NOON)
    assert store.begin_read(two, SOURCE, now=NOON, until=until).granted


def test_a_check_begins_with_what_waits_and_the_turn_of_its_source(store: Storage) -> None:
    other = urls.pair_key(SITE, SOURCE + "/2", PAGE)
    waiting = replace(record("b"), key=other)
    store.add_claim(record("a"), due=NOON)
    store.add_claim(waiting, due=NOON)
    one, two = store.lease(NOON, NOON + 9 * MINUTE, limit=2)
    until = NOON + MINUTE
    assert store.begin_check(one, now=NOON, until=until) == ([record("a")], Turn(True))
    found, turn = store.begin_check(two, now=NOON, until=until)
    assert (found, turn.granted) == ([waiting], False)
    assert turn.due is not None
    assert turn.due > NOON
    assert store.begin_check(replace(one, subject="0" * 64), now=NOON, until=until) == ([], Turn(False))
    assert store.pair(other) == ([waiting], None)


# how much is read from a host

SECOND = timedelta(seconds=1)
#: three at once, then one each minute; a new claim waits for three more of those
PACE = Pace(MINUTE, 3, 3 * MINUTE)


def first(number: int, url: str = SOURCE, **more: Any) -> ClaimRecord:
    """A claim of a pair of its own."""
    claim = replace(record(str(number)).claim, source=f"{url}/{number}")
    return replace(record(f"id{number}", **more), key=f"{number:064}", claim=claim)


def jobs_of(store: Storage, number: int) -> list[Job]:
    """So many checks, leased."""
    for each in range(number):
        store.add_claim(first(each), due=NOON)
    return store.lease(NOON, NOON + timedelta(days=9), limit=number)


def reads(store: Storage, job: Job, url: str = SOURCE, *, now: datetime = NOON, pace: Pace = PACE) -> Turn:
    """The turn of a job at a host; one that is had is over at once."""
    turn = store.begin_read(job, url, now=now, until=now + MINUTE, pace=pace)
    if turn.granted:
        store.release(job, due=now + timedelta(days=1), counted=False)
    return turn


def test_a_host_is_read_by_its_pace_and_each_that_must_wait_has_a_slot_of_its_own(store: Storage) -> None:
    jobs = jobs_of(store, 6)
    turns = [reads(store, job) for job in jobs]
    assert [turn.granted for turn in turns] == [True] * 3 + [False] * 3
    dues = [turn.due for turn in turns[3:] if turn.due is not None]
    assert dues == [NOON + number * MINUTE + 5 * SECOND for number in (1, 2, 3)]
    for job, due in zip(jobs[3:], dues, strict=True):
        assert reads(store, job, now=due).granted, "and there he has his turn"


def test_whatever_is_below_one_registrable_domain_is_one_host(store: Storage) -> None:
    jobs = jobs_of(store, 4)
    names = (
        "http://x.victim.example:8080/a",
        "https://y.victim.example/?b",
        "https://victim.example./",
        "https://z.victim.example/",
    )
    assert [reads(store, job, url).granted for job, url in zip(jobs, names, strict=True)] == [True] * 3 + [False]
    others = ("https://alice.github.io/", "https://bob.github.io/", "http://192.0.2.7/", "http://192.0.2.8/")
    pace = replace(PACE, burst=1)
    assert all(reads(store, job, url, pace=pace).granted for job, url in zip(jobs, others, strict=True))
    assert not any(reads(store, job, url, pace=pace).granted for job, url in zip(jobs, others, strict=True))


def test_a_check_counts_as_a_read_by_the_pace_of_its_source(store: Storage) -> None:
    asked: list[str] = []

    def pace(source: str) -> Pace:
        asked.append(source)
        return PACE

    granted = []
    for job in jobs_of(store, 4):
        _, turn = store.begin_check(job, now=NOON, until=NOON + MINUTE, pace=pace)
        granted.append(turn.granted)
        store.release(job, due=NOON + MINUTE, counted=False)
    assert granted == [True] * 3 + [False]
    assert asked == [f"{SOURCE}/{number}" for number in range(4)]


def test_a_host_without_a_pace_is_read_one_page_at_a_time_and_not_counted(store: Storage) -> None:
    """And those who wait for the end of that come back one after the other."""
    one, *others = jobs_of(store, 4)
    for _ in range(5):
        assert reads(store, one, pace=UNPACED).granted
    [one] = store.lease(NOON + timedelta(days=1), NOON + timedelta(days=9))
    assert store.begin_read(one, SOURCE, now=NOON, until=NOON + MINUTE).granted
    dues = [store.begin_read(job, SOURCE, now=NOON, until=NOON + MINUTE).due for job in others]
    assert dues == [NOON + number * SECOND / 10 for number in (1, 2, 3)]
    store.release(one, due=None)
    assert [reads(store, job).granted for job in others] == [True] * 3


def test_who_finds_a_page_being_read_has_his_slot_still(store: Storage) -> None:
    one, two, three = jobs_of(store, 3)
    assert store.begin_read(one, SOURCE, now=NOON, until=NOON + MINUTE, pace=PACE).granted
    for _ in range(9):
        assert not reads(store, two).granted
    store.release(one, due=None)
    assert [reads(store, job).granted for job in (two, three)] == [True] * 2


def test_a_page_that_a_redirect_led_to_counts_for_its_host(store: Storage) -> None:
    """Also where nobody has heard of that host, and beyond what it may be read."""
    one, two, *_ = jobs_of(store, 2)
    for url in ("http://www.alice.example/", "https://alice.example:8080/"):
        store.count_read(url, now=NOON, pace=PACE)
    assert [reads(store, job).granted for job in (one, two)] == [True, False]
    for _ in range(3):
        store.count_read(SOURCE, now=NOON, pace=PACE)
    assert reads(store, two).due == NOON + 4 * MINUTE + 5 * SECOND
    for _ in range(9):
        store.count_read("https://elsewhere.example/", now=NOON, pace=UNPACED)
    assert reads(store, two, "https://elsewhere.example/").granted


@pytest.mark.parametrize("way", ["add_first", "add_claim"])
def test_a_claim_that_would_wait_for_too_long_is_refused_and_leaves_nothing(store: Storage, way: str) -> None:
    """Three are due at once, and the sixth in three minutes at the latest; another host has room."""

    def add(number: int, url: str = SOURCE, *, now: datetime = NOON) -> None:
        given = first(number, url, received=now)
        if way == "add_claim" or not store.add_first(given, due=now, pace=PACE):
            store.add_claim(given, due=now, pace=PACE)

    for number in range(5):
        add(number)
    for number in (5, 6):
        with pytest.raises(Refused) as caught:
            add(number)
        assert (caught.value.reason, caught.value.retry_after) == (Reason.TOO_OFTEN, 5)
        assert store.claim(f"id{number}") is None
    add(7, "https://elsewhere.example")
    add(5, now=NOON + 5 * SECOND)
    assert [due - NOON for _, due in store.due(NOON + 9 * MINUTE, limit=9)] == [
        *[timedelta(0)] * 4,
        *(number * MINUTE + 5 * SECOND for number in (1, 2, 3)),
    ]


def test_what_was_accepted_is_put_off_for_as_long_as_it_takes(store: Storage) -> None:
    jobs = jobs_of(store, 9)
    dues = [reads(store, job).due for job in jobs][3:]
    assert dues[-1] == NOON + 6 * MINUTE + 5 * SECOND
    with pytest.raises(Refused):
        store.add_claim(first(99), due=NOON, pace=PACE)


def test_a_claim_for_a_pair_that_is_known_is_refused_too_and_its_job_is_left(store: Storage) -> None:
    for job in jobs_of(store, 9):
        reads(store, job)
    before = store.due(NOON + timedelta(days=9), limit=99)
    with pytest.raises(Refused, match=r"too many sources on alice\.example wait"):
        store.add_claim(
            replace(first(1), id="again", claim=replace(first(1).claim, title="again")), due=NOON, pace=PACE
        )
    assert [claim.id for claim in store.open_claims(first(1).key)] == ["id1"]
    assert store.due(NOON + timedelta(days=9), limit=99) == before


def test_turns_that_are_not_needed_are_had_by_others(store: Storage) -> None:
    """As many as are spared, and none that was paid for already."""
    assert isinstance(store, Gathering)
    store.spare_reads(SOURCE, 9, now=NOON, pace=PACE)
    jobs = jobs_of(store, 4)
    assert [reads(store, job).granted for job in jobs] == [True] * 3 + [False]
    wide = replace(PACE, longest=timedelta(days=1))
    for number in range(10, 20):
        store.add_claim(first(number), due=NOON, pace=wide)
    with pytest.raises(Refused):
        store.add_claim(first(20), due=NOON, pace=PACE)
    store.spare_reads(SOURCE, 10, now=NOON, pace=PACE)
    store.add_claim(first(21), due=NOON, pace=PACE)
    store.spare_reads(SOURCE, 99, now=NOON, pace=PACE)
    assert not reads(store, jobs[3]).granted


def test_a_clock_that_was_ahead_locks_no_host_that_is_read(store: Storage) -> None:
    """security.md R15. For a day, where nobody was told that it was set back."""
    jobs = jobs_of(store, 8)
    wrong = NOON + timedelta(days=365)
    assert reads(store, jobs[0], now=wrong).granted
    assert reads(store, jobs[1]).granted
    wrong = NOON + timedelta(hours=40)
    assert [reads(store, job, now=wrong).granted for job in jobs[2:6]] == [True] * 3 + [False]
    assert not reads(store, jobs[6]).granted
    store.set_back(wrong, NOON)
    store.add_claim(first(99), due=NOON, pace=PACE)
    [job] = store.lease(NOON, NOON + MINUTE, id=max(id for id, _ in store.due(NOON, limit=99)))
    assert reads(store, job).granted


# turns at a host


# checks of one source


def waiting(store: Storage, *pages: str, source: str = SOURCE, site: str = SITE, **more: Any) -> list[ClaimRecord]:
    """Claims of one source for some pages, each with its job."""
    kept = [
        ClaimRecord(
            id=f"{site}{page}{source}",
            site=site,
            key=urls.pair_key(site, source, f"{site}/{page}"),
            page=f"{site}/{page}",
            claim=Claim("webmention", source, f"{site}/{page}"),
            received=NOON,
            **more,
        )
        for page in pages
    ]
    for each in kept:
        store.add_claim(each, due=NOON)
    return kept


def siblings(store: Storage, record: ClaimRecord, now: datetime = NOON) -> list[Sibling]:
    assert isinstance(store, Gathering)
    found, after = store.siblings(record, now=now)
    assert after is None
    return found


def test_the_checks_of_a_source_are_found_by_one_of_its_claims(store: Storage) -> None:
    one, two, three = waiting(store, "1", "2", "3")
    [spelled] = waiting(store, "4", source="HTTPS://alice.example:443/%61#top")
    waiting(store, "5", source=SOURCE + "/other")
    waiting(store, "6", site="https://carol.example")
    again = replace(three, id="again", claim=replace(three.claim, target=three.page + "#c"))
    store.add_claim(again, due=NOON)
    # due or not
    store.release(*store.lease(NOON, NOON + MINUTE, id=None, limit=2), due=NOON + 60 * MINUTE, counted=False)
    found = siblings(store, one)
    assert [(each.job.subject, each.claims) for each in sorted(found, key=lambda each: each.claims[0].page)] == [
        (two.key, [two]),
        (three.key, [three, again]),
        (spelled.key, [spelled]),
    ]
    # as a lease makes them; the second had one
    assert sorted((each.job.attempts, each.job.lease, each.job.site) for each in found) == [
        (1, 1, SITE),
        (1, 1, SITE),
        (1, 2, SITE),
    ]


def test_only_checks_that_wait_and_that_nobody_has_are_found(store: Storage) -> None:
    one, two, three, four, _ = waiting(store, "1", "2", "3", "4", "5")
    jobs = {job.subject: job for job in store.lease(NOON, NOON + MINUTE, limit=9)}
    store.finish_check(jobs[two.key], Verdict(key=two.key, page=two.page, claims=[answered(two)]))
    store.release(jobs[three.key], due=None)
    store.release(jobs[four.key], due=NOON)
    assert [each.claims for each in siblings(store, one)] == [[four]]
    later = siblings(store, one, NOON + MINUTE)
    assert [(each.job.abandoned, each.job.attempts) for each in later] == [(False, 2), (True, 2)]


def test_the_checks_of_a_source_are_found_in_parts(store: Storage) -> None:
    assert isinstance(store, Gathering)
    one, *others = waiting(store, *"1234567")
    found, asked = list[str](), 0
    after: int | None = 0
    while after is not None:
        some, after = store.siblings(one, now=NOON, after=after, limit=3)
        found += [each.job.subject for each in some]
        asked += 1
    assert (sorted(found), asked) == (sorted(other.key for other in others), 3)


def test_checks_are_taken_along_by_a_lease_like_any_other(store: Storage) -> None:
    assert isinstance(store, Gathering)
    one, *_ = waiting(store, "1", "2", "3", "4")
    own = take(store)
    known = siblings(store, one)
    [touched] = store.lease(NOON, NOON + MINUTE, id=known[1].job.id)
    store.release(touched, due=NOON)
    taken = store.lease_siblings(own, [each.job for each in known], until=NOON + 2 * MINUTE)
    assert taken == [known[0].job, known[2].job]
    # and the first is held as long as they are
    assert [job.id for job in store.lease(NOON + MINUTE, NOON + 2 * MINUTE, limit=9)] == [touched.id]
    attempts = {job.subject: job.attempts for job in store.lease(NOON + 2 * MINUTE, NOON + 3 * MINUTE, limit=9)}
    assert sorted(attempts.values()) == [2, 2, 2, 3]


def test_a_claim_that_joins_a_check_that_was_found_is_not_passed_over(store: Storage) -> None:
    """Its pair is left to whoever finds both."""
    assert isinstance(store, Gathering)
    one, two = waiting(store, "1", "2")
    own = take(store)
    known = siblings(store, one)
    store.add_claim(replace(two, id="late", claim=replace(two.claim, protocol="pingback")), due=NOON)
    assert store.lease_siblings(own, [each.job for each in known], until=NOON + MINUTE) == []


def test_a_late_worker_takes_nobody_along(store: Storage) -> None:
    assert isinstance(store, Gathering)
    one, *_ = waiting(store, "1", "2")
    own, known = take(store), siblings(store, one)
    assert [job.id for job in store.lease(NOON + MINUTE, NOON + 2 * MINUTE, id=own.id)] == [own.id]
    assert store.lease_siblings(own, [each.job for each in known], until=NOON + MINUTE) is None
    assert siblings(store, one) == known


def test_threads_that_take_the_same_checks_along_share_them(store: Storage) -> None:
    assert isinstance(store, Gathering)
    pages = [str(number) for number in range(20)]
    one, *_ = waiting(store, *pages)
    leads = store.lease(NOON, NOON + MINUTE, limit=2)
    known = [each.job for each in siblings(store, one)]
    gate, taken = threading.Barrier(2), list[Job]()

    def go(lead: Job, wanted: list[Job]) -> None:
        gate.wait()
        taken.extend(store.lease_siblings(lead, wanted, until=NOON + MINUTE) or [])

    threads = [threading.Thread(target=go, args=each) for each in zip(leads, (known, known[::-1]), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job.id for job in taken) == sorted(job.id for job in known)


def test_deliveries_to_one_host_are_owed_one_after_the_other(store: Storage) -> None:
    """protocols.md B-12; another host does not wait."""
    owe(store, "https://c.example/1", "https://c.example/2", "https://d.example/", "https://c.example/3", gap=SECOND)
    due = []
    for seconds in range(4):
        jobs = store.lease(NOON + seconds * SECOND, NOON + 60 * MINUTE, limit=9)
        due.append([delivery.target for job in jobs if (delivery := store.delivery(job.subject))])
    assert due == [["https://c.example/1", "https://d.example/"], ["https://c.example/2"], ["https://c.example/3"], []]


def two_jobs(store: Storage) -> list[tuple[Job, Delivery]]:
    owed = {delivery.id: delivery for delivery in owe(store, "https://c.example/1", "https://c.example/2")}
    return [(job, owed[job.subject]) for job in store.lease(NOON, NOON + 9 * MINUTE, limit=2)]


def test_one_post_at_a_time_leaves_for_a_host(store: Storage) -> None:
    """VB-75, B-12: never at once, and not too soon after one another."""
    (one, first), (other, second) = two_jobs(store)
    assert post(store, one, first, gap=SECOND).granted
    busy = post(store, other, second, now=NOON + 3 * SECOND, gap=SECOND)
    assert busy == Turn(False, NOON + 4 * SECOND), "nobody knows when it ends"
    store.finish_delivery(one, replace(first, outcome=Outcome.SENT, endpoint=WM))
    assert post(store, other, second, now=NOON + 3 * SECOND, gap=SECOND).granted


def test_a_post_follows_another_after_the_gap(store: Storage) -> None:
    (one, first), (other, second) = two_jobs(store)
    post(store, one, first, gap=SECOND)
    store.finish_delivery(one, replace(first, outcome=Outcome.SENT, endpoint=WM))
    assert post(store, other, second, now=NOON + SECOND / 4, gap=SECOND) == Turn(False, NOON + SECOND)
    assert post(store, other, second, now=NOON + SECOND, gap=SECOND).granted


def test_those_that_must_wait_for_a_host_wait_in_a_row(store: Storage) -> None:
    """Else all would come back at once."""
    (one, first), (other, second) = two_jobs(store)
    post(store, one, first, gap=SECOND)
    turns = [post(store, other, second, gap=SECOND).due for _ in range(3)]
    assert turns == [NOON + number * SECOND for number in (1, 2, 3)]


def test_another_host_is_not_waited_for(store: Storage) -> None:
    (one, first), (other, second) = two_jobs(store)
    post(store, one, first, gap=SECOND)
    assert post(store, other, second, "https://d.example/wm", gap=SECOND).granted


def test_a_job_that_goes_on_to_another_host_lets_go_of_the_first(store: Storage) -> None:
    """protocols.md B-9: one endpoint was none, and the next protocol's stands elsewhere."""
    (one, first), (other, second) = two_jobs(store)
    assert post(store, one, first).granted
    assert post(store, one, first).granted, "its own POST is not waited for"
    assert post(store, one, first, "https://d.example/wm").granted
    assert post(store, other, second).granted


def test_a_dead_workers_hold_ends_with_its_lease(store: Storage) -> None:
    (one, first), (other, second) = two_jobs(store)
    post(store, one, first, until=NOON + MINUTE)
    assert not post(store, other, second, now=NOON + MINUTE - SECOND).granted
    assert post(store, other, second, now=NOON + MINUTE).granted


def test_a_host_that_asks_for_rest_gets_it(store: Storage) -> None:
    """VB-49, B-12: from all deliveries, not only from the one that was answered."""
    (one, first), (other, second) = two_jobs(store)
    post(store, one, first)
    failed = replace(first, outcome=Outcome.FAILED, endpoint=WM)
    store.finish_delivery(one, failed, again=NOON + 9 * MINUTE, rest=NOON + 5 * MINUTE)
    assert post(store, other, second, now=NOON + MINUTE) == Turn(False, NOON + 5 * MINUTE)


def test_a_turn_that_was_not_had_is_no_attempt(store: Storage) -> None:
    owe(store)
    store.release(take(store), due=NOON, counted=False)
    job = take(store)
    assert (job.attempts, job.lease) == (1, 2)


def test_a_job_that_waits_for_a_person_is_not_due(store: Storage) -> None:
    owe(store)
    store.release(take(store), due=None)
    assert store.next_due() is None
    assert store.lease(NOON + 999 * MINUTE, NOON + 9999 * MINUTE) == []


def test_the_backlog_is_what_is_due_and_free_and_what_waits_for_a_person(store: Storage) -> None:
    assert store.backlog(NOON) == Backlog(0, None, 0)
    owe(store, *(f"https://c.example/{number}" for number in range(4)))
    store.release(take(store), due=None)
    take(store)
    owe(store, site="https://other.example", now=NOON - MINUTE)
    owe(store, site="https://late.example", now=NOON + MINUTE)
    assert store.backlog(NOON) == Backlog(3, NOON - MINUTE, 1)
    assert store.backlog(NOON, site=SITE) == Backlog(2, NOON, 1)
    assert store.backlog(NOON, site="https://other.example") == Backlog(1, NOON - MINUTE, 0)
    assert store.backlog(NOON + 2 * MINUTE, site=SITE) == Backlog(3, NOON, 1), "the lease of the second has ended"
    assert store.backlog(NOON - 9 * MINUTE) == Backlog(0, None, 1)


@pytest.mark.parametrize(("most", "found"), [(0, 0), (1, 1), (3, 3), (4, 3), (100, 3)])
def test_the_checks_that_are_due_are_counted_as_far_as_asked(store: Storage, most: int, found: int) -> None:
    assert isinstance(store, Counting)
    for number in range(3):
        store.add_claim(replace(record(f"due{number}"), key=f"due{number}"), due=NOON)
    store.add_claim(replace(record("later"), key="later"), due=NOON + MINUTE)
    store.add_claim(replace(record("elsewhere"), key="elsewhere", site="https://other.example"), due=NOON)
    store.add_claim(replace(record("held"), key="held"), due=NOON - MINUTE)
    take(store)
    owe(store)
    assert store.checks_due(NOON, site=SITE, most=most) == found


def test_the_last_made_of_what_is_due_can_be_had_first(store: Storage) -> None:
    """security.md D8"""
    assert isinstance(store, Overtaking)
    for number in range(6):
        # the last made are the longest due
        store.add_claim(replace(record(f"{number}"), key=f"{number}"), due=NOON - number * MINUTE)
    store.add_claim(replace(record("elsewhere"), key="elsewhere", site="https://other.example"), due=NOON)
    store.add_claim(replace(record("later"), key="later"), due=NOON + MINUTE)
    (held,) = store.lease(NOON, NOON + MINUTE)
    assert held.subject == "5"
    assert store.lease_newest(NOON, NOON + MINUTE, site="https://another.example") == []
    of_site = store.lease_newest(NOON, NOON + MINUTE, site=SITE, limit=2)
    of_any = store.lease_newest(NOON, NOON + MINUTE, limit=2)
    assert [[job.subject for job in leased] for leased in (of_site, of_any)] == [["4", "3"], ["elsewhere", "2"]]
    first = of_site[0]
    assert (first.attempts, first.lease, first.due, first.abandoned) == (1, 1, NOON - 4 * MINUTE, False)
    store.release(first, due=NOON)
    (again,) = store.lease_newest(NOON, NOON + MINUTE, site=SITE)
    assert (again.id, again.attempts, again.lease) == (first.id, 2, 2)


def test_only_so_many_that_were_made_last_are_looked_at(store: Storage) -> None:
    """Else whatever lies there until another day would be looked through by each lease."""
    assert isinstance(store, WorkingStore)
    for number in range(3):
        store.add_claim(replace(record(f"{number}"), key=f"{number}"), due=NOON + number * MINUTE)
    assert store.lease_newest(NOON, NOON + MINUTE, among=2) == []
    assert len(store.lease_newest(NOON, NOON + MINUTE, among=3)) == 1


def test_only_a_server_has_a_clock_of_its_own(store: Storage, request: pytest.FixtureRequest) -> None:
    before, found, after = utcnow(), store.server_time(), utcnow()
    if "sqlite" in request.node.callspec.params["store"]:
        assert found is None
    else:
        # the tests' servers may be elsewhere, and some of them count whole seconds
        assert found is not None
        assert before - MINUTE < found < after + MINUTE


# errors


def test_a_number_too_large_for_the_database_is_a_clear_error(store: Storage) -> None:
    (owed,) = owe(store)
    with pytest.raises(StoreError, match=r"too large|out of range|Out of range"):
        store.finish_delivery(take(store), replace(owed, code=10**30))
    assert store.deliveries() == [owed]


def test_a_closed_store_says_so(store: Storage) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.next_due()
