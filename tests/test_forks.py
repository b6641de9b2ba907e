"""A child of a fork is kept by nothing that a thread of its parent held at that moment."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from linkback import domains
from linkback.forgetting import Forgetting
from linkback.glance import Glance
from linkback.places import Places
from linkback.store import Place

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
#: what a thread holds, and whether a child can do all the same what needs it
Held = tuple[AbstractContextManager[object], Callable[[], bool]]


def places() -> Held:
    places = Places(1)
    return places.free, lambda: places.free.acquire(blocking=False)


def glance() -> Held:
    glance = Glance(0)
    return glance._lock, lambda: glance.of(lambda: 1) == 1


def suffixes() -> Held:
    return domains._suffixes._lock, lambda: domains.registrable("https://fork.blog.example.co.uk/") == "example.co.uk"


@dataclass
class Remembering:
    """A store that can forget, and notes from where on it was asked to."""

    asked: list[Place] = field(default_factory=list)

    def anywhere(self) -> Place:
        return Place()

    def forget(self, place: Place, **how: object) -> Place:
        self.asked.append(place)
        return Place(None, None)


def forgetting() -> Held:
    store = Remembering()
    forgetting = Forgetting(store, lambda site, now: now)  # type: ignore[arg-type]

    def forgets() -> bool:
        forgetting.step(datetime.now(UTC))
        return store.asked == [Place()]

    return forgetting._lock, forgets


@pytest.mark.parametrize("make", [places, glance, suffixes, forgetting])
def test_a_child_has_what_a_thread_of_its_parent_held(make: Callable[[], Held]) -> None:
    held, works = make()
    with held:
        child = os.fork()
        if child == 0:  # pragma: no cover  (the child's lines are not measured)
            signal.alarm(10)
            os._exit(0 if works() else 1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0
