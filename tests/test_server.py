"""The server on real loopback sockets."""

from __future__ import annotations

import contextlib
import http.client
import logging
import socket
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from linkback.adapters.server import Server, require
from linkback.errors import ConfigurationError
from tests.patience import until
from tests.serving import pages, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


def test_an_application_answers_at_the_url_it_says() -> None:
    with served(pages({"/": "hello"})) as url, urllib.request.urlopen(url) as response:
        assert response.read() == b"hello"


def test_it_listens_on_ipv6_too() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        server = Server(pages({}), "[::1]:0")
    except ConfigurationError:
        pytest.skip("this machine has no IPv6 loopback")
    assert server.url.startswith("http://[::1]:")
    server.close()
    server.serve()


@pytest.mark.parametrize("bind", ["nonsense", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x", "no.such.host.invalid:0"])
def test_an_address_that_is_none_is_said_so(bind: str) -> None:
    with pytest.raises(ConfigurationError):
        Server(pages({}), bind)


def test_that_a_request_waits_for_a_thread_is_no_news() -> None:
    """Under load there would be a line of it for each."""
    with served(pages({})):
        assert not logging.getLogger("waitress.queue").isEnabledFor(logging.WARNING)


@pytest.mark.parametrize(("proxies", "client"), [((), "127.0.0.1"), (("127.0.0.1",), "8.8.8.8")])
def test_a_proxy_is_believed_who_the_client_is_where_it_was_named(proxies: tuple[str, ...], client: str) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        told = [name for name in environ if "FORWARDED" in name]
        return [f"{environ['REMOTE_ADDR']} {told}".encode()]

    headers = {"X-Forwarded-For": "9.9.9.9, 8.8.8.8", "X-Forwarded-Proto": "https", "Forwarded": "for=9.9.9.9"}
    with served(application, proxies=proxies) as url:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request) as response:
            assert response.read().decode() == f"{client} []"


def test_a_taken_port_is_said_so() -> None:
    with served(pages({})) as url, pytest.raises(ConfigurationError, match="cannot listen"):
        Server(pages({}), url.removeprefix("http://"))


def test_without_waitress_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "waitress.server", None)
    with pytest.raises(ConfigurationError, match=r"linkback\[server\]"):
        Server(pages({}), "127.0.0.1:0")
    with pytest.raises(ConfigurationError, match=r"linkback\[server\]"):
        require()


def test_with_waitress_nothing_is_required() -> None:
    require()


def test_a_thread_that_sends_is_not_disturbed_by_the_loop() -> None:
    """It would try again and again what that thread does, and keep it from the interpreter."""
    seen: list[bool] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        channel = environ["waitress.client_disconnected"].__self__
        with channel.outbuf_lock, ThreadPoolExecutor(1) as loop:
            channel.total_outbufs_len = 1
            seen.append(bool(loop.submit(channel.writable).result()))
        seen.append(bool(channel.writable()))
        channel.total_outbufs_len = 0
        start_response("200 OK", [])
        return [b"hello"]

    with served(application) as url, urllib.request.urlopen(url) as response:
        assert response.read() == b"hello"
    assert seen == [False, True]


def test_a_long_answer_reaches_a_reader_that_waits_in_between() -> None:
    long = "x" * 20_000_000
    with served(pages({"/": long})) as url, urllib.request.urlopen(url) as response:
        first = response.read(1)
        assert first + response.read() == long.encode()


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"


@pytest.mark.parametrize(
    "start", [HEAD, HEAD + b"\r\n", HEAD + b"Expect: 100-continue\r\n\r\n"], ids=["head", "body", "100"]
)
def test_a_request_that_drips_is_answered_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    """B12: each byte would have the server's own timeout begin anew."""
    monkeypatch.setattr("linkback.adapters.server._REQUEST_SECONDS", 1.0)
    with served(pages({"/": "hello"})) as url:
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=0.1) as sock:
            sock.sendall(start)
            heard = _dripped(sock)
        with urllib.request.urlopen(url) as response:
            assert response.read() == b"hello"
    assert heard.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").startswith(
        b"HTTP/1.0 408 " if start == HEAD else b"HTTP/1.1 408 "
    )


def _dripped(sock: socket.socket) -> bytes:
    """What a server says to a client that sends a byte now and then, until it hangs up."""
    heard = b""
    for _ in range(600):
        with contextlib.suppress(TimeoutError):
            try:
                data = sock.recv(4096)
            except ConnectionError:
                return heard
            if not data:
                return heard
            heard += data
        with contextlib.suppress(ConnectionError):
            sock.send(b"x")
    raise AssertionError(f"still there after {heard!r}")


NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKS = b"0\r\n\r\n"
UNCERTAIN = {
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "the other way round": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + CHUNKS,
    "a coding that HTTP/1.0 does not have": b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "two numbers": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
}
CERTAIN = {
    "a length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    "chunks": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" + CHUNKS,
    "no body": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


def heard_after(sent: bytes) -> list[bytes]:
    """The first lines of what a server says to bytes on one connection, until it hangs up."""
    with (
        served(pages({"/": "hello", "/next": "again"})) as url,
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as sock,
    ):
        sock.sendall(sent)
        heard = b"".join(iter(partial(sock.recv, 4096), b""))
    return [line for line in heard.split(b"\r\n") if b"HTTP/1." in line]


@pytest.mark.parametrize("request_", UNCERTAIN.values(), ids=list(UNCERTAIN))
def test_a_request_of_an_uncertain_length_is_refused_and_ends_its_connection(request_: bytes) -> None:
    """RFC 9112, 6.1 and 6.3: what one server takes for its body is another's next request."""
    [line] = heard_after(request_ + NEXT)
    assert line.split()[1] == b"400"


@pytest.mark.parametrize("request_", CERTAIN.values(), ids=list(CERTAIN))
def test_a_request_of_a_certain_length_is_followed_by_the_next(request_: bytes) -> None:
    assert [line.split()[1] for line in heard_after(request_ + NEXT)] == [b"200", b"200"]


def test_a_connection_without_a_sign_of_life_is_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linkback.adapters.server._IDLE_SECONDS", 1)
    with served(pages({"/": "hello"})) as url:
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=30) as sock:
            assert sock.recv(1) == b""
        with urllib.request.urlopen(url) as response:
            assert response.read() == b"hello"


def test_a_hundred_connections_are_taken_and_the_next_when_one_has_gone() -> None:
    """What is not taken waits in the system, and is answered then."""

    def connect() -> http.client.HTTPConnection:
        client = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        client.request("GET", "/")
        return client

    def ask(client: http.client.HTTPConnection) -> bytes:
        client.request("GET", "/")
        return client.getresponse().read()

    with served(pages({"/": "hello"})) as url, contextlib.ExitStack() as stack:
        known = [stack.enter_context(contextlib.closing(connect())) for _ in range(100)]
        assert [client.getresponse().read() for client in known] == [b"hello"] * 100
        late = stack.enter_context(contextlib.closing(connect()))
        # each answer says that the server has looked once more at all that wants something of it
        assert [ask(client) for client in known[:3]] == [b"hello"] * 3
        late.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            late.sock.recv(1)
        known[50].close()
        late.sock.settimeout(30)
        assert late.getresponse().read() == b"hello"


def test_the_time_is_that_of_one_request_and_not_of_its_connection() -> None:
    channels: list[Any] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        channel = environ["waitress.client_disconnected"].__self__
        # as if this request had begun long ago
        channel._awaited = (object(), 0.0)
        channels.append(channel)
        start_response("200 OK", [("Content-Length", "5")])
        return [b"hello"]

    def is_received() -> bool:
        return channels[0].request is not None and channels[0].request.headers_finished

    with served(application) as url:
        client = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        for _ in range(3):
            client.putrequest("POST", "/")
            client.putheader("Content-Length", "2")
            client.endheaders(b"a")
            if channels:
                until(is_received)
                channels[0].hurry(time.monotonic())
            client.send(b"b")
            assert client.getresponse().read() == b"hello"
        client.close()
