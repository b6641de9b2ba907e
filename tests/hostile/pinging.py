"""Pings over real sockets, by each protocol, and what its answer comes to.

Rule: an answer is read as its protocol words it, so that "taken" and "unavailable" mean what a peer would make of them.
"""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

from linkback.wire import Request, Response

HOME = "https://t.example"
TARGET = f"{HOME}/post"
#: the longest source that is taken: its mention fills more than a page of a database file
MOST_URL = 2048
TAKEN, UNAVAILABLE = "taken", "unavailable"


@dataclass(frozen=True)
class Told:
    """An answer of an endpoint."""

    status: int
    retry_after: str
    body: bytes
    location: str = ""


def ask(
    url: str, body: bytes | None = None, content_type: str = "application/x-www-form-urlencoded", *, client: str = ""
) -> Told:
    """GET a URL, or POST a body to it; for a `client` by its address, as a proxy does."""
    request = urllib.request.Request(url, body, {"Content-Type": content_type} if body is not None else {})
    if client:
        request.add_header("X-Forwarded-For", client)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            location = answer.headers.get("Location", "")
            return Told(answer.status, answer.headers.get("Retry-After", ""), answer.read(), location)
    except urllib.error.HTTPError as error:
        with error:
            return Told(error.code, error.headers.get("Retry-After", ""), error.read())


def _webmention(url: str, source: str, target: str = TARGET, *, client: str = "") -> tuple[Told, str]:
    body = urllib.parse.urlencode({"source": source, "target": target}).encode()
    told = ask(f"{url}/webmention", body, client=client)
    if told.status == 503 and told.retry_after.isdigit():
        return told, UNAVAILABLE
    return told, TAKEN if told.status == 201 else ""


def _pingback(url: str, source: str, target: str = TARGET, *, client: str = "") -> tuple[Told, str]:
    body = xmlrpc.client.dumps((source, target), "pingback.ping").encode()
    told = ask(f"{url}/pingback", body, "text/xml", client=client)
    try:
        xmlrpc.client.loads(told.body)
    except xmlrpc.client.Fault as fault:
        return told, UNAVAILABLE if (told.status, fault.faultCode) == (200, 50) else ""
    return told, TAKEN


def _trackback(url: str, source: str, target: str = TARGET, *, client: str = "") -> tuple[Told, str]:
    query = urllib.parse.urlencode({"target": target})
    told = ask(f"{url}/trackback?{query}", urllib.parse.urlencode({"url": source}).encode(), client=client)
    if told.status == 200 and b"<error>1</error>" in told.body and b"try again later" in told.body:
        return told, UNAVAILABLE
    return told, TAKEN if b"<error>0</error>" in told.body else ""


class Ping(Protocol):
    """Pings a server from a source, as a client where one is named; its answer, `TAKEN`, `UNAVAILABLE` or else ""."""

    def __call__(self, url: str, source: str, target: str = TARGET, *, client: str = "") -> tuple[Told, str]:
        """Ping."""


#: by the name of the protocol
PINGS: dict[str, Ping] = {
    "webmention": _webmention,
    "pingback": _pingback,
    "trackback": _trackback,
}


def source(name: object) -> str:
    """The URL of a source on a host of its own, as long as one may be."""
    return f"https://s-{name}.example/".ljust(MOST_URL, "x")


class EveryPageLinks:
    """A web in which every page links to the target; `look` is called with each URL before it answers."""

    def __init__(self, look: Callable[[str], object] = lambda url: None) -> None:
        self.look = look

    def get(self, url: str, *, accept: str = "*/*", purpose: str = "") -> Response:
        """A page that links to the target."""
        self.look(url)
        html = f"<title>A note</title><p>On <a href='{TARGET}'>this</a>.".encode()
        return Response(200, (("Content-Type", "text/html; charset=utf-8"),), html, url)

    def send(self, request: Request) -> NoReturn:
        """Nothing is sent in these tests."""
        raise AssertionError(f"sent to {request.url}")
