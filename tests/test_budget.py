"""How much is read from one host, whenever who asks: the bound that the whole rests on."""

from __future__ import annotations

import heapq
import itertools
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkback.model import Job, JobKind
from linkback.policy import Policy
from linkback.store import UNPACED, Pace, budget, turns

NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
JOB = Job(1, JobKind.CHECK, "a", 1)
DEFAULT = Pace(timedelta(seconds=Policy().host_seconds), Policy().host_burst)

paces = st.builds(Pace, st.floats(0.1, 200).map(lambda seconds: seconds * SECOND), st.integers(0, 30))
#: seconds between one who asks and the next: often none, at times as long as a gap, at times far more
quiet = st.one_of(st.just(0.0), st.floats(0, 5), st.sampled_from([89.999999, 90.0, 90.000001]), st.floats(0, 8_000))


class Host:
    """The row of one host, and when its pages were read."""

    def __init__(self) -> None:
        self.row: Any = None
        self.read: list[datetime] = []

    def ask(self, now: datetime, pace: Pace, *, until: datetime | None = None) -> budget.Answer:
        """Ask for a turn; one that is had is over at once, or at a time."""
        answer = budget.ask(self.row, JOB, now=now, until=until or now, pace=pace)
        if self.row is None:
            self.row = SimpleNamespace(next_slot=now, free_at=now, busy_until=None, holder=None)
        vars(self.row).update(answer.row)
        if answer.granted:
            self.read.append(now)
        return answer

    def slot(self, turn: datetime, pace: Pace) -> datetime:
        """When a claim's first look is due."""
        name = turns.read_from("s.example")
        known = {} if self.row is None else {name: self.row.next_slot}
        spread = budget.spread([("s.example", turn)], [name], known, pace)
        if self.row is None:
            slot, free = spread.new[name]
            self.row = SimpleNamespace(next_slot=slot, free_at=free, busy_until=None, holder=None)
        elif name in spread.known:
            self.row.next_slot = spread.known[name]
        return spread.due[0]

    def most(self, length: timedelta) -> int:
        """The most reads in any time of a length, its first and its last moment among them."""
        return max((sum(a <= b <= a + length for b in self.read) for a in self.read), default=0)


@given(paces, st.lists(quiet, max_size=120), st.floats(0, 20_000))
@settings(deadline=None)
def test_in_no_time_is_more_read_than_the_burst_and_one_each_gap(pace: Pace, waits: list[float], length: float) -> None:
    host = Host()
    for passed in itertools.accumulate(waits):
        host.ask(NOON + passed * SECOND, pace)
    window = length * SECOND
    assert host.most(window) <= max(pace.burst, 1) + window // pace.gap


@given(st.lists(quiet, min_size=40, max_size=160))
@settings(deadline=None)
def test_no_hour_sees_more_than_sixty_by_default(waits: list[float]) -> None:
    host = Host()
    for passed in itertools.accumulate(waits):
        host.ask(NOON + passed * SECOND, DEFAULT)
    assert host.most(HOUR) <= 60


def test_the_hour_that_sees_most_sees_sixty() -> None:
    """The fence and its posts: from the first of a burst to an hour after it, both counted."""
    host = Host()
    for second in range(7_300):
        while host.ask(NOON + second * SECOND, DEFAULT).granted:
            pass
    assert host.most(timedelta(0)) == 20
    assert host.most(HOUR) == 60
    assert host.most(HOUR - SECOND) == 59


@given(paces, st.lists(st.tuples(quiet, st.booleans(), st.floats(0, 20)), max_size=60))
@settings(deadline=None)
def test_who_is_put_off_comes_back_in_time_and_not_for_nothing(
    pace: Pace, asked: list[tuple[float, bool, float]]
) -> None:
    """Some have a slot from their beginning, some come without, and workers are late."""
    host, order = Host(), itertools.count()
    waiting: list[tuple[datetime, int]] = []
    late = {}
    now, tries = NOON, 0
    for wait, slotted, seconds in asked:
        now += wait * SECOND
        due = host.slot(now, pace) if slotted else now
        late[number := next(order)] = seconds * SECOND
        heapq.heappush(waiting, (due, number))
    while waiting:
        due, number = heapq.heappop(waiting)
        now, tries = max(now, due + late[number]), tries + 1
        late[number] = timedelta(0)
        answer = host.ask(now, pace)
        if not answer.granted:
            assert answer.due is not None
            assert answer.due > now, "it is put off"
            heapq.heappush(waiting, (answer.due, number))
    assert len(host.read) == len(asked)
    # who is late by more than a gap may cost another the turn that was promised to him
    assert tries <= 3 * len(asked) + sum(seconds for *_, seconds in asked) / pace.gap.total_seconds()
    assert host.most(HOUR) <= max(pace.burst, 1) + HOUR // pace.gap


def test_slots_of_those_who_must_wait_follow_each_other() -> None:
    """However many there are, no two come back for one turn."""
    host = Host()
    while host.ask(NOON, DEFAULT).granted:
        pass
    dues = [host.ask(NOON, DEFAULT).due for _ in range(10_000)]
    assert None not in dues
    first = NOON + 2 * DEFAULT.gap + 5 * SECOND
    assert dues == [first + number * DEFAULT.gap for number in range(10_000)]


def test_who_finds_room_and_a_page_being_read_waits_for_its_end_and_takes_no_slot() -> None:
    host = Host()
    assert host.ask(NOON, DEFAULT, until=NOON + 120 * SECOND).granted
    before = vars(host.row).copy()
    assert host.ask(NOON + SECOND, DEFAULT) == budget.Answer(False, None, {})
    assert vars(host.row) == before
    assert host.ask(NOON + 120 * SECOND, DEFAULT).granted, "a hold ends by itself"


def test_what_has_no_limit_is_not_counted() -> None:
    """A busy host, or a site without a pace, beside a site that has one."""
    host = Host()
    for number in range(100):
        assert host.ask(NOON + number * SECOND, UNPACED).granted
    assert [host.ask(NOON + 100 * SECOND, DEFAULT).granted for _ in range(21)] == [True] * 20 + [False]
    assert host.ask(NOON + 101 * SECOND, UNPACED).granted
    assert host.ask(NOON + 102 * SECOND, UNPACED, until=NOON + 200 * SECOND).granted
    assert not host.ask(NOON + 103 * SECOND, UNPACED).granted, "one page at a time all the same"


@pytest.mark.parametrize("pace", [DEFAULT, Pace(timedelta(days=3), 40)])
def test_a_clock_that_was_ahead_does_not_lock_a_host(pace: Pace) -> None:
    """Only what nobody can have meant counts for nothing: a long gap is meant."""
    host = Host()
    while host.ask(NOON, pace).granted:
        pass
    assert not host.ask(NOON, pace).granted
    for wrong in (NOON + timedelta(days=3_650), NOON + timedelta(days=370)):
        assert host.ask(wrong, pace).granted
    assert host.ask(NOON, pace).granted
    assert host.slot(NOON, pace) < NOON + pace.gap * 3
