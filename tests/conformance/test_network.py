"""The vectors that need a network, as served over real loopback sockets."""

from __future__ import annotations

import gzip
import socket
import threading

import pytest

from linkback import Blocked, Fetcher, FetchError, Limits, NoBacklink, Outcome, TooManyRedirects, discover, send, verify
from linkback.errors import TimedOut, Unreachable
from linkback.model import Claim
from linkback.protocols import Pingback
from linkback.sender import discover as find
from tests.conformance.rawserver import HTML, Answers, page, redirect, web
from tests.serving import LOOPBACK

WM = b'Link: </wm>; rel="webmention"\r\n'
NOWHERE = "https://t.example/post"


def fetcher(**limits: float) -> Fetcher:
    return Fetcher(allow=LOOPBACK, limits=Limits(**limits))  # type: ignore[arg-type]


def test_a_fragment_is_not_sent() -> None:
    """VA-57, A-1."""
    with web({"/post": page(headers=WM)}) as at:
        found = discover(f"{at.url}/post#c5", fetch=fetcher())
        assert found.webmention is not None
        assert at.paths() == ["/post"]


@pytest.mark.parametrize("target", ["ftp://t.example/x", "mailto:a@b", "//t.example/", "https://u:p@t.example/"])
def test_what_cannot_be_fetched_costs_no_request(target: str) -> None:
    """VA-58, A-2."""

    class Nobody:
        """Fails whoever asks it for anything."""

        def get(self, url: str, **options: str) -> None:
            raise AssertionError(url)

        send = get

    from linkback.sender import deliver

    delivery = deliver(Nobody(), Claim("", "https://s.example/note", target))  # type: ignore[arg-type]
    assert delivery.outcome is Outcome.NO_ENDPOINT


def test_the_sixth_redirect_is_an_error_and_not_a_page_without_endpoint() -> None:
    """VA-59, A-4; five are followed."""
    answers: Answers = {f"/{number}": redirect(f"/{number + 1}") for number in range(6)}
    with web({**answers, "/6": page(headers=WM)}) as at:
        assert discover(f"{at.url}/1", fetch=fetcher()).final_url == f"{at.url}/6"
        with pytest.raises(TooManyRedirects):
            discover(f"{at.url}/0", fetch=fetcher())


def test_a_loop_of_redirects_ends() -> None:
    """VA-60, A-4."""
    with web({"/a": redirect("/b"), "/b": redirect("/a")}) as at:
        with pytest.raises(TooManyRedirects):
            discover(f"{at.url}/a", fetch=fetcher())
        assert len(at.seen) <= 6


@pytest.mark.parametrize(
    "place", ["http://169.254.169.254/", "http://10.0.0.1/", "http://[::1]/", "file:///etc/passwd"]
)
def test_a_redirect_leads_to_no_place_we_do_not_talk_to(place: str) -> None:
    """VA-61, VD-57, A-5."""
    with web({"/": redirect(place)}) as at:
        for ask in (lambda: discover(at.url, fetch=fetcher()), lambda: verify(at.url, NOWHERE, fetch=fetcher())):
            with pytest.raises(FetchError) as caught:
                ask()
            assert isinstance(caught.value, Blocked | TooManyRedirects)


def test_endpoints_are_relative_to_the_page_that_a_redirect_led_to() -> None:
    """VA-22 over HTTP, with a page that answers once; what the redirect advertises counts for nothing (A-6)."""
    once = [page(headers=b"Link: <ep/k2>; rel=webmention\r\n")]
    answers: Answers = {
        "/post": redirect("/page/k1", headers=b"Link: </bad>; rel=webmention\r\n"),
        "/page/k1": lambda request: once.pop() if once else b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    }
    with web(answers) as at:
        found = discover(f"{at.url}/post", fetch=fetcher()).webmention
        assert found is not None
        assert found.url == f"{at.url}/page/ep/k2"
        assert all(request.startswith(b"GET ") for request in at.seen)


def test_a_discovery_says_what_it_is_and_what_it_reads() -> None:
    """VA-108, A-14; VB-72, B-17: one line, whatever was configured."""
    with web({"/post": page(headers=WM)}) as at:
        find(Fetcher(allow=LOOPBACK, user_agent="x\r\nEvil: 1"), f"{at.url}/post")
        head = at.seen[0].split(b"\r\n\r\n")[0].split(b"\r\n")
        fields = dict(line.split(b": ", 1) for line in head[1:])
        assert b"Webmention" in fields[b"User-Agent"]
        assert fields[b"Accept"].startswith(b"text/html")
        assert b"Evil" not in fields


def test_a_source_is_read_without_credentials() -> None:
    """E-14, D-20: what only we may see is never shown, since it is never asked for."""
    with web({"/": page(f"<a href='{NOWHERE}'>x</a>".encode(), b"Set-Cookie: a=b\r\n")}) as at:
        fetch = fetcher()
        for _ in range(2):
            verify(f"{at.url}/", NOWHERE, fetch=fetch)
        sent = {line.split(b":")[0].lower() for request in at.seen for line in request.split(b"\r\n")[1:] if line}
        assert sent == {b"host", b"user-agent", b"accept", b"accept-encoding", b"connection"}


def test_a_pingback_goes_out_whole_and_with_its_length() -> None:
    """VB-79, B-23; VB-1, B-20 and B-24 on the wire."""
    done = b"<methodResponse><params><param><value><string>ok</string></value></param></params></methodResponse>"
    with web({"/post": page(headers=b"X-Pingback: /rpc\r\n"), "/rpc": page(done)}) as at:
        source = "https://s.example/note"
        assert send(source, f"{at.url}/post", fetch=fetcher()).outcome is Outcome.SENT
        head, _, body = at.seen[1].partition(b"\r\n\r\n")
        assert body == Pingback().write_ping("", Claim("pingback", source, f"{at.url}/post")).body
        assert b"\r\nContent-Length: %d" % len(body) in head
        assert b"Transfer-Encoding" not in head
        assert b"Expect" not in head


def test_no_more_of_an_answer_is_taken_than_says_something() -> None:
    """VB-76, B-15: of 10 MiB at most 64 KiB."""
    with web({"/wm": page(b"x" * 10_485_760)}) as at:
        from linkback.wire import Request

        assert len(fetcher().send(Request("POST", f"{at.url}/wm", (), b"a=b")).body) == 65_536


def test_a_receiver_may_think_longer_than_a_page_takes() -> None:
    """VX-4, B-14, F-2: a POST has 30 seconds of its own, more than the 11 that a WordPress may need."""
    assert Limits().send_seconds >= 30
    assert Limits().send_seconds > Limits().seconds
    gate = threading.Event()

    def think(request: bytes) -> bytes:
        # longer than the limit for pages, which is set so low here that no clock decides
        gate.wait(0.5)
        return page(b"", b"")

    with web({"/post": page(headers=WM), "/wm": think}) as at:
        patient = fetcher(seconds=0.4, send_seconds=30.0)
        assert send("https://s.example/note", f"{at.url}/post", fetch=patient).outcome is Outcome.SENT


def test_a_source_that_drips_is_cut_off() -> None:
    """VD-58, D-23."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(HTML + b"\r\n")
        while not stop.wait(0.02):
            try:
                connection.sendall(b"x")
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                drip(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(TimedOut):
            verify(f"http://127.0.0.1:{port}/", NOWHERE, fetch=fetcher(seconds=0.3))
        stop.set()
        thread.join(10)


def test_a_bomb_is_cut_at_the_limit() -> None:
    """VD-59, D-23: what was not read proves nothing."""
    bomb = gzip.compress(b"\0" * 50_000_000)
    with web({"/": page(bomb, b"Content-Encoding: gzip\r\n")}) as at:
        response = fetcher().get(at.url)
        assert (len(response.body), response.truncated) == (1_048_576, True)
        with pytest.raises(NoBacklink) as caught:
            verify(at.url, NOWHERE, fetch=fetcher())
        assert caught.value.reason.value == "truncated"


def test_every_failure_to_read_a_source_is_ours_to_name() -> None:
    """D-25 over HTTP: nobody there, nothing said, and a broken frame end alike, as trouble that may pass."""
    with web({"/broken": HTML + b"Content-Length: 100\r\n\r\nshort"}) as at:
        with pytest.raises(Unreachable) as caught:
            verify(f"{at.url}/broken", NOWHERE, fetch=fetcher())
        assert caught.value.temporary
