"""The server on real loopback sockets."""

from __future__ import annotations

import logging
import socket
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from linkback.adapters.server import Server, require
from linkback.errors import ConfigurationError
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
