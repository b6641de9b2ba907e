"""The door to the network, tried over real sockets on loopback."""

import dataclasses
import gzip
import importlib.metadata
import json
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import typing
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from linkback import fetch as module
from linkback.errors import Blocked, ConfigurationError, TimedOut, TooManyRedirects, Unreachable
from linkback.fetch import Fetcher, Limits, Openers, introduction, make_fetcher, readable, user_agent
from linkback.page import Kind, Page
from linkback.rates import TokenBuckets
from linkback.wire import Request, Response

LOOPBACK = ["127.0.0.0/8"]
SHORT = Limits(seconds=0.3, send_seconds=0.3)
PATIENT = Limits(seconds=30)

Answer = bytes | Callable[[socket.socket, threading.Event], None]


def reply(body: bytes = b"hello", status: str = "200 OK", *fields: str) -> bytes:
    head = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", "")
    return "\r\n".join(head).encode() + body


def moved(location: str, status: int = 302) -> bytes:
    return reply(b"not read", f"{status} Moved", f"Location: {location}")


class Server:
    """Answers each path as `pages` says, one request per connection, and keeps the requests."""

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.pages: dict[str, Answer] = {}
        self.requests: list[bytes] = []
        self.connections = 0
        self._stop = threading.Event()
        self._tls = tls
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port: int = self._listener.getsockname()[1]
        self.host = f"[{host}]" if ":" in host else host
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def url(self, path: str = "/", host: str = "") -> str:
        return f"http://{host or self.host}:{self.port}{path}"

    def close(self) -> None:
        self._stop.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        with suppress(OSError):
            if self._tls is not None:
                with connection, self._tls.wrap_socket(connection, server_side=True) as secure:
                    self._answer(secure)
        with suppress(OSError), connection:
            if self._tls is None:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        request = _read_request(connection)
        self.requests.append(request)
        answer = self.pages.get(request.split(b" ", 2)[1].decode(), reply(b"no such page", "404 Not Found"))
        if isinstance(answer, bytes):
            connection.sendall(answer)
        else:
            answer(connection, self._stop)


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head = data.partition(b"\r\n\r\n")[0].lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    while len(data) < len(head) + 4 + length:
        data += _some(connection)
    return data


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionResetError
    return data


def dripping(start: bytes, drop: bytes = b"x") -> Answer:
    """Sends `start`, then a drop now and then for ever."""

    def answer(connection: socket.socket, stop: threading.Event) -> None:
        connection.sendall(start)
        while not stop.wait(0.02):
            connection.sendall(drop)

    return answer


def flooding(start: bytes, more: bytes) -> Answer:
    """Sends `start`, then `more` as fast as it is taken, for ever."""

    def answer(connection: socket.socket, stop: threading.Event) -> None:
        connection.sendall(start)
        while not stop.is_set():
            connection.sendall(more)

    return answer


def silent(connection: socket.socket, stop: threading.Event) -> None:
    stop.wait()


def resetting(start: bytes) -> Answer:
    """Sends `start`, then breaks the connection off with a RST."""

    def answer(connection: socket.socket, stop: threading.Event) -> None:
        connection.sendall(start)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def canary() -> Iterator[Server]:
    """An inner service on an address of its own: nobody may ever connect to it."""
    try:
        canary = Server("127.0.0.66")
    except OSError:
        pytest.skip("this system has no second loopback address")
    canary.pages["/"] = reply(b"secret")
    yield canary
    canary.close()
    assert canary.connections == 0


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(LOOPBACK, PATIENT)


def headers_of(request: bytes) -> list[tuple[str, str]]:
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


class Names:
    """A resolver with its answers written down, one list per look-up; it notes what it was asked."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **kinds: int) -> list[tuple[typing.Any, ...]]:
        self.asked.append(host)
        addresses = self.answers[host.partition(".")[0]].pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


# --- what goes out, and what comes back


def test_a_page_comes_back_with_its_fields_apart_and_in_order(server: Server, fetcher: Fetcher) -> None:
    server.pages["/p?a=1&b"] = reply(b"hello", "200 OK", "Link: <a>", "Link: <b>", "X-Pingback: é", "Server: x")
    response = fetcher.get(server.url("/p?a=1&b#part"))
    assert (response.status, response.body, response.truncated) == (200, b"hello", False)
    assert response.url == server.url("/p?a=1&b")
    assert response.redirects == ()
    assert response.headers == (
        ("Content-Length", "5"),
        ("Link", "<a>"),
        ("Link", "<b>"),
        ("X-Pingback", "é"),
        ("Server", "x"),
    )


@pytest.mark.parametrize("status", ["204 No Content", "300 Choices", "304 Same", "401 No", "404 Gone", "503 Busy"])
def test_any_status_comes_back_as_a_response(status: str, server: Server, fetcher: Fetcher) -> None:
    server.pages["/"] = reply(b"", status, "Location: /elsewhere", 'WWW-Authenticate: Basic realm="x"')
    assert fetcher.get(server.url()).status == int(status[:3])
    assert len(server.requests) == 1


def test_a_get_sends_five_headers_and_nothing_else(server: Server, fetcher: Fetcher) -> None:
    fetcher.get(server.url("/p?é#part"), purpose="Webmention discovery")
    request = server.requests[0]
    assert request.startswith(b"GET /p?%C3%A9 HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n")
    assert headers_of(request) == [
        ("Host", f"127.0.0.1:{server.port}"),
        ("User-Agent", user_agent(purpose="Webmention discovery")),
        ("Accept", "text/html, application/xhtml+xml;q=0.9, */*;q=0.1"),
        ("Accept-Encoding", "gzip"),
        ("Connection", "close"),
    ]


def test_a_post_keeps_its_headers_and_body_but_not_its_framing(server: Server, fetcher: Fetcher) -> None:
    server.pages["/e"] = reply(b"taken", "202 Accepted")
    given = (
        ("Content-Type", "text/xml"),
        ("X-A", "1"),
        ("X-A", "2"),
        ("Host", "other"),
        ("Content-Length", "1"),
        ("Upgrade", "x"),
    )
    response = fetcher.send(Request("POST", server.url("/e"), given, b"<xml/>"))
    assert (response.status, response.body) == (202, b"taken")
    request = server.requests[0]
    assert request.startswith(b"POST /e HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n<xml/>")
    assert sorted(headers_of(request)) == [
        ("Accept", "*/*"),
        ("Accept-Encoding", "gzip"),
        ("Connection", "close"),
        ("Content-Length", "6"),
        ("Content-Type", "text/xml"),
        ("Host", f"127.0.0.1:{server.port}"),
        ("User-Agent", user_agent()),
        ("X-A", "1"),
        ("X-A", "2"),
    ]


FRAMING = ("Host", "Connection", "Content-Length", "Transfer-Encoding", "Accept-Encoding", "Expect", "Upgrade")


@pytest.mark.parametrize("name", FRAMING)
def test_what_frames_a_request_is_never_the_callers(name: str, server: Server, fetcher: Fetcher) -> None:
    given = ((name, "1"), (name.lower(), "2"), ("X-A", "kept"))
    fetcher.get(server.url(), headers=given)
    fetcher.send(Request("POST", server.url(), given, b"a=b"))
    for request in server.requests:
        sent = headers_of(request)
        assert ("X-A", "kept") in sent
        assert not {(name, "1"), (name.lower(), "2")} & set(sent)
        assert len(sent) == len({each.lower() for each, _ in sent})


def test_a_request_may_name_its_own_accept_and_user_agent(server: Server, fetcher: Fetcher) -> None:
    fetcher.send(Request("POST", server.url(), (("accept", "text/xml"), ("USER-AGENT", "mine"))))
    found = {name.lower(): value for name, value in headers_of(server.requests[0])}
    assert (found["accept"], found["user-agent"], found["content-length"]) == ("text/xml", "mine", "0")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "中"])
def test_a_header_that_cannot_be_sent_is_an_error_and_not_a_second_header(
    value: str, server: Server, fetcher: Fetcher
) -> None:
    with pytest.raises(Unreachable) as caught:
        fetcher.send(Request("POST", server.url(), (("X-A", value),)))
    assert not caught.value.sent
    assert server.requests == []


@pytest.mark.parametrize(
    ("product", "purpose", "expected"),
    [
        ("", "", "linkback/{v}"),
        ("", "verifying webmention for me.example", "linkback/{v} (verifying webmention for me.example)"),
        ("blog/1 (+https://me.example)", "", "blog/1 (+https://me.example)"),
        ("blog/1 (+https://me.example)", "verifying", "blog/1 (+https://me.example; verifying)"),
        ("a\r\nX-Evil: 1", "b\x00\x1b\x85c", "aX-Evil: 1 (bc)"),
        ("\r\n", "", "linkback/{v}"),
        ("bücher", "", "b?cher"),
    ],
)
def test_the_user_agent_says_who_asks_and_why(
    product: str, purpose: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "__version__", "1.2")
    assert user_agent(product, purpose) == expected.format(v="1.2")


def test_the_introduction_says_where_to_ask_about_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__version__", "1.2")
    assert introduction() == "linkback/1.2"
    assert introduction("https://me.example") == "linkback/1.2 (+https://me.example)"


def test_the_version_is_the_installed_one() -> None:
    assert user_agent() == f"linkback/{importlib.metadata.version('linkback')}"


def test_the_fetchers_user_agent_is_sent_with_every_request(server: Server) -> None:
    fetcher = Fetcher(LOOPBACK, PATIENT, user_agent="blog/1 (+https://me.example)")
    fetcher.get(server.url(), purpose="verifying")
    fetcher.send(Request("POST", server.url()))
    assert [dict(headers_of(request))["User-Agent"] for request in server.requests] == [
        "blog/1 (+https://me.example; verifying)",
        "blog/1 (+https://me.example)",
    ]


def test_the_environment_has_no_say(
    server: Server, canary: Server, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proxies and `.netrc` are the operator's for other programs; cookies are nobody's."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, canary.url())
    (tmp_path / ".netrc").write_text("default login u password p\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.pages["/"] = reply(b"", "302 Found", "Location: /next", "Set-Cookie: a=b")
    assert fetcher.get(server.url()).status == 404
    names = {name for request in server.requests for name, _ in headers_of(request)}
    assert names == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/b", "../a/../b", "//{host}/b#part", "http://{host}/b", " \t/b"])
def test_a_redirect_is_followed(status: int, location: str, server: Server, fetcher: Fetcher) -> None:
    server.pages["/a/1"] = moved(location.format(host=f"127.0.0.1:{server.port}"), status)
    server.pages["/b"] = reply()
    response = fetcher.get(server.url("/a/1"))
    assert response.body == b"hello"
    assert response.url == server.url("/b")
    assert response.redirects == (server.url("/a/1"),)
    assert all(request.startswith(b"GET ") for request in server.requests)


@pytest.mark.parametrize(("hops", "reached"), [(5, True), (6, False)])
def test_five_redirects_are_followed_and_no_sixth(hops: int, reached: bool, server: Server, fetcher: Fetcher) -> None:
    for hop in range(hops):
        server.pages[f"/{hop}"] = moved(f"/{hop + 1}")
    server.pages[f"/{hops}"] = reply()
    if reached:
        assert fetcher.get(server.url("/0")).redirects == tuple(server.url(f"/{hop}") for hop in range(hops))
    else:
        with pytest.raises(TooManyRedirects, match="more than 5 redirects") as caught:
            fetcher.get(server.url("/0"))
        assert caught.value.url == server.url("/0")
        assert caught.value.onward == tuple(server.url(f"/{hop}") for hop in range(1, 6))
    assert len(server.requests) == 6


def test_a_loop_ends_by_the_limit(server: Server, fetcher: Fetcher) -> None:
    server.pages.update({"/a": moved("/b"), "/b": moved("/a")})
    with pytest.raises(TooManyRedirects):
        fetcher.get(server.url("/a"))
    assert len(server.requests) == 6


LONG = ("Location: http://127.0.0.1/" + "x" * 20_000,)


@pytest.mark.parametrize(
    "fields", [(), ("Location:",), ("Location: http://[::1/",), ("Location: http://h:99999/",), LONG]
)
def test_a_redirect_that_leads_nowhere_is_an_error(fields: tuple[str, ...], server: Server, fetcher: Fetcher) -> None:
    server.pages["/"] = reply(b"", "302 Found", *fields)
    with pytest.raises(TooManyRedirects, match="leads nowhere"):
        fetcher.get(server.url())


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:25/_HELO",
        "data:text/html,x",
        "javascript:alert(1)",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://8.8.8.8:25/",
        "http://127.0.0.1:0/",
        "http://user:secret@127.0.0.1/",
    ],
)
def test_a_redirect_does_not_lead_where_we_would_not_go(location: str, server: Server, fetcher: Fetcher) -> None:
    server.pages["/"] = moved(location)
    with pytest.raises(Blocked) as caught:
        fetcher.get(server.url())
    assert caught.value.url == server.url()
    assert not caught.value.temporary
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.66", "2130706498", "0x7f.0x42", "0177.0.0.0102", "[::ffff:127.0.0.66]"])
def test_a_public_page_may_not_bounce_us_inside(host: str, server: Server, canary: Server) -> None:
    """The guard holds on every hop, in every spelling: the canary's fixture counts its connections."""
    server.pages["/"] = moved(f"http://{host}:{canary.port}/")
    with pytest.raises(Blocked, match=r'open it with Fetcher\(allow=\["127\.0\.0\.0/8"\]\)'):
        Fetcher(["127.0.0.1"], PATIENT).get(server.url())


def test_a_refusal_names_what_opens_the_address_where_we_run() -> None:
    fetcher = make_fetcher((), (), openers=Openers("NETWORKS", "PORTS"))
    for url, advice in (("http://127.0.0.1/", "open it with NETWORKS 127.0.0.0/8"), ("http://8.8.8.8:81/", "PORTS 81")):
        with pytest.raises(Blocked, match=re.escape(advice)):
            fetcher.get(url)
    with pytest.raises(Blocked, match=re.escape("open it with Fetcher(limits=Limits(ports=Limits().ports | {81}))")):
        Fetcher().get("http://8.8.8.8:81/")
    with pytest.raises(Blocked, match=r"none that linkback talks to$"):
        fetcher.get("http://8.8.8.8:0/")


@pytest.mark.parametrize("port", ["1", "8000", "65535"])
def test_settings_open_a_port_beside_those_that_are_open(port: str) -> None:
    fetcher = make_fetcher((), ("81", port))
    assert fetcher._limits == Limits(ports=Limits().ports | {81, int(port)})
    assert fetcher.guard.opened == (), "no network is opened along with it"


@pytest.mark.parametrize(
    "port",
    ["0", "65536", "-1", "+80", "8_0", "8000 ", "", "http", "\u0668\u0660", "\u00b2", "9" * 5_000],
    ids=lambda port: ascii(port)[:9],
)
def test_a_port_that_settings_open_is_one_that_a_peer_can_have(port: str) -> None:
    with pytest.raises(ConfigurationError, match=f"a port is a number from 1 to 65535, not 81, {re.escape(port)}$"):
        make_fetcher((), ("81", port))


def test_one_door_may_be_given_other_limits(server: Server) -> None:
    server.pages["/"] = reply()
    few = Fetcher(LOOPBACK, dataclasses.replace(PATIENT, bytes=3))
    assert few.within(seconds=20, bytes=100).get(server.url()).body == b"hello"
    assert few.get(server.url()).body == b"hel"
    assert few.hurried(20).get(server.url()).body == b"hel"


@pytest.mark.parametrize(("limits", "seconds"), [(PATIENT, 0.3), (SHORT, 20.0)], ids=["hurried", "as it is"])
def test_a_door_may_be_told_to_hurry_and_never_to_be_slower(server: Server, limits: Limits, seconds: float) -> None:
    def hang(connection: socket.socket, stop: threading.Event) -> None:
        stop.wait(20)

    server.pages["/"] = hang
    with pytest.raises(TimedOut, match=r"0\.3 s"):
        Fetcher(LOOPBACK, limits).hurried(seconds).get(server.url())


@pytest.mark.parametrize("more", [b"x" * 65_536, gzip.compress(bytes(10**6))], ids=["endless", "compressed"])
def test_the_body_of_a_redirect_is_not_read(more: bytes, server: Server, fetcher: Fetcher) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Encoding: gzip\r\n\r\n"
    server.pages.update({"/": flooding(head, more), "/next": reply()})
    assert fetcher.get(server.url()).body == b"hello"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirected_post_is_posted_again_as_it_was(status: int, server: Server, fetcher: Fetcher) -> None:
    server.pages.update({"/old": moved("/new", status), "/new": reply(b"ok")})
    response = fetcher.send(Request("POST", server.url("/old"), (("Content-Type", "text/xml"),), b"<a/>"))
    assert (response.body, response.url, response.redirects) == (b"ok", server.url("/new"), (server.url("/old"),))
    first, second = server.requests
    assert second == first.replace(b"/old", b"/new")


def test_a_303_answers_a_post(server: Server, fetcher: Fetcher) -> None:
    server.pages["/"] = moved("/status/2", 303)
    response = fetcher.send(Request("POST", server.url(), (), b"a=b"))
    assert (response.status, response.header("Location")) == (303, "/status/2")
    assert len(server.requests) == 1


# --- the clock


DRIPS = [
    ("nothing", dripping(b"", b"")),
    ("status line", dripping(b"HTTP/1.1 200 O", b"k")),
    ("header name", dripping(b"HTTP/1.1 200 OK\r\n")),
    ("headers", dripping(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n")),
    ("early hints", dripping(b"HTTP/1.1 103 Early Hints\r\n", b"A: b\r\n")),
    ("body by length", dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")),
    ("body to the end", dripping(b"HTTP/1.1 200 OK\r\n\r\n")),
    ("chunks", dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")),
    ("chunk size", dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")),
    ("last chunk", dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", b"")),
    ("trailers", dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n")),
]


@pytest.mark.parametrize("page", [row[1] for row in DRIPS], ids=[row[0] for row in DRIPS])
def test_whoever_drips_is_cut_off(page: Answer, server: Server) -> None:
    """A cut answer is a time-out, never a short page; that the request had left is told."""
    server.pages["/"] = page
    with pytest.raises(TimedOut, match=r"no complete answer from 127\.0\.0\.1 within 0\.3 s") as caught:
        Fetcher(LOOPBACK, SHORT).get(server.url())
    assert caught.value.sent
    assert caught.value.temporary
    with pytest.raises(TimedOut):
        Fetcher(LOOPBACK, SHORT).send(Request("POST", server.url(), (), b"x"))


def test_the_deadline_is_for_all_hops_together(server: Server) -> None:
    """Each hop alone would be quick enough."""

    def slowly(connection: socket.socket, stop: threading.Event) -> None:
        stop.wait(0.12)
        connection.sendall(moved("/"))

    server.pages["/"] = slowly
    with pytest.raises(TimedOut):
        Fetcher(LOOPBACK, SHORT).get(server.url())


def test_the_time_for_a_connection_is_not_that_for_an_answer(server: Server) -> None:
    """A server may think longer than its address may take to be reached."""

    def late(connection: socket.socket, stop: threading.Event) -> None:
        stop.wait(0.3)
        connection.sendall(reply())

    server.pages["/"] = late
    assert Fetcher(LOOPBACK, Limits(seconds=30, connect=0.1)).get(server.url()).body == b"hello"


def test_a_receiver_that_takes_no_bytes_is_cut_off_before_the_request_counts_as_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with pytest.raises(TimedOut) as caught:
            Fetcher(LOOPBACK, SHORT).send(Request("POST", url, (), bytes(50_000_000)))
    assert not caught.value.sent


def test_a_tls_handshake_that_is_not_answered_is_cut_off(server: Server) -> None:
    """TLS takes the socket over before any byte of HTTP; the deadline holds there too."""
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(TimedOut) as caught:
        Fetcher(LOOPBACK, SHORT).get(f"https://127.0.0.1:{mute.getsockname()[1]}/")
    assert not caught.value.sent


def test_an_address_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full backlog drops the knock, as a filtered port does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        knocks = [socket.socket() for _ in range(4)]
        for knock in knocks:
            knock.setblocking(False)
            with suppress(BlockingIOError):
                knock.connect(address)
        with pytest.raises(TimedOut, match="does not answer") as caught:
            Fetcher(LOOPBACK, Limits(connect=0.2)).get(f"http://127.0.0.1:{address[1]}/")
        for knock in knocks:
            knock.close()
    assert not caught.value.sent


def test_a_name_server_that_hangs_is_not_waited_for() -> None:
    free = threading.Event()

    def hangs(host: str, port: int, **kinds: int) -> list[tuple[typing.Any, ...]]:
        free.wait()
        return []

    with pytest.raises(TimedOut, match=r"slow\.test") as caught:
        Fetcher((), SHORT, resolver=hangs).get("http://slow.test/")
    free.set()
    assert not caught.value.sent


def test_a_system_without_threads_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    resolver = Names(a=[["127.0.0.1"]])
    fetcher = Fetcher(LOOPBACK, PATIENT, resolver=resolver)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(Unreachable, match="no thread can be started"):
            fetcher.get("http://a.test/")
    assert resolver.asked == []


# --- how much


def test_a_body_is_cut_at_the_limit_and_says_so(server: Server) -> None:
    fetcher = Fetcher(LOOPBACK, Limits(bytes=1000, reply_bytes=10))
    server.pages["/1000"], server.pages["/1001"] = reply(b"x" * 1000), reply(b"x" * 1001)
    whole, cut = fetcher.get(server.url("/1000")), fetcher.get(server.url("/1001"))
    assert (len(whole.body), whole.truncated) == (1000, False)
    assert (len(cut.body), cut.truncated) == (1000, True)
    answer = fetcher.send(Request("POST", server.url("/1000")))
    assert (len(answer.body), answer.truncated) == (10, True)


@pytest.mark.parametrize(("method", "most"), [("GET", 1_048_576), ("POST", 65_536)])
def test_by_default_a_page_has_a_megabyte_and_the_answer_to_a_post_less(method: str, most: int, server: Server) -> None:
    for length in (most, most + 1):
        server.pages["/"] = reply(b"x" * length)
        fetcher, url = Fetcher(LOOPBACK), server.url()
        found = fetcher.get(url) if method == "GET" else fetcher.send(Request("POST", url))
        assert (len(found.body), found.truncated) == (most, length > most)


PLAIN, GZIPPED = b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
FLOODS = [
    ("endless body", PLAIN, b"x" * 65_536, 1_048_576),
    (
        "endless chunks",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"4000\r\n" + b"x" * 16_384 + b"\r\n",
        1_048_576,
    ),
    ("bombs in a row", GZIPPED, gzip.compress(bytes(10**7)), 1_048_576),
    ("empty members", GZIPPED, gzip.compress(b"") * 1000, 0),
    ("a file name that never ends", GZIPPED + b"\x1f\x8b\x08\x08\0\0\0\0\0\0", b"n" * 65_536, 0),
]


@pytest.mark.parametrize(("start", "more", "length"), [row[1:] for row in FLOODS], ids=[row[0] for row in FLOODS])
def test_a_flood_is_read_up_to_the_limit(
    start: bytes, more: bytes, length: int, server: Server, fetcher: Fetcher
) -> None:
    """The limit is on what we hold, decoded; and what decodes to nothing is not read for ever."""
    server.pages["/"] = flooding(start, more)
    response = fetcher.get(server.url())
    assert (len(response.body), response.truncated) == (length, True)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hello")),
        ("X-Gzip", gzip.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")),
        ("identity", b"hello"),
        ("", b"hello"),
    ],
)
def test_a_compressed_page_is_read(coding: str, body: bytes, server: Server, fetcher: Fetcher) -> None:
    server.pages["/"] = reply(body, "200 OK", f"Content-Encoding: {coding}")
    assert fetcher.get(server.url()).body == b"hello"


# --- what is not worth reading

READ = "text/html,TEXT/HTML;charset=x,text/plain,text/css,application/xhtml+xml,application/xml,text/xml,,garbage/xml"
READ += ",image/svg+xml,application/atom+xml,application/rss+xml,application/json,application/feed+json"
UNREAD = "image/png,IMAGE/JPEG; q=1,audio/mpeg,video/mp4,font/woff2,application/pdf,application/octet-stream"
UNREAD += ",application/zip,multipart/x-mixed-replace,garbage,text,application/xmlish,image/svg"


@pytest.mark.parametrize(
    ("content_type", "read"),
    [*((each, True) for each in READ.split(",")), *((each, False) for each in UNREAD.split(","))],
)
def test_what_a_page_cannot_read_is_not_downloaded(
    content_type: str, read: bool, server: Server, fetcher: Fetcher
) -> None:
    """The headers are taken, for a signpost may be among them; reader and door agree on what can be read."""
    server.pages["/"] = reply(b"<p>hello", "200 OK", f"Content-Type: {content_type}", "Link: <a>")
    response = fetcher.get(server.url())
    assert (response.status, response.header("Link")) == (200, "<a>")
    assert (response.body, response.truncated) == (b"<p>hello" if read else b"", False)
    assert readable(response.content_type) is read
    assert (Page(response).kind is not Kind.OTHER) is read


def test_an_endless_picture_costs_its_header_fields(server: Server, fetcher: Fetcher) -> None:
    """Not even its Content-Encoding, which we cannot undo, is of interest."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Encoding: br\r\n\r\n"
    server.pages["/"] = flooding(head, b"x" * 65_536)
    assert fetcher.get(server.url()).body == b""


@pytest.mark.parametrize(
    ("accept", "read"),
    [
        ("application/pdf", True),
        ("text/html, Application/PDF;q=0.5", True),
        ("text/html, */*;q=0.1", False),
        ("application/pdfx", False),
    ],
)
def test_what_was_asked_for_by_its_name_is_read(accept: str, read: bool, server: Server, fetcher: Fetcher) -> None:
    server.pages["/"] = reply(b"%PDF", "200 OK", "Content-Type: application/pdf; x=y")
    assert fetcher.get(server.url(), accept=accept).body == (b"%PDF" if read else b"")


def test_an_answer_to_a_post_is_read_whatever_it_calls_itself(server: Server, fetcher: Fetcher) -> None:
    """A pingback server's XML is its answer under any media type (protocols.md B-30)."""
    server.pages["/"] = reply(b"<xml/>", "200 OK", "Content-Type: application/octet-stream")
    assert fetcher.send(Request("POST", server.url())).body == b"<xml/>"


# --- what breaks


BROKEN = [
    ("nothing", b"", "it is empty"),
    ("HTTP/0.9", b"<p>hello</p>\n", "it begins with"),
    ("another protocol", b"220 mail ESMTP\r\n", "it begins with"),
    ("too short", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhello", "received 5 bytes, expected 99"),
    ("reset at once", resetting(b""), "127.0.0.1"),
    ("reset in the body", resetting(b"HTTP/1.1 200 OK\r\n\r\nhello"), "reset"),
    ("cut gzip", GZIPPED + gzip.compress(b"hello" * 99)[:-9], "encoding stops short"),
    ("damaged gzip", GZIPPED + b"hello", "encoding is damaged"),
    ("brotli", reply(b"x", "200 OK", "Content-Encoding: br"), "content encoding"),
    ("chain of codings", reply(b"x", "200 OK", "Content-Encoding: gzip, gzip"), "content encoding"),
]


@pytest.mark.parametrize(("page", "words"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_answer_is_unreachable_and_says_why(
    page: Answer, words: str, server: Server, fetcher: Fetcher
) -> None:
    server.pages["/"] = page
    with pytest.raises(Unreachable) as caught:
        fetcher.get(server.url())
    assert words in caught.value.message
    assert caught.value.__cause__ is not None
    assert caught.value.sent
    assert not isinstance(caught.value, TimedOut)


def _greeting(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"220 mail ESMTP\r\n")
    stop.wait()


def test_a_server_that_greets_in_another_protocol_and_waits_is_not_waited_for(server: Server, fetcher: Fetcher) -> None:
    server.pages["/"] = _greeting
    with pytest.raises(Unreachable, match="it begins with b'220 mail ESMTP") as caught:
        fetcher.get(server.url())
    assert not isinstance(caught.value, TimedOut)


def test_nobody_at_the_port_is_unreachable(server: Server, fetcher: Fetcher) -> None:
    server.close()
    with pytest.raises(Unreachable, match=r"the connection to 127\.0\.0\.1 failed") as caught:
        fetcher.get(server.url())
    assert not caught.value.sent


def test_a_redirect_of_a_post_to_a_dead_host_keeps_that_the_first_one_had_it(server: Server, fetcher: Fetcher) -> None:
    """The first host may have acted before it sent us on: a trackback must not be repeated."""
    dead = Server()
    dead.close()
    server.pages["/"] = moved(dead.url())
    with pytest.raises(Unreachable) as caught:
        fetcher.send(Request("POST", server.url()))
    assert caught.value.sent
    assert caught.value.onward == (dead.url(),)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "not a URL"),
        ("/etc/passwd", "not a URL"),
        ("http://", "not a URL"),
        ("http://[::1/", "not a URL"),
        ("http://example.com:65536/", "not a URL"),
        ("http://exa mple.com/", "not a URL"),
        ("file:///etc/passwd", "not file"),
        ("ws://example.com/", "not ws"),
        ("http+unix://%2Fvar%2Frun%2Fdocker.sock/info", "not http+unix"),
        ("http://u:secret@example.com/", "user name or password"),
        ("http://example.com@127.0.0.1/", "user name or password"),
        ("http://example.com:22/", "port 22 of example.com"),
        ("http://example.com/" + "x" * 20_000, "too long"),
        ("http://127.1/", '127.0.0.1 is not a public address (open it with Fetcher(allow=["127.0.0.0/8"]))'),
        ("http://0/", "0.0.0.0 is not a public address"),
        ("http://2852039166/", "169.254.169.254 is not"),
        ("http://１２７。０。０。１/", "127.0.0.1 is not"),
        ("http://①②⑦.⓪.⓪.①/", "127.0.0.1 is not"),
        ("http:\\\\127.0.0.1\\", "127.0.0.1 is not"),
        ("http:127.0.0.1/", "127.0.0.1 is not"),
        ("ht\ntp://127.0.0.1/", "127.0.0.1 is not"),
        ("http://127.0.0.1./", "127.0.0.1 is not"),
        ("http://[::]/", ":: is not"),
        ("http://[::ffff:127.0.0.1]/", "is not a public address"),
        ("http://[64:ff9b::127.0.0.1]/", "is not a public address"),
        ("http://[2002:7f00:1::]/", "is not a public address"),
        ("http://[fe80::1]/", "is not a public address"),
    ],
)
def test_a_url_that_is_not_ours_to_fetch_is_blocked_without_a_look_up(url: str, words: str) -> None:
    names = Names()
    fetcher = Fetcher(resolver=names)
    with pytest.raises(Blocked) as got:
        fetcher.get(url)
    with pytest.raises(Blocked) as sent:
        fetcher.send(Request("POST", url))
    for error in (got.value, sent.value):
        assert words in error.message
        assert "secret" not in str(error)
    assert names.asked == []


@pytest.mark.parametrize("host", ["a" * 64 + ".com", ".", "..", "-"])
def test_a_host_that_no_name_can_be_is_an_error_of_ours(host: str) -> None:
    def nowhere(name: str, port: int, **kinds: int) -> list[tuple[typing.Any, ...]]:
        name.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises((Unreachable, Blocked)):
        Fetcher(resolver=nowhere).get(f"http://{host}/")


# --- many that lead to one


class Ticks:
    """A clock that stands still until it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Loopback:
    """A resolver for which every name is this machine; it notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **kinds: int) -> list[tuple[typing.Any, ...]]:
        self.asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def leading(ticks: Ticks, limits: Limits = PATIENT, resolver: Loopback | None = None) -> Fetcher:
    """A fetcher whose budget of redirects goes by a clock of the test."""
    fetcher = Fetcher(LOOPBACK, limits, resolver=resolver or Loopback())
    fetcher._led = TokenBuckets(limits.led_burst, limits.led_seconds, clock=ticks)
    return fetcher


def asked_of(server: Server, host: str) -> int:
    """How many requests a host of the server has got."""
    return sum(dict(headers_of(request))["Host"] == f"{host}:{server.port}" for request in server.requests)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_thousand_hosts_that_redirect_to_one_send_it_sixty_requests_an_hour(method: str, server: Server) -> None:
    ticks, refused = Ticks(), []
    fetcher = leading(ticks)
    server.pages.update({"/": moved(server.url("/", "victim.test") + "page", 307), "/page": reply()})
    for number in range(1000):
        ticks.now = number * 3.6
        url = server.url(host=f"a{number}.test")
        try:
            _ = fetcher.get(url) if method == "GET" else fetcher.send(Request("POST", url, body=b"ping"))
        except TooManyRedirects as error:
            refused.append(error)
    assert asked_of(server, "victim.test") == 20 + 39
    assert len(refused) == 1000 - 59
    assert all(error.temporary for error in refused)
    # one comes at 72 s, and the bucket has its next token at 90 s
    assert (refused[0].retry_after, {0 < (error.retry_after or 0) <= 90 for error in refused}) == (18, {True})
    assert "too many redirects lead to victim.test for now" in str(refused[0])


def test_past_its_budget_a_host_is_neither_looked_up_nor_connected_to(server: Server) -> None:
    ticks, names = Ticks(), Loopback()
    fetcher = leading(ticks, Limits(seconds=30, led_burst=3, led_seconds=90), names)
    server.pages.update({"/": moved(server.url("/page", "victim.test")), "/page": reply()})
    for number in range(3):
        assert fetcher.get(server.url(host=f"a{number}.test")).body == b"hello"
    with pytest.raises(TooManyRedirects, match="for now"):
        fetcher.get(server.url(host="a3.test"))
    with pytest.raises(TooManyRedirects, match="for now"):
        fetcher.within(seconds=5, bytes=5).get(server.url(host="a4.test"))
    assert (names.asked.count("victim.test"), asked_of(server, "victim.test")) == (3, 3)
    assert fetcher.get(server.url("/page", "victim.test")).body == b"hello", "asked for by its own name it is free"
    ticks.now = 90.0
    assert fetcher.get(server.url(host="a5.test")).body == b"hello"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_to_which_there_is_an_objection_is_neither_followed_nor_counted(method: str, server: Server) -> None:
    names, asked = Loopback(), list[str]()

    def objection(url: str) -> str:
        asked.append(url)
        return "not there" if url == page else ""

    open_to_all = leading(Ticks(), Limits(seconds=30, led_burst=1, led_seconds=90), names)
    fetcher = open_to_all.asking(objection).asking(lambda url: "").hurried(20)
    url, hop, page = server.url(host="a.test"), server.url("/hop", "a.test"), server.url("/page", "victim.test")
    server.pages.update({"/": moved(hop, 307), "/hop": moved(page, 307), "/page": reply()})
    for _ in range(3):
        with pytest.raises(Blocked, match="not there") as caught:
            _ = fetcher.get(url) if method == "GET" else fetcher.send(Request("POST", url, body=b"ping"))
        assert (caught.value.onward, caught.value.sent, caught.value.address) == ((hop,), True, "")
    assert asked == [hop, page] * 3
    assert "victim.test" not in names.asked
    assert fetcher.get(page).body == b"hello", "it is asked for by its own name"
    assert open_to_all.get(server.url(host="a.test")).body == b"hello", "and for the one host there is still room"


def test_what_an_objection_raises_passes_through(server: Server, fetcher: Fetcher) -> None:
    def objection(url: str) -> str:
        raise LookupError(url)

    server.pages["/"] = moved("/page")
    with pytest.raises(LookupError, match="/page"):
        fetcher.asking(objection).get(server.url())


@pytest.mark.parametrize(
    ("asked", "led", "counted"),
    [
        ("a.test", "a.test", False),
        ("a.test", "www.a.test", False),
        ("www.a.test", "a.test", False),
        ("a.test", "A.test.", False),
        ("a.test", "b.test", True),
        ("a.test", "sub.a.test", False),
        ("a.test", "sub.b.test", True),
        ("a.test", "127.0.0.1", True),
    ],
)
def test_only_redirects_to_another_host_count(asked: str, led: str, counted: bool, server: Server) -> None:
    fetcher = leading(Ticks(), Limits(seconds=30, led_burst=1, led_seconds=90))
    server.pages.update({"/": moved(server.url("/page", led)), "/page": reply()})
    assert fetcher.get(server.url(host=asked)).body == b"hello"
    if counted:
        with pytest.raises(TooManyRedirects, match="for now"):
            fetcher.get(server.url(host=asked))
    else:
        assert fetcher.get(server.url(host=asked)).body == b"hello"


def test_a_host_has_one_budget_whatever_port_or_name_of_www_it_is_led_to_by(server: Server) -> None:
    fetcher = leading(Ticks(), Limits(seconds=30, led_burst=2, led_seconds=90))
    server.pages["/1"] = moved(server.url("/page", "victim.test"))
    server.pages["/2"] = moved(server.url("/page", "www.VICTIM.test."))
    server.pages["/3"] = moved("http://victim.test:1/page")
    server.pages["/page"] = reply()
    for path in ("/1", "/2"):
        assert fetcher.get(server.url(path, "a.test")).body == b"hello"
    with pytest.raises(TooManyRedirects, match="for now"):
        fetcher.get(server.url("/3", "a.test"))


def test_what_leads_back_and_forth_counts_each_time(server: Server) -> None:
    fetcher = leading(Ticks(), Limits(seconds=30, led_burst=2, led_seconds=90))
    server.pages["/"] = moved(server.url("/1", "victim.test"))
    server.pages["/1"] = moved(server.url("/2", "a.test"))
    server.pages["/2"] = moved(server.url("/3", "victim.test"))
    server.pages["/3"] = moved(server.url("/4", "victim.test"))
    with pytest.raises(TooManyRedirects, match="for now"):
        fetcher.get(server.url(host="a.test"))
    assert asked_of(server, "victim.test") == 2


def test_threads_share_the_budget_of_a_host(server: Server) -> None:
    fetcher = leading(Ticks())
    server.pages.update({"/": moved(server.url("/page", "victim.test")), "/page": reply()})

    def visit(number: int) -> bool:
        with suppress(TooManyRedirects):
            return fetcher.get(server.url(host=f"a{number}.test")).body == b"hello"
        return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(visit, range(60))) == 20
    assert asked_of(server, "victim.test") == 20


def test_without_seconds_redirects_have_no_budget(server: Server) -> None:
    fetcher = leading(Ticks(), Limits(seconds=30, led_seconds=0))
    server.pages.update({"/": moved(server.url("/page", "victim.test")), "/page": reply()})
    assert all(fetcher.get(server.url(host=f"a{number}.test")).body == b"hello" for number in range(50))


# --- names


def test_a_name_is_looked_up_once_and_the_judged_address_is_the_one_connected_to(
    server: Server, canary: Server
) -> None:
    """DNS that changes its mind between the check and the use changes nothing (CVE-2022-3590)."""
    names = Names(rebind=[["127.0.0.1"], ["127.0.0.66"]])
    server.pages["/"] = reply()
    fetcher = Fetcher(["127.0.0.1"], PATIENT, resolver=names)
    assert fetcher.get(server.url(host="rebind.test")).body == b"hello"
    assert names.asked == ["rebind.test"]
    assert dict(headers_of(server.requests[0]))["Host"] == f"rebind.test:{server.port}"
    with pytest.raises(Blocked, match=r"rebind\.test: 127\.0\.0\.66 is not a public address"):
        fetcher.get(f"http://rebind.test:{canary.port}/")


def test_a_name_is_judged_again_on_every_hop(server: Server, canary: Server) -> None:
    names = Names(rebind=[["127.0.0.1"], ["127.0.0.66"]])
    server.pages["/"] = moved(f"http://rebind.test:{canary.port}/")
    with pytest.raises(Blocked):
        Fetcher(["127.0.0.1"], PATIENT, resolver=names).get(server.url(host="rebind.test"))
    assert names.asked == ["rebind.test", "rebind.test"]


def test_a_mixed_answer_refuses_the_name_and_connects_nowhere(server: Server, canary: Server) -> None:
    names = Names(mixed=[["127.0.0.1", "127.0.0.66"]])
    with pytest.raises(Blocked):
        Fetcher(["127.0.0.1"], PATIENT, resolver=names).get(server.url(host="mixed.test"))
    assert server.connections == 0


@pytest.mark.parametrize("answers", [[], [["127.0.0.1"]]], ids=["unknown", "known"])
def test_names_go_out_without_their_unicode(answers: list[list[str]], server: Server) -> None:
    names = Names(**{"xn--bcher-kva": answers or [[]]})
    fetcher = Fetcher(LOOPBACK, PATIENT, resolver=names)
    if answers:
        assert fetcher.get(server.url(host="bücher.test")).status == 404
        assert dict(headers_of(server.requests[0]))["Host"].startswith("xn--bcher-kva.test:")
    else:
        with pytest.raises(Unreachable, match=r"the name xn--bcher-kva\.test cannot be resolved: it has no address"):
            fetcher.get(server.url(host="bücher.test"))


def test_localhost_opens_when_every_address_it_has_is_opened(server: Server) -> None:
    server.pages["/"] = reply()
    assert Fetcher([*LOOPBACK, "::1"], PATIENT).get(server.url(host="localhost")).body == b"hello"
    with pytest.raises(Blocked, match=r"localhost: .* is not a public address"):
        Fetcher((), Limits(ports=frozenset({server.port}))).get(server.url(host="localhost"))
    assert server.connections == 1


def test_an_address_of_the_other_family_is_tried_when_the_first_is_dead(server: Server) -> None:
    """`localhost` often means ::1 first, where nothing listens."""
    server.pages["/"] = reply()
    both = Names(both=[["::1", "127.0.0.1"]])
    fetcher = Fetcher([*LOOPBACK, "::1"], PATIENT, resolver=both)
    assert fetcher.get(server.url(host="both.test")).body == b"hello"


def test_ipv6_is_spoken() -> None:
    try:
        server = Server("::1")
    except OSError:
        pytest.skip("this system has no IPv6 loopback")
    server.pages["/"] = reply()
    try:
        assert Fetcher(["::1"], PATIENT).get(server.url()).url == server.url()
        assert dict(headers_of(server.requests[0]))["Host"] == f"[::1]:{server.port}"
    finally:
        server.close()


@pytest.mark.parametrize("settings", [{"allow": ["localhost"]}, {"ca_file": "/no/such/file.pem"}])
def test_a_fetcher_is_not_made_from_settings_that_mean_nothing(settings: dict[str, typing.Any]) -> None:
    with pytest.raises(ConfigurationError):
        Fetcher(**settings)


def test_one_fetcher_serves_many_threads(server: Server, fetcher: Fetcher) -> None:
    server.pages.update({f"/{number}": reply(json.dumps(number).encode()) for number in range(40)})
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda number: fetcher.get(server.url(f"/{number}")).body, range(40)))
    assert bodies == [json.dumps(number).encode() for number in range(40)]


# --- TLS


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away certificate for good.test, which is its own authority; key and certificate in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "good.pem"
    make = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=good.test -addext subjectAltName=DNS:good.test"
    subprocess.run([openssl, *make.split(), "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    with path.open("a") as file:
        file.write(Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server(tls=context)
    yield server
    server.close()


class Everywhere(Names):
    def __call__(self, host: str, port: int, **kinds: int) -> list[tuple[typing.Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def over_tls(server: Server, certificate: Path | None, host: str = "good.test") -> Response:
    fetcher = Fetcher(LOOPBACK, PATIENT, resolver=Everywhere(), ca_file=str(certificate) if certificate else None)
    return fetcher.get(f"https://{host}:{server.port}/")


@pytest.mark.parametrize("host", ["good.test", "good.test."])
def test_a_name_is_shown_to_tls_and_its_certificate_checked(host: str, secure: Server, certificate: Path) -> None:
    secure.pages["/"] = reply()
    assert over_tls(secure, certificate, host).body == b"hello"


def test_only_http_1_is_offered_to_tls(secure: Server, certificate: Path) -> None:
    """A server that speaks HTTP/2 as well would answer in that, where it was offered or nothing was said."""
    assert secure._tls is not None
    secure._tls.set_alpn_protocols(["h2", "http/1.1"])
    chosen: list[str | None] = []

    def answer(connection: socket.socket, stop: threading.Event) -> None:
        chosen.append(typing.cast("ssl.SSLSocket", connection).selected_alpn_protocol())
        connection.sendall(reply())

    secure.pages["/"] = answer
    assert over_tls(secure, certificate).body == b"hello"
    assert chosen == ["http/1.1"]


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1"])
def test_a_certificate_for_another_name_is_refused(host: str, secure: Server, certificate: Path) -> None:
    with pytest.raises(Unreachable, match=r"certificate of .* is refused") as caught:
        over_tls(secure, certificate, host)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert secure.requests == []


def test_a_certificate_of_no_known_authority_is_refused(secure: Server) -> None:
    with pytest.raises(Unreachable, match="certificate"):
        over_tls(secure, None)
    assert secure.requests == []


def test_a_plain_server_is_not_spoken_to_over_tls(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            connection, _ = plain.accept()
            with connection, suppress(OSError):
                connection.sendall(reply())
                while connection.recv(65_536):
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unreachable, match=r"TLS with 127\.0\.0\.1 failed"):
            fetcher.get(f"https://127.0.0.1:{plain.getsockname()[1]}/")
        thread.join()


def _with_goodbye(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
    with suppress(OSError):
        typing.cast("ssl.SSLSocket", connection).unwrap()


def test_a_body_that_tls_ends_is_whole(secure: Server, certificate: Path) -> None:
    secure.pages["/"] = _with_goodbye
    response = over_tls(secure, certificate)
    assert (response.body, response.truncated) == (b"hello", False)


def test_a_body_that_just_stops_may_have_been_cut_on_the_way(secure: Server, certificate: Path) -> None:
    """Anyone on the way can end a connection; a link missing from such a page proves nothing."""
    secure.pages["/"] = b"HTTP/1.1 200 OK\r\n\r\nhello"
    response = over_tls(secure, certificate)
    assert (response.body, response.truncated) == (b"hello", True)
    secure.pages["/"] = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhello"
    with pytest.raises(Unreachable, match="received 5 bytes, expected 99"):
        over_tls(secure, certificate)
