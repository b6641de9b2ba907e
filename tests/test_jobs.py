"""Who runs due work, and what happens to the threads that do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from linkback import forks, jobs
from linkback.errors import ConfigurationError
from linkback.jobs import Embedded, External, crew
from tests.patience import until

#: how long a test waits for what comes at once; reached only where something is broken
PATIENCE = 30.0

Naps = list[float]


class Counting:
    """A step that does `jobs` jobs and says when nothing is left."""

    def __init__(self, jobs: int) -> None:
        self.left = jobs
        self.lock = threading.Lock()
        self.idle = threading.Event()

    def __call__(self) -> bool:
        with self.lock:
            if self.left == 0:
                self.idle.set()
                return False
            self.left -= 1
            return True


@pytest.fixture
def runner() -> Iterator[Embedded]:
    runner = Embedded(threads=2)
    yield runner
    runner.stop(PATIENCE)
    assert runner._threads == []


def forever() -> float | None:
    return None


def test_an_external_runner_runs_nothing() -> None:
    runner = External()
    step = Counting(1)
    runner.attach(step, forever)
    runner.nudge()
    runner.settle()
    runner.stop()
    assert step.left == 1


def test_a_nudge_runs_what_is_due_to_the_end(runner: Embedded) -> None:
    step = Counting(5)
    runner.attach(step, forever)
    runner.nudge()
    assert step.idle.wait(PATIENCE)
    assert step.left == 0


def test_a_later_nudge_wakes_the_same_thread(runner: Embedded) -> None:
    step = Counting(1)
    runner.attach(step, forever)
    runner.nudge()
    assert step.idle.wait(PATIENCE)
    threads = list(runner._threads)
    step.idle.clear()
    step.left = 3
    runner.nudge()
    assert step.idle.wait(PATIENCE)
    assert runner._threads == threads
    assert len(threads) == 1


def test_nothing_starts_before_there_is_a_step(runner: Embedded) -> None:
    runner.nudge()
    assert runner._threads == []


def test_a_runner_works_for_one_site(runner: Embedded) -> None:
    """A second one would otherwise take its place without a word."""
    runner.attach(Counting(0), forever)
    with pytest.raises(ConfigurationError, match="another site"):
        runner.attach(Counting(0), forever)


@pytest.mark.parametrize("threads", [0, -1])
def test_a_runner_needs_a_thread(threads: int) -> None:
    with pytest.raises(ConfigurationError, match="at least one"):
        Embedded(threads)


def nap(
    step: Callable[[], bool], wait: Callable[[], float | None], monkeypatch: pytest.MonkeyPatch, times: int
) -> Naps:
    """The first naps of a thread that is told to stop after them."""
    naps: Naps = []

    def rest(self: Embedded, seconds: float) -> bool:
        naps.append(seconds)
        return len(naps) < times

    monkeypatch.setattr(Embedded, "_rest", rest)
    runner = Embedded(threads=1)
    runner.attach(step, wait)
    runner.nudge()
    for thread in list(runner._threads):
        thread.join(PATIENCE)
    return naps


@pytest.mark.parametrize(("due", "slept"), [(None, 30.0), (5.0, 5.0), (-3.0, 0.25), (1e9, 30.0)])
def test_a_thread_sleeps_until_something_is_due_but_never_long(
    due: float | None, slept: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may add work, and nobody would tell; what is due and locked is not asked for without end."""
    assert nap(lambda: False, lambda: due, monkeypatch, 1) == [slept]


def test_work_that_fails_is_tried_again_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> bool:
        raise OSError("disk full")

    assert nap(broken, forever, monkeypatch, 8) == [1, 2, 4, 8, 16, 32, 60, 60]
    assert caplog.text.count("work failed") == 8


def test_success_ends_the_backing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[bool | OSError] = iter([OSError(), OSError(), True, OSError(), False, OSError()])

    def step() -> bool:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    assert nap(step, forever, monkeypatch, 5) == [1, 2, 1, 30, 1]


def test_a_failing_look_at_the_clock_does_not_end_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> float | None:
        raise OSError

    assert nap(lambda: False, broken, monkeypatch, 2) == [1, 2]


def test_a_thread_that_cannot_even_tell_of_its_failure_works_on(
    runner: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory ends nothing works, and nobody would call a worker that has no thread any more (R19)."""
    scarce, worked = threading.Event(), threading.Event()

    def step() -> bool:
        if scarce.is_set():
            raise MemoryError
        worked.set()
        return False

    def lost(*arguments: object, **more: object) -> None:
        tried.append(1)
        raise MemoryError

    tried: list[int] = []
    scarce.set()
    monkeypatch.setattr(jobs, "_LOCKED_NAP", 0.01)
    monkeypatch.setattr(jobs.log, "error", lost)
    runner.attach(step, forever)
    runner.nudge()
    until(lambda: len(tried) > 2)
    scarce.clear()
    assert worked.wait(30)


def test_a_nudge_cuts_a_nap_short(runner: Embedded) -> None:
    """Also where the last thing that happened was a failure."""
    failed, worked = threading.Event(), threading.Event()

    def step() -> bool:
        if not failed.is_set():
            failed.set()
            raise OSError("locked")
        worked.set()
        return False

    runner.attach(step, lambda: 1e9)
    runner.nudge()
    assert failed.wait(PATIENCE)
    runner.nudge()
    assert worked.wait(PATIENCE)


class Gathering:
    """A step that has `jobs` jobs for as many threads as come, and lets all of them go together."""

    def __init__(self, jobs: int, together: int) -> None:
        self.left, self.at_once, self.most = jobs, 0, 0
        self.lock, self.met = threading.Lock(), threading.Barrier(together)

    def __call__(self) -> bool:
        with self.lock:
            if not self.left:
                return False
            self.left -= 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        others = crew()
        assert others is not None
        others.call(self.left + 1)
        self.met.wait(PATIENCE)
        with self.lock:
            self.at_once -= 1
        return True


def done(runner: Embedded, step: Gathering, left: int) -> bool:
    """Whether a step comes to its end, and all threads but so many."""
    with runner._ended:
        return runner._ended.wait_for(
            lambda: not step.left and not runner._in_hand and len(runner._threads) == left, PATIENCE
        )


def test_threads_come_with_the_work_and_end_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One stays, to watch."""
    monkeypatch.setattr("linkback.jobs._LINGER", 0.0)
    runner = Embedded(threads=20)
    step = Gathering(jobs=10, together=10)
    runner.attach(step, forever)
    runner.nudge()
    assert done(runner, step, left=1)
    assert step.most == 10
    runner.stop(PATIENCE)


def test_there_are_never_more_threads_than_allowed() -> None:
    runner = Embedded(threads=3)
    step = Gathering(jobs=30, together=3)
    runner.attach(step, forever)
    runner.call(100)
    assert len(runner._threads) == 3
    assert done(runner, step, left=3)
    runner.stop(PATIENCE)
    assert step.most == 3


def test_whoever_watches_looks_when_a_job_that_just_ended_is_due_again() -> None:
    """It began to sleep before that was known."""
    waits: Iterator[float | None] = iter([None, 0.001, None, None])
    watching, looked = threading.Event(), threading.Event()
    runner = Embedded(threads=2, poll=1e6)
    steps = []

    def step() -> bool:
        with runner._wake:
            steps.append(threading.current_thread())
            if len(steps) == 1:
                runner.call(1)
        if len(steps) == 1:
            assert watching.wait(PATIENCE)
            return True
        if len(steps) > 3:
            looked.set()
        return False

    def wait() -> float | None:
        watching.set()
        return next(waits, None)

    runner.attach(step, wait)
    runner.nudge()
    assert looked.wait(PATIENCE)
    runner.stop(PATIENCE)


def test_a_crew_is_known_in_its_own_threads_alone(runner: Embedded) -> None:
    found = []
    step = Counting(1)

    def asking() -> bool:
        found.append(crew())
        return step()

    runner.attach(asking, forever)
    runner.nudge()
    assert step.idle.wait(PATIENCE)
    assert set(found) == {runner}
    assert crew() is None


class Blocked:
    """A job that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __call__(self) -> bool:
        self.begun.set()
        self.let_go.wait(PATIENCE)
        self.ended.set()
        return True


def test_stopping_waits_for_the_job_in_hand_and_runs_no_other(runner: Embedded) -> None:
    step = Blocked()
    runner.attach(step, forever)
    runner.nudge()
    assert step.begun.wait(PATIENCE)
    stopping = threading.Thread(target=runner.stop, args=(PATIENCE,))
    stopping.start()
    step.let_go.set()
    stopping.join(PATIENCE)
    assert step.ended.is_set()
    assert runner._threads == []
    step.begun.clear()
    runner.nudge()
    assert runner._threads == []
    assert not step.begun.is_set()


def test_settling_waits_for_the_job_in_hand(runner: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that takes, and not for a job that is begun later."""
    wait_for = runner._ended.wait_for

    def waiting(ended: Callable[[], bool], timeout: float | None = None) -> bool:
        first.let_go.set()
        return wait_for(ended, timeout)

    monkeypatch.setattr(runner._ended, "wait_for", waiting)
    order: list[str] = []
    first, second = Blocked(), Blocked()
    steps: Iterator[Blocked] = iter([first, second])

    def step() -> bool:
        done = next(steps)()
        order.append("ended")
        return done

    def settle() -> None:
        runner.settle()
        order.append("settled")
        second.let_go.set()

    runner.attach(step, forever)
    runner.nudge()
    assert first.begun.wait(PATIENCE)
    settling = threading.Thread(target=settle)
    settling.start()
    settling.join(PATIENCE)
    assert second.ended.wait(PATIENCE)
    runner.stop(PATIENCE)
    assert order == ["ended", "settled", "ended"]


def test_settling_does_not_wait_where_nothing_is_done(runner: Embedded) -> None:
    runner.settle()
    step = Counting(0)
    runner.attach(step, forever)
    runner.nudge()
    assert step.idle.wait(PATIENCE)
    runner.settle()


def test_a_job_that_failed_is_settled_too(runner: Embedded, caplog: pytest.LogCaptureFixture) -> None:
    failed = threading.Event()

    def step() -> bool:
        failed.set()
        raise OSError("locked")

    runner.attach(step, forever)
    runner.nudge()
    assert failed.wait(PATIENCE)
    runner.settle()


def test_jobs_that_settle_do_not_wait_for_each_other(runner: Embedded) -> None:
    """A hook may drain its site: two at once would wait for ever."""
    both, settled = threading.Barrier(2), Counting(2)

    def step() -> bool:
        both.wait(PATIENCE)
        runner.settle()
        settled()
        return settled()

    runner.attach(step, forever)
    runner.call(2)
    assert settled.idle.wait(PATIENCE)
    # whoever is late finds nobody to meet
    both.abort()


def test_a_job_in_hand_can_ask_whether_its_runner_is_to_stop(runner: Embedded) -> None:
    """So that a long one ends early; who works in a thread of his own is never told to."""
    step, told = Blocked(), list[bool]()

    def ask() -> bool:
        told.append(jobs.stopping())
        step()
        until(lambda: runner.stopping)
        told.append(jobs.stopping())
        return False

    runner.attach(ask, forever)
    runner.nudge()
    assert step.begun.wait(PATIENCE)
    step.let_go.set()
    runner.stop(PATIENCE)
    assert (told, jobs.stopping()) == ([False, True], False)


def test_stopping_waits_no_longer_than_it_was_told(runner: Embedded) -> None:
    """And what it did not wait for ends after its job."""
    step = Blocked()
    runner.attach(step, forever)
    runner.nudge()
    assert step.begun.wait(PATIENCE)
    runner.stop(0.0)
    assert not step.ended.is_set()
    step.let_go.set()
    for thread in list(runner._threads):
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_job_may_stop_its_own_runner(runner: Embedded) -> None:
    stopped = threading.Event()

    def step() -> bool:
        runner.stop(PATIENCE)
        stopped.set()
        return True

    runner.attach(step, forever)
    runner.nudge()
    assert stopped.wait(PATIENCE)


def test_a_process_without_room_for_threads_loses_no_nudge(
    runner: Embedded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is due is recorded: a nudge that cannot be followed must not fail who gave it."""

    def full(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    step = Counting(1)
    runner.attach(step, forever)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(threading.Thread, "start", full)
        runner.nudge()
    assert "no thread could be started" in caplog.text
    runner.nudge()
    assert step.idle.wait(PATIENCE)


def test_after_a_fork_a_lock_that_a_thread_held_does_not_stay(runner: Embedded) -> None:
    """The child has no thread that could let go of it. (tests/test_site.py forks for real)"""
    step = Counting(1)
    runner.attach(step, forever)
    held = runner._wake
    with held:
        forks._after_fork()
        nudging = threading.Thread(target=runner.nudge, daemon=True)
        nudging.start()
        assert step.idle.wait(PATIENCE)
        nudging.join(PATIENCE)


def test_a_stopped_runner_stays_stopped_after_a_fork(runner: Embedded) -> None:
    step = Counting(1)
    runner.attach(step, forever)
    runner.stop()
    forks._after_fork()
    runner.nudge()
    assert runner._threads == []
    assert step.left == 1


def test_one_that_cannot_see_to_itself_in_a_child_keeps_no_other_from_it(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def renew(self) -> None:
            raise OSError("the descriptor is closed")

    class Sound:
        renewed = 0

        def renew(self) -> None:
            self.renewed += 1

    broken, sound = Broken(), Sound()
    forks.in_child(broken, Broken.renew)
    forks.in_child(sound, Sound.renew)
    forks._after_fork()
    assert sound.renewed == 1
    assert "not ready for use in a child" in caplog.text
