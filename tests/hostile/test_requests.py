"""What strangers send to the endpoints (security.md A1, B1 to B14): each request of `requests.json` is answered.

Rule: an answer is there within a second of the request's first byte, its sending included. Each is whole or hangs up;
who drips is told so by the server in his own time (`tests/test_server.py`).
"""

from __future__ import annotations

import contextlib
import io
import re
import select
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.model import Claim, Receipt, Status
from linkback.policy import Policy
from linkback.site import Site
from linkback.testing import FakeWeb
from linkback.web.app import App
from linkback.wire import Fetch
from tests.hostile.requests import HOME, NONE, TAKEN, TARGET, Made, Sent, sent, word_for
from tests.patience import PATIENCE
from tests.serving import served

SENT = sent()
#: how long each of them may wait for its answer, in seconds
MOST_SECONDS = 1.0
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

T = TypeVar("T")

_connected: list[object] = []
_watching = threading.Event()


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching.is_set() and event in ("socket.connect", "socket.getaddrinfo"):
        _connected.append(arguments[1] if event == "socket.connect" else arguments[0])


@cache
def _hooked() -> None:
    # it stays for the life of the process
    sys.addaudithook(_watch)


@contextlib.contextmanager
def watched() -> Iterator[list[object]]:
    """Where this process connects to, or whose address it asks for, meanwhile."""
    _hooked()
    _connected.clear()
    _watching.set()
    try:
        yield _connected
    finally:
        _watching.clear()


def promptly(ask: Callable[[], T]) -> T:
    """What is answered in time. Where that was late, it is asked once more, and the better of two counts.

    What takes long takes long each time; but a machine that others use as well may stand still once.
    """
    for _ in range(2):
        began = time.monotonic()
        found = ask()
        if time.monotonic() - began <= MOST_SECONDS:
            return found
    raise AssertionError(f"twice no answer within {MOST_SECONDS:.0f} s")


def resolve(url: str) -> str | None:
    return url if url == TARGET else None


class Listening(Site):
    """A site that remembers what it took."""

    taken: set[str]
    path: Path

    def receive(self, claim: Claim, *, client: str = "") -> Receipt:
        receipt = super().receive(claim, client=client)
        self.taken.add(receipt.id)
        return receipt

    def recorded(self) -> int:
        """How many different claims were taken since this was asked last; each is recorded."""
        ids, self.taken = self.taken, set()
        assert all(record is not None and record.open for record in map(self.claim, ids))
        return len(ids)

    def rows(self) -> int:
        """How many rows there are in the database."""
        with contextlib.closing(sqlite3.connect(self.path)) as probe:
            names = [name for (name,) in probe.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return sum(probe.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names)


@contextlib.contextmanager
def listening(folder: Path, fetch: Fetch) -> Iterator[Listening]:
    """A site of one page, whose claims wait until it is drained."""
    path, policy = folder / "linkback.db", Policy(settle_seconds=0)
    with Listening(
        HOME, store=f"sqlite:///{path}", fetch=fetch, policy=policy, runner=External(), resolve=resolve
    ) as site:
        site.taken, site.path = set(), path
        yield site


@contextlib.contextmanager
def interrupted(seconds: float) -> Iterator[None]:
    """Let nothing here take longer."""

    def end(number: int, frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check_answer(request: Sent, headers: list[tuple[str, str]], body: bytes) -> None:
    """What holds for every answer of ours: nothing of the request is in it, and it is harmless."""
    fields = {name.lower(): value for name, value in headers}
    assert [pair for pair in headers if CONTROLS.search("".join(pair))] == []
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["content-security-policy"] == "default-src 'none'"
    assert b"source.test" not in body + repr(headers).encode()
    if request.answer == "405":
        assert fields["allow"] == "POST"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    with listening(tmp_path_factory.mktemp("site"), FakeWeb()) as site:
        yield site


def asked(site: Site, made: Made) -> tuple[int, list[tuple[str, str]], bytes, int]:
    """The status, header fields and body that a site answers a request by, and how many bytes it read."""
    stream = io.BytesIO(made.body)
    told: dict[str, Any] = {}
    path, _, query = made.path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": made.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "target.test",
        "wsgi.url_scheme": "http",
        "wsgi.input": stream,
    }
    names = {"Content-Type": "CONTENT_TYPE", "Content-Length": "CONTENT_LENGTH"}
    given = [*made.headers, *([("Content-Length", made.length)] if made.length is not None else [])]
    environ |= {names.get(name, f"HTTP_{name.upper().replace('-', '_')}"): value for name, value in given}

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
        told["status"], told["headers"] = status, headers
        return lambda data: None

    with interrupted(PATIENCE):
        body = b"".join(site.wsgi()(environ, start))
    return int(told["status"][:3]), told["headers"], body, stream.tell()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
@pytest.mark.parametrize("request_", SENT, ids=lambda request: request.id)
def test_a_request_is_answered_as_its_protocol_says(request_: Sent, site: Listening) -> None:
    """A claim is recorded where it was taken, and nowhere else; no more is read than the longest ping has."""
    made, rows = request_.made(), site.rows()
    with watched() as connected:
        status, headers, body, read = promptly(lambda: asked(site, made))
    answer = word_for(status, body)
    assert (answer, site.recorded()) == (request_.answer, int(request_.answer == TAKEN))
    assert answer == TAKEN or site.rows() == rows
    assert connected == []
    assert read <= App(site).max_body(made.path.partition("?")[0]) + 1
    check_answer(request_, headers, body)


# the same over sockets, at the server of `linkback serve`


class Served:
    """The endpoints of a site, served; its door finds every name at this machine, which is closed to it."""

    def __init__(self, site: Listening, url: str) -> None:
        self.site = site
        self.address = (urlsplit(url).hostname, urlsplit(url).port)


@contextlib.contextmanager
def at_a_server(folder: Path) -> Iterator[Served]:
    def here(host: str, port: int | str | None, *rest: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(port or 0)))]

    with listening(folder, Fetcher(resolver=here)) as site, served(site.wsgi()) as url:
        yield Served(site, url)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with at_a_server(tmp_path_factory.mktemp("server")) as server:
        yield server


def exchanged(made: Made, address: tuple[str | None, int | None]) -> bytes:
    """Send a request, and give all that comes back; b"" where the connection ends without an answer."""
    length = [] if made.length is None else [("Content-Length", made.length)]
    fields = [("Host", "target.test"), ("Connection", "close"), *made.headers, *length]
    head = f"{made.method} {made.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
    to_send = memoryview(head.encode("latin-1") + b"\r\n" + made.body)
    end, parts = time.monotonic() + PATIENCE, bytearray()
    with socket.create_connection(address, timeout=PATIENCE) as sock:
        sock.setblocking(False)
        while time.monotonic() < end:
            readable, writable, _ = select.select(
                [sock], [sock] if to_send else [], [], max(0.0, end - time.monotonic())
            )
            try:
                if readable:
                    data = sock.recv(65536)
                    parts += data
                    if not data:
                        return bytes(parts)
                elif writable:
                    to_send = to_send[sock.send(to_send[:65536]) :]
                    if not to_send and made.cut:
                        sock.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                # a server need not read to its end what it has refused
                to_send = memoryview(b"")
                if readable:
                    return bytes(parts)
    raise TimeoutError("no answer came")


@pytest.mark.parametrize("request_", SENT, ids=lambda request: request.id)
def test_a_served_request_is_answered_as_its_protocol_says(request_: Sent, server: Served) -> None:
    made, rows = request_.made(), server.site.rows()
    with watched() as connected:
        whole = promptly(lambda: exchanged(made, server.address))
    head, _, body = whole.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    answer = word_for(int(line.split()[1]), body) if whole else NONE
    # half a request is none, and its sender has hung up
    assert answer == (NONE if made.cut else request_.answer)
    assert server.site.recorded() == int(answer == TAKEN)
    assert answer == TAKEN or server.site.rows() == rows
    assert {tuple(each) for each in connected if isinstance(each, tuple)} == {server.address}
    assert [field for field in fields if CONTROLS.search(field)] == []


def test_what_was_taken_is_judged_where_it_is_fetched_and_nothing_is_connected_to(tmp_path: Path) -> None:
    """Addresses of this machine and of a cloud's metadata among them, in several spellings."""
    with at_a_server(tmp_path) as server:
        for request in SENT:
            if request.answer == TAKEN:
                exchanged(request.made(), server.address)
        assert server.site.recorded() > 20
        with watched() as connected:
            assert server.site.drain() > 10
        assert connected == []
        assert server.site.mentions(statuses=tuple(Status)) == []
