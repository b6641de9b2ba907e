"""What strangers send to the endpoints (security.md A1, B1 to B14): each request of `requests.json` is answered."""

from __future__ import annotations

import contextlib
import io
import re
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
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
from tests.hostile.requests import HOME, NONE, TAKEN, TARGET, Sent, sent, word_for
from tests.serving import served

SENT = sent()
#: for all of them: a second for each
BUDGET = float(len(SENT))
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

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


class Allowance:
    """Time for many things together."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    @contextlib.contextmanager
    def spending(self) -> Iterator[float]:
        """What is left, less what this takes."""
        assert self._left > 0, "the requests took too long"
        began = time.monotonic()
        yield self._left
        self._left -= time.monotonic() - began


@pytest.fixture(scope="module")
def allowance() -> Allowance:
    return Allowance(BUDGET)


def resolve(url: str) -> str | None:
    return url if url == TARGET else None


class Listening(Site):
    """A site that remembers what it took."""

    taken: list[str]

    def receive(self, claim: Claim, *, client: str = "") -> Receipt:
        receipt = super().receive(claim, client=client)
        self.taken.append(receipt.id)
        return receipt

    def recorded(self) -> int:
        """How many claims were taken since this was asked last; each is recorded."""
        ids, self.taken = self.taken, []
        assert all(record is not None and record.open for record in map(self.claim, ids))
        return len(ids)


@contextlib.contextmanager
def listening(fetch: Fetch) -> Iterator[Listening]:
    """A site of one page, whose claims wait until it is drained."""
    policy = Policy(settle_seconds=0)
    with Listening(HOME, store="sqlite://", fetch=fetch, policy=policy, runner=External(), resolve=resolve) as site:
        site.taken = []
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
def site() -> Iterator[Listening]:
    with listening(FakeWeb()) as site:
        yield site


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
@pytest.mark.parametrize("request_", SENT, ids=lambda request: request.id)
def test_a_request_is_answered_as_its_protocol_says(request_: Sent, site: Listening, allowance: Allowance) -> None:
    """A claim is recorded where it was taken, and nowhere else; no more is read than the longest ping has."""
    stream = io.BytesIO(request_.body)
    told: dict[str, Any] = {}
    path, _, query = request_.path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request_.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "target.test",
        "wsgi.url_scheme": "http",
        "wsgi.input": stream,
    }
    names = {"Content-Type": "CONTENT_TYPE", "Content-Length": "CONTENT_LENGTH"}
    given = [*request_.headers, *([("Content-Length", request_.length)] if request_.length is not None else [])]
    environ |= {names.get(name, f"HTTP_{name.upper().replace('-', '_')}"): value for name, value in given}

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
        told["status"], told["headers"] = status, headers
        return lambda data: None

    with allowance.spending() as left, interrupted(left), watched() as connected:
        body = b"".join(site.wsgi()(environ, start))
    answer = word_for(int(told["status"][:3]), body)
    assert (answer, site.recorded()) == (request_.answer, int(request_.answer == TAKEN))
    assert connected == []
    assert stream.tell() <= App(site).max_body(path) + 1
    check_answer(request_, told["headers"], body)


# the same over sockets, at the server of `linkback serve`


class Served:
    """The endpoints of a site, served; its door finds every name at this machine, which is closed to it."""

    def __init__(self, site: Listening, url: str) -> None:
        self.site = site
        self.address = (urlsplit(url).hostname, urlsplit(url).port)


@contextlib.contextmanager
def at_a_server() -> Iterator[Served]:
    def here(host: str, port: int | str | None, *rest: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(port or 0)))]

    with listening(Fetcher(resolver=here)) as site, served(site.wsgi()) as url:
        yield Served(site, url)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with at_a_server() as server:
        yield server


def exchanged(request: Sent, address: tuple[str | None, int | None], seconds: float) -> bytes:
    """Send a request, and give all that comes back; b"" where the connection ends without an answer."""
    length = [] if request.length is None else [("Content-Length", request.length)]
    fields = [("Host", "target.test"), ("Connection", "close"), *request.headers, *length]
    head = f"{request.method} {request.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
    to_send = memoryview(head.encode("latin-1") + b"\r\n" + request.body)
    end, parts = time.monotonic() + seconds, bytearray()
    with socket.create_connection(address, timeout=seconds) as sock:
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
                    if not to_send and request.cut:
                        sock.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                # a server need not read to its end what it has refused
                to_send = memoryview(b"")
                if readable:
                    return bytes(parts)
    raise TimeoutError(f"no answer to {request.id}")


@pytest.mark.parametrize("request_", SENT, ids=lambda request: request.id)
def test_a_served_request_is_answered_as_its_protocol_says(
    request_: Sent, server: Served, allowance: Allowance
) -> None:
    with allowance.spending() as left, watched() as connected:
        whole = exchanged(request_, server.address, left)
    head, _, body = whole.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    answer = word_for(int(line.split()[1]), body) if whole else NONE
    # half a request is none, and its sender has hung up
    assert answer == (NONE if request_.cut else request_.answer)
    assert server.site.recorded() == int(answer == TAKEN)
    assert {tuple(each) for each in connected if isinstance(each, tuple)} == {server.address}
    assert [field for field in fields if CONTROLS.search(field)] == []


def test_what_was_taken_is_judged_where_it_is_fetched_and_nothing_is_connected_to() -> None:
    """Addresses of this machine and of a cloud's metadata among them, in several spellings."""
    with at_a_server() as server:
        for request in SENT:
            if request.answer == TAKEN:
                exchanged(request, server.address, BUDGET)
        assert server.site.recorded() > 40
        with watched() as connected:
            assert server.site.drain() > 10
        assert connected == []
        assert server.site.mentions(statuses=tuple(Status)) == []
