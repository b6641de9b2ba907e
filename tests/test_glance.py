"""What is counted is counted once in some seconds, by one of those who ask."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from linkback.glance import GLANCE_SECONDS, Glance


class Ticks:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


def test_what_was_seen_is_believed_for_some_seconds(ticks: Ticks) -> None:
    glance, numbers = Glance(0, clock=ticks), iter(range(1, 9))
    seen = []
    for second in (0.0, 1.0, GLANCE_SECONDS - 0.1, GLANCE_SECONDS, GLANCE_SECONDS + 1):
        ticks.now = second
        seen.append(glance.of(lambda: next(numbers)))
    assert seen == [1, 1, 1, 2, 2]


def test_a_clock_that_is_set_back_has_it_look_again(ticks: Ticks) -> None:
    glance = Glance(0, clock=ticks)
    ticks.now = 1e9
    assert glance.is_due()
    ticks.now = 1e9 - 1
    assert glance.is_due()


def test_one_looks_and_the_others_go_by_what_is_known(ticks: Ticks) -> None:
    glance, looking, over = Glance(0, clock=ticks), threading.Event(), threading.Event()

    def look() -> int:
        looking.set()
        assert over.wait(10)
        return 1

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(glance.of, look)
        assert looking.wait(10)
        # however long it takes, a minute apart
        ticks.now += 59
        assert glance.of(lambda: 2) == 0
        over.set()
        assert first.result(10) == 1
    assert glance.of(lambda: 3) == 1


def test_a_look_that_failed_leaves_what_was_known(ticks: Ticks) -> None:
    glance = Glance(7, clock=ticks)
    with pytest.raises(ZeroDivisionError):
        glance.of(lambda: 1 // 0)
    assert glance.of(lambda: 8) == 7
