"""Calls of one moment are done as one: nobody comes back before his is done, and what broke off is told to all."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence

import pytest

from linkback.errors import StoreError
from linkback.store.together import Together
from tests.patience import PATIENCE, until


class Work:
    """Doubles numbers, holding the first batch until the others wait."""

    def __init__(self, most: int = 100, error: BaseException | None = None) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.error = error
        self.together: Together[int, int] = Together(self.do, most)

    def do(self, given: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(given))
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        if self.error is not None and len(self.batches) == 2:
            raise self.error
        return [number * 2 for number in given]

    def waiting(self) -> int:
        return len(self.together._waiting)


def outcomes(work: Work, calls: int, then: Callable[[], None] = lambda: None) -> dict[int, object]:
    """What became of some calls: number 0 works alone until all the others wait for it."""
    found: dict[int, object] = {}

    def call(number: int) -> None:
        try:
            found[number] = work.together(number)
        except BaseException as error:  # noqa: BLE001 - it is what is asked for
            found[number] = error

    threads = [threading.Thread(target=call, args=(number,)) for number in range(calls)]
    threads[0].start()
    assert work.begun.wait(PATIENCE)
    for count, thread in enumerate(threads[1:], 1):
        thread.start()
        until(lambda count: work.waiting() >= count, count)
    then()
    work.go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    return found


def test_those_that_wait_are_done_as_one_and_each_gets_its_own() -> None:
    work = Work()
    assert outcomes(work, 6) == {number: number * 2 for number in range(6)}
    assert work.batches == [[0], [1, 2, 3, 4, 5]]


@pytest.mark.parametrize(("most", "batches"), [(1, [[0], [1], [2], [3]]), (2, [[0], [1, 2], [3]])])
def test_no_more_than_so_many_are_done_at_once(most: int, batches: list[list[int]]) -> None:
    work = Work(most)
    assert outcomes(work, 4) == {number: number * 2 for number in range(4)}
    assert work.batches == batches


@pytest.mark.parametrize("error", [StoreError("the disk is full"), ValueError("the disk is full"), SystemExit()])
def test_what_broke_off_is_told_to_all_it_was_for_and_to_nobody_else(error: BaseException) -> None:
    work = Work(most=2, error=error)
    found = outcomes(work, 4)
    assert found[0] == 0
    assert found[1] is error, "its own thread met it"
    assert isinstance(found[2], StoreError)
    assert found[2] is not error, "an exception belongs to one thread"
    assert found[2].__cause__ is error
    assert found[3] == 6


def test_a_thread_that_is_interrupted_while_it_waits_leads_nobody() -> None:
    """Those behind it are done all the same."""
    work, here = Work(most=1), threading.get_ident()
    # whoever began the tests in the background had it ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    found: list[int] = []
    threads = [threading.Thread(target=lambda number=number: found.append(work.together(number))) for number in (0, 2)]

    def interrupt() -> None:
        until(lambda: work.waiting() == 1)
        threads[1].start()
        until(lambda: work.waiting() == 2)
        signal.pthread_kill(here, signal.SIGINT)

    threads[0].start()
    assert work.begun.wait(PATIENCE)
    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        work.together(1)
    signal.signal(signal.SIGINT, before)
    work.go_on.set()
    for thread in (*threads, other):
        thread.join(PATIENCE)
    assert sorted(found) == [0, 4]
    assert work.batches == [[0], [2]]


def test_after_a_fork_the_child_begins_anew() -> None:
    """Whatever the parent's threads were about."""
    work = Work()
    work.go_on.set()
    with work.together._lock:
        work.together._led = True
        child = os.fork()
        if child == 0:  # pragma: no cover  (the child's lines are not measured)
            os._exit(0 if work.together(4) == 8 else 1)
        work.together._led = False
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
