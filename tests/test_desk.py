"""The desk: one computes at a time, who waits is away, and nobody waits for it for ever."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linkback import Claim, Mention, Policy, Site, desk
from linkback.jobs import External
from linkback.store import checking
from linkback.testing import FakeWeb
from linkback.wire import Request, Response
from tests.patience import PATIENCE, until

BLOG, SOURCE = "https://bob.example", "https://alice.example/a"
TARGET = f"{BLOG}/post"
AT_ONCE = Policy(settle_seconds=0)
LINKING = f'<a href="{TARGET}">a post</a>'


def in_a_thread(what: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=what, daemon=True)
    thread.start()
    return thread


def is_free() -> bool:
    """Whether another thread could sit down now."""
    found: list[bool] = []

    def look() -> None:
        found.append(desk._desk._seat.acquire(blocking=False))
        if found[0]:
            desk._desk._seat.release()

    in_a_thread(look).join(PATIENCE)
    return found == [True]


@contextlib.contextmanager
def somebody_sits() -> Iterator[None]:
    sits, go = threading.Event(), threading.Event()

    def sit() -> None:
        with desk.seat():
            sits.set()
            go.wait(PATIENCE)

    thread = in_a_thread(sit)
    assert sits.wait(PATIENCE)
    try:
        yield
    finally:
        go.set()
        thread.join(PATIENCE)


@contextlib.contextmanager
def somebody_sits_after(absence: contextlib.AbstractContextManager[None]) -> Iterator[None]:
    """Somebody who sat down in the absence of this thread, and stays."""
    with contextlib.ExitStack() as stays:
        with absence:
            stays.enter_context(somebody_sits())
        yield


def test_one_sits_at_a_time() -> None:
    at_once, most = 0, []

    def work() -> None:
        nonlocal at_once
        with desk.seat():
            at_once += 1
            most.append(at_once)
            assert not is_free()
            at_once -= 1

    threads = [in_a_thread(work) for _ in range(8)]
    for thread in threads:
        thread.join(PATIENCE)
    assert most == [1] * 8


def test_who_is_away_lets_others_sit_and_comes_back() -> None:
    with desk.seat():
        assert not is_free()
        with desk.away():
            assert is_free()
            with desk.back():
                assert not is_free()
            assert is_free()
        assert not is_free()
    assert is_free()


def test_what_is_raised_away_from_it_finds_its_way() -> None:
    def fail() -> None:
        with desk.seat(), desk.away():
            raise ValueError("away")

    with pytest.raises(ValueError, match="away"):
        fail()
    assert is_free()


def test_work_within_work_sits_once() -> None:
    with desk.seat():
        with desk.seat():
            assert not is_free()
        assert not is_free()
    assert is_free()


def test_who_has_nothing_to_do_there_neither_leaves_nor_comes_back() -> None:
    with somebody_sits(), desk.away(), desk.back():
        assert not is_free()
    with desk.away(), desk.back():
        assert is_free()


def test_nobody_waits_for_it_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "_PATIENCE", 0.01)
    with somebody_sits():
        with desk.seat(), desk.away():
            pass
        assert is_free(), "the others have a new one, as this may be lost"
    assert is_free()


def test_who_works_for_others_that_wait_comes_back_only_where_it_is_free() -> None:
    come, gone = threading.Event(), threading.Event()

    def work() -> None:
        with desk.seat(), desk.away():
            come.set()
            gone.wait(PATIENCE)
            with desk.back():
                pass
            gone.clear()

    worker = in_a_thread(work)
    assert come.wait(PATIENCE)
    with somebody_sits():
        gone.set()
        until(lambda: not gone.is_set())
    worker.join(PATIENCE)
    assert is_free()


def test_who_was_away_briefly_sits_again_only_where_it_is_free() -> None:
    with desk.seat():
        with desk.away(briefly=True):
            pass
        assert not is_free()
        with somebody_sits_after(desk.away(briefly=True)):
            assert desk._desk._here.seat is None
    assert is_free()


def test_who_is_interrupted_while_it_waits_may_sit_another_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def acquire(self, *given: object, **named: object) -> bool:
            raise KeyboardInterrupt

    def sit() -> None:
        with desk.seat():
            raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(desk._desk, "_seat", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            sit()
    with desk.seat():
        assert not is_free()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_in_a_child_nobody_sits() -> None:
    with somebody_sits():
        child = os.fork()
        if child == 0:
            os._exit(0 if is_free() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("database", ["sqlite:///{}/linkback.db", "sqlite://"])
def test_the_host_and_the_network_are_waited_for_away_from_it(tmp_path: Path, database: str) -> None:
    """What they do may need another thread, and that one the desk."""
    asked: dict[str, bool] = {}

    def page(request: Request) -> Response:
        asked["fetch"] = is_free()
        return Response(200, (("Content-Type", "text/html"),), LINKING.encode())

    def resolve(url: str) -> str:
        asked["resolve"] = is_free()
        return url

    def told(mention: Mention) -> None:
        asked["hook"] = is_free()

    web = FakeWeb({SOURCE: page})
    with Site(
        BLOG,
        store=database.format(tmp_path),
        fetch=web,
        policy=AT_ONCE,
        resolve=resolve,
        on_mention=told,
        runner=External(),
    ) as site:
        site.receive(Claim("webmention", SOURCE, TARGET))
        asked.clear()
        site.drain()
        assert len(site.mentions(TARGET)) == 1
    assert asked == {"fetch": True, "resolve": True, "hook": True}


def test_a_page_is_read_and_recorded_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[bool] = []

    def look(*given: object, **named: object) -> None:
        found.append(is_free())
        real(*given, **named)

    real: Callable[..., None] = checking.finish
    monkeypatch.setattr(checking, "finish", look)
    web = FakeWeb({SOURCE: LINKING})
    store = f"sqlite:///{tmp_path}/linkback.db"
    with Site(
        "https://bob.example", store=store, fetch=web, policy=Policy(settle_seconds=0), runner=External()
    ) as site:
        site.receive(Claim("webmention", SOURCE, TARGET))
        site.drain()
        assert len(site.mentions(TARGET)) == 1
    assert found == [False]
