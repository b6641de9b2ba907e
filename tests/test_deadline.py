"""The deadline cuts from outside what cannot look at a clock, and says so."""

import os
import select
import signal
import socket
import threading
import warnings
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from linkback import deadline as module
from linkback.deadline import Deadline


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    # only so that a broken watchdog fails the test instead of hanging it
    ours.settimeout(20)
    with ours, theirs:
        yield ours, theirs


def test_a_read_that_would_never_end_is_cut_and_the_clock_says_why(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    with Deadline(0.05) as deadline:
        deadline.watch(ours)
        assert ours.recv(1) == b""
        assert deadline.passed
        with pytest.raises(TimeoutError, match=r"0\.05 s"):
            deadline.remaining()


def test_only_the_socket_watched_last_is_cut(pair: tuple[socket.socket, socket.socket]) -> None:
    """A redirect leaves one connection for the next."""
    ours, _ = pair
    other, other_end = socket.socketpair()
    with other, other_end, Deadline(0.05) as deadline:
        deadline.watch(other)
        deadline.watch(ours)
        assert ours.recv(1) == b""
        other_end.sendall(b"x")
        assert other.recv(1) == b"x"


def test_a_released_socket_is_not_cut(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with Deadline(0) as deadline:
        deadline.watch(ours)
        deadline.release()
        deadline.cut()
    theirs.sendall(b"x")
    assert ours.recv(1) == b"x"


def test_leaving_the_context_leaves_the_socket_to_its_owner(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with Deadline(60) as deadline:
        deadline.watch(ours)
    deadline.cut()
    theirs.sendall(b"x")
    assert ours.recv(1) == b"x"


def test_a_socket_that_is_not_connected_can_be_cut() -> None:
    with socket.socket() as sock, Deadline(60) as deadline:
        deadline.watch(sock)
        deadline.cut()
        assert deadline.remaining() > 0


def test_deadlines_are_kept_whatever_order_they_come_in() -> None:
    """The watchdog sleeps until the nearest end, also when that one is added last."""
    ends = (30.0, 0.1, 20.0, 0.05)
    pairs = [socket.socketpair() for _ in ends]
    deadlines = [Deadline(seconds) for seconds in ends]
    for deadline, (ours, _) in zip(deadlines, pairs, strict=True):
        ours.settimeout(20)
        deadline.__enter__()
        deadline.watch(ours)
    assert pairs[3][0].recv(1) == b""
    assert pairs[1][0].recv(1) == b""
    assert not deadlines[0].passed
    readable, _, _ = select.select([pairs[0][0], pairs[2][0]], [], [], 0)
    assert readable == []
    for deadline, both in zip(deadlines, pairs, strict=True):
        deadline.release()
        for sock in both:
            sock.close()


def test_a_call_gives_its_result_or_its_own_error() -> None:
    deadline = Deadline(20)
    assert deadline.run(lambda: 42) == 42
    with pytest.raises(LookupError, match="mine"):
        deadline.run(_raises)


def _raises() -> int:
    raise LookupError("mine")


def test_a_call_that_hangs_is_left_behind() -> None:
    free = threading.Event()
    with pytest.raises(TimeoutError, match=r"0\.05 s"):
        Deadline(0.05).run(free.wait)
    free.set()


def test_calls_that_hang_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that hangs for ever costs a bounded number of threads; then calls wait for a free one."""
    monkeypatch.setattr(module, "_calls", threading.BoundedSemaphore(1))
    free = threading.Event()
    with pytest.raises(TimeoutError):
        Deadline(0.05).run(free.wait)
    with pytest.raises(TimeoutError, match="no thread was free"):
        Deadline(0.05).run(lambda: pytest.fail("there was no thread for this"))
    free.set()
    assert Deadline(20).run(lambda: 1) == 1


def test_thirty_two_calls_may_hang_and_the_next_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_watchdog", module._watchdog)
    monkeypatch.setattr(module, "_calls", module._calls)
    module._renew()
    free = threading.Event()
    for _ in range(32):
        with pytest.raises(TimeoutError, match="no result"):
            Deadline(0.01).run(free.wait)
    with pytest.raises(TimeoutError, match="no thread was free"):
        Deadline(0.01).run(free.wait)
    free.set()
    assert Deadline(20).run(lambda: 1) == 1


@pytest.mark.parametrize(("after", "left"), [(0.0, 10.0), (9.75, 0.25), (10.0, 0.0), (10.25, 0.0)])
def test_time_is_up_at_its_end_and_not_before(after: float, left: float, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    deadline = Deadline(10)
    now += after
    assert deadline.passed is (left == 0)
    if left:
        assert deadline.remaining() == left
    else:
        with pytest.raises(TimeoutError, match="after 10 s"):
            deadline.remaining()


def test_a_system_without_threads_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """No watchdog, no exchange; and the room taken for the call is given back."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module, "_watchdog", module._Watchdog())
    monkeypatch.setattr(module, "_calls", threading.BoundedSemaphore(1))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="no thread"):
            Deadline(20).__enter__()
        with pytest.raises(OSError, match="no thread"):
            Deadline(20).run(lambda: 1)
    assert Deadline(20).run(lambda: 1) == 1
    with Deadline(20):
        pass


def test_a_forked_child_has_a_watchdog_and_room_for_calls_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    former = module._watchdog
    monkeypatch.setattr(module, "_watchdog", former)
    monkeypatch.setattr(module, "_calls", threading.BoundedSemaphore(1))
    assert module._calls.acquire(blocking=False)
    module._renew()
    assert module._watchdog is not former
    assert module._calls.acquire(blocking=False)
    assert Deadline(20).run(lambda: 1) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_deadlines_hold_after_a_fork(pair: tuple[socket.socket, socket.socket]) -> None:
    """Servers fork their workers after the library has been used; the watchdog's thread stays behind."""
    ours, _ = pair
    with Deadline(60), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            _exit_with(_is_cut(ours))
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def _exit_with(good: bool) -> None:
    os._exit(0 if good else 1)


def _is_cut(sock: socket.socket) -> bool:
    signal.alarm(20)
    with Deadline(0.05) as deadline:
        deadline.watch(sock)
        return sock.recv(1) == b"" and deadline.passed
