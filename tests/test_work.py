"""How due jobs are handed out: leased for as many threads as are free, and given back where nobody begins them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from linkback import forks
from linkback.errors import StoreError
from linkback.jobs import Embedded, External, Runner
from linkback.model import Job, JobKind
from linkback.work import LEASE_SECONDS, Work

#: how long a test waits for what comes at once; reached only where something is broken
PATIENCE = 30.0
NOW = datetime(2026, 11, 23, tzinfo=UTC)
A = "https://a.example"


class Queue:
    """What `Work` asks of a store, over a list."""

    def __init__(self, jobs: int, kind: JobKind = JobKind.CHECK) -> None:
        self.due = [
            Job(id=number, kind=kind, subject=str(number), attempts=1, lease=1, site=A) for number in range(jobs)
        ]
        self.limits: list[int] = []
        self.released: list[tuple[tuple[Job, ...], bool]] = []
        self.lock, self.closed = threading.Lock(), False

    def lease(
        self, now: datetime, until: datetime, *, limit: int, kind: JobKind | None, id: int | None, site: str | None
    ) -> list[Job]:
        with self.lock:
            self.limits.append(limit)
            fits = [job for job in self.due if kind in (None, job.kind) and id in (None, job.id)]
            self.due = [job for job in self.due if job not in fits[:limit]]
            return fits[:limit]

    def next_due(self, **more: Any) -> datetime | None:
        return None

    def release(self, *jobs: Job, due: datetime, counted: bool = True) -> None:
        self.released.append((jobs, counted))

    def close(self) -> None:
        self.closed = True


class Doing:
    """Does jobs; those of some numbers only when they are let go."""

    def __init__(self, *held: int) -> None:
        self.held, self.let_go = held, threading.Event()
        self.lock = threading.Condition()
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.most = 0

    def __call__(self, job: Job) -> None:
        with self.lock:
            self.begun.append(job.id)
            self.most = max(self.most, len(self.begun) - len(self.ended))
            self.lock.notify_all()
        if job.id in self.held:
            self.let_go.wait(PATIENCE)
        with self.lock:
            self.ended.append(job.id)
            self.lock.notify_all()

    def until(self, what: Callable[[], bool]) -> bool:
        with self.lock:
            return self.lock.wait_for(what, PATIENCE)


def work(store: Any, runner: Runner, do: Callable[[Job], None]) -> Work:
    return Work(store=store, runner=runner, do=do, clock=lambda: NOW, pause=lambda seconds: None)


@pytest.fixture
def runner() -> Iterator[Embedded]:
    runner = Embedded(threads=8)
    yield runner
    runner.stop(PATIENCE)


def test_what_is_due_together_is_leased_together_and_begun_at_once(runner: Embedded) -> None:
    store, doing = Queue(5), Doing(*range(5))
    work(store, runner, doing)
    runner.nudge()
    assert doing.until(lambda: len(doing.begun) == 5)
    doing.let_go.set()
    assert store.limits[0] == 8


def test_no_more_is_leased_than_there_are_threads_to_begin_it(runner: Embedded) -> None:
    store, doing = Queue(100), Doing(*range(8))
    work(store, runner, doing)
    runner.nudge()
    assert doing.until(lambda: len(doing.begun) == 8)
    assert len(store.due) == 92
    doing.let_go.set()
    assert doing.until(lambda: len(doing.ended) == 100)
    assert doing.most == 8
    assert sorted(doing.ended) == list(range(100))


def test_a_slow_job_does_not_hold_up_the_others(runner: Embedded) -> None:
    store, doing = Queue(50), Doing(0, 1, 2)
    work(store, runner, doing)
    runner.nudge()
    assert doing.until(lambda: len(doing.ended) == 47)
    assert not {0, 1, 2} & set(doing.ended)
    doing.let_go.set()
    assert doing.until(lambda: len(doing.ended) == 50)


class Stack(Queue):
    """One whose jobs have waited since a time, and that can give the last ones first."""

    def __init__(self, jobs: int, since: datetime | None) -> None:
        super().__init__(jobs)
        self.due = [replace(job, due=since) for job in self.due]

    def lease_newest(self, now: datetime, until: datetime, *, site: str | None, limit: int) -> list[Job]:
        assert site is None
        with self.lock:
            newest, self.due = self.due[-limit:][::-1], self.due[:-limit]
            return newest


IN_ORDER, BY_TURNS = [0, 1, 2, 3, 4, 5, 6], [0, 6, 1, 5, 2, 4, 3]


@pytest.mark.parametrize(
    ("store", "order"),
    [
        pytest.param(lambda: Stack(7, NOW - timedelta(seconds=5)), IN_ORDER, id="in time"),
        pytest.param(lambda: Stack(7, NOW - timedelta(seconds=6)), BY_TURNS, id="late"),
        pytest.param(lambda: Stack(7, None), IN_ORDER, id="since nobody knows when"),
        pytest.param(lambda: Queue(7), IN_ORDER, id="a store that cannot"),
    ],
)
def test_while_jobs_are_late_those_that_came_last_take_turns_with_them(
    store: Callable[[], Queue], order: list[int]
) -> None:
    """Whoever comes after a flood does not wait for all of it (security.md D8)."""
    runner, doing = Embedded(threads=1), Doing()
    work(store(), runner, doing)
    runner.nudge()
    assert doing.until(lambda: len(doing.ended) == 7)
    assert doing.ended == order
    runner.stop(PATIENCE)


def test_a_drain_that_is_late_keeps_the_order() -> None:
    done: list[int] = []
    work(Stack(7, NOW - timedelta(days=1)), External(), lambda job: done.append(job.id)).drain()
    assert done == IN_ORDER


def test_where_none_came_last_the_longest_due_goes_on(runner: Embedded) -> None:
    class Empty(Stack):
        def lease_newest(self, now: datetime, until: datetime, *, site: str | None, limit: int) -> list[Job]:
            return []

    doing = Doing()
    work(Empty(50, NOW - timedelta(days=1)), runner, doing)
    runner.nudge()
    assert doing.until(lambda: len(doing.ended) == 50)


def test_what_comes_while_a_job_is_done_finds_a_thread(runner: Embedded) -> None:
    store, doing = Queue(1), Doing(0)
    work(store, runner, doing)
    runner.nudge()
    assert doing.until(lambda: doing.begun == [0])
    store.due = Queue(3).due[1:]
    runner.nudge()
    assert doing.until(lambda: sorted(doing.ended) == [1, 2])
    doing.let_go.set()


def test_a_drain_takes_what_it_does_itself_and_leaves_the_rest() -> None:
    store = Queue(5)
    drained = work(store, External(), lambda job: None)
    assert drained.drain() == 5
    assert set(store.limits) == {1}


def test_a_drain_does_what_was_leased_for_threads_that_did_not_come(
    runner: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, doing = Queue(5), Doing(0)
    drained = work(store, runner, doing)
    alone(runner, doing, monkeypatch)
    assert drained.step(JobKind.DELIVER) is False
    assert drained.step(id=3)
    doing.let_go.set()
    assert drained.drain() in range(4)
    assert sorted(doing.ended) == list(range(5))


def alone(runner: Embedded, doing: Doing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have one thread of a runner begin a job, with none to come beside it."""
    start = threading.Thread.start
    room = iter([True])

    def crowded(thread: threading.Thread) -> None:
        if not next(room, False):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", crowded)
    runner.nudge()
    assert doing.until(lambda: doing.begun == [0])


def test_closing_gives_back_what_was_begun_and_what_was_not(runner: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that nobody made does not count."""
    store, doing = Queue(3), Doing(0)
    closed = work(store, runner, doing)
    first, *others = store.due
    alone(runner, doing, monkeypatch)
    closed.close(0.0)
    assert store.released == [(tuple(others), False), ((first,), True)]
    assert store.closed
    doing.let_go.set()


def test_a_store_that_is_away_does_not_keep_from_closing(
    runner: Embedded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*jobs: Job, **more: object) -> None:
        raise StoreError("no such file")

    store, doing = Queue(3), Doing(0)
    closed = work(store, runner, doing)
    alone(runner, doing, monkeypatch)
    monkeypatch.setattr(store, "release", away)
    closed.close(0.0)
    assert store.closed
    assert "could not give back 2 jobs" in caplog.text
    doing.let_go.set()


def test_of_jobs_that_may_end_their_workers_one_is_begun_at_a_time(runner: Embedded) -> None:
    """Otherwise each death would count against all that were in hand with the one that it was."""
    store, doing = Queue(6), Doing(*range(6))
    store.due[1:] = [
        replace(job, abandoned=abandoned)
        for job, abandoned in zip(store.due[1:], (True, False, True, True, False), strict=True)
    ]
    jobs = list(store.due)
    work(store, runner, doing)
    runner.nudge()
    assert doing.until(lambda: len(doing.begun) == 4)
    assert sorted(doing.begun) == [0, 1, 2, 5]
    assert store.released == [((jobs[3], jobs[4]), False)]
    doing.let_go.set()


def test_what_is_leased_while_the_work_is_stopped_is_given_back(runner: Embedded) -> None:
    asked, answer = threading.Event(), threading.Event()

    class Slow(Queue):
        def lease(self, *times: datetime, **asked_for: Any) -> list[Job]:
            asked.set()
            assert answer.wait(PATIENCE)
            return super().lease(*times, **asked_for)

    store, doing = Slow(3), Doing()
    stopped, jobs = work(store, runner, doing), tuple(store.due)
    runner.nudge()
    assert asked.wait(PATIENCE)
    stopped.stop(0.0)
    answer.set()
    runner.settle()
    assert (store.released, doing.begun) == ([(jobs, False)], [])


def test_a_job_that_was_ready_for_longer_than_its_lease_is_not_begun(
    runner: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, doing = Queue(3), Doing(0)
    late = work(store, runner, doing)
    alone(runner, doing, monkeypatch)
    late.clock = lambda: NOW + timedelta(seconds=LEASE_SECONDS)
    assert late.step() is False
    assert doing.begun == [0]
    doing.let_go.set()


def test_a_drain_waits_also_for_what_other_threads_begin_meanwhile(runner: Embedded) -> None:
    store, doing = Queue(4), Doing(*range(4))
    drained = work(store, runner, doing)
    runner.nudge()
    assert doing.until(lambda: len(doing.begun) == 4)
    left: list[int] = []
    thread = threading.Thread(target=lambda: left.append(drained.drain() + len(doing.ended)))
    thread.start()
    doing.let_go.set()
    thread.join(PATIENCE)
    assert left == [4]


def test_a_child_has_nothing_of_what_its_parent_leased(runner: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    store, doing = Queue(3), Doing(0)
    forked = work(store, runner, doing)
    alone(runner, doing, monkeypatch)
    forks._after_fork()
    assert forked.step() is False
    forked.close(0.0)
    assert store.released == []
    doing.let_go.set()
