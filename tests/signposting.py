"""What every framework's adapter promises of a host's own answers: the pages of one small host, and what each carries.

A test of an adapter builds the host with its framework (`PAGES` says what it answers), serves it on a socket around a
`Site` of `SITE` whose `resolve` is ours, and calls `check` with each of `CASES`.
"""

from __future__ import annotations

import http.client
import urllib.parse
from dataclasses import dataclass, field

import pytest

from linkback.errors import Reason, Refused
from linkback.verbs import find_endpoints

SITE = "https://t.example"
HTML = "text/html; charset=utf-8"
OWN_LINK = '<https://t.example/feed>; rel="alternate"'
SHARED_LINK = '<https://t.example/a>; rel="preload", <https://t.example/b>; rel="author"'


@dataclass(frozen=True)
class Page:
    """What the host answers at a path: `chunks` one by one where it is `streamed`."""

    chunks: tuple[bytes, ...]
    status: int = 200
    type: str = HTML
    headers: tuple[tuple[str, str], ...] = ()
    streamed: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


_POST = (b"<!doctype html><title>A post</title>", b"<h1>A post</h1>", "<p>caf\u00e9</p>".encode())
PAGES: dict[str, Page] = {
    "/post": Page(_POST),
    "/linked": Page(_POST, headers=(("Link", OWN_LINK),)),
    "/linked-twice": Page(_POST, headers=(("Link", SHARED_LINK), ("X-Own", "1"))),
    "/streamed": Page(_POST, streamed=True),
    "/empty": Page((b"",)),
    "/packed": Page((b"\x1f\x8b not really",), headers=(("Content-Encoding", "gzip"),)),
    "/wide": Page(("\ufeff<p>wide</p>".encode("utf-16-le"),), type="text/html; charset=utf-16"),
    "/moved": Page((b"<p>moved</p>",), 302, headers=(("Location", "/post"),)),
    "/data": Page((b'{"a": 1}',), type="application/json"),
    "/style": Page((b"p {}",), type="text/css"),
    "/streamed-data": Page((b"[1,", b"2]"), type="application/json", streamed=True),
    "/missing": Page((b"<h1>not here</h1>",), 404),
    "/broken": Page((b"<h1>sorry</h1>",), 500),
    "/closed": Page(_POST),
    "/unknown": Page(_POST),
}


def resolve(url: str) -> str | None:
    """The pages of the host that take mentions: all but `/closed` and `/unknown`."""
    path = urllib.parse.urlsplit(url).path
    if path == "/closed":
        raise Refused(Reason.TARGET_CLOSED)
    return url if path in PAGES and path != "/unknown" else None


@dataclass(frozen=True)
class Case:
    """One request, and what its answer carries besides what the host gave."""

    path: str
    method: str = "GET"
    signs: bool = False
    tail: bool = False
    links: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


CASES = [
    Case("/post", signs=True, tail=True),
    Case("/post?page=2", signs=True, tail=True),
    Case("/post", "HEAD", signs=True),
    Case("/linked", signs=True, tail=True, links=("https://t.example/feed",)),
    Case("/linked", "HEAD", signs=True, links=("https://t.example/feed",)),
    Case("/linked-twice", signs=True, tail=True, links=("https://t.example/a", "https://t.example/b")),
    Case("/streamed", signs=True, tail=True),
    Case("/streamed", "HEAD", signs=True),
    Case("/empty", signs=True, tail=True),
    Case("/packed", signs=True),
    Case("/wide", signs=True),
    Case("/post", "POST"),
    Case("/moved"),
    Case("/moved", "HEAD"),
    Case("/data"),
    Case("/style"),
    Case("/streamed-data"),
    Case("/missing"),
    Case("/broken"),
    Case("/closed"),
    Case("/unknown"),
]
cases = pytest.mark.parametrize("case", CASES, ids=str)


def ask(base: str, method: str, path: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """One request to a server on loopback, redirects not followed."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(base).netloc, timeout=20)
    try:
        connection.request(method, path, body=b"a=1" if method == "POST" else None)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def check(base: str, case: Case) -> None:
    """Ask the host that is served at `base`, and compare with what the case says."""
    page = PAGES[case.path.partition("?")[0]]
    status, headers, body = ask(base, case.method, case.path)
    assert status == page.status
    given = {name.lower() for name, _ in page.headers}
    named = {name.lower(): value for name, value in headers}
    assert given <= named.keys()
    links = ", ".join(value for name, value in headers if name.lower() == "link")
    for link in case.links:
        assert f"<{link}>" in links
    assert ("x-pingback" in named) == case.signs
    if case.signs:
        permalink = SITE + case.path
        found = find_endpoints(permalink, headers, b"")
        assert found.webmention is not None
        assert found.webmention.url == f"{SITE}/linkback/webmention"
        assert links.count('rel="webmention"') == 1
        assert found.pingback is not None
        assert found.pingback.url == f"{SITE}/linkback/pingback"
    else:
        assert 'rel="webmention"' not in links
    if case.method == "HEAD":
        assert body == b""
        return
    assert body.startswith(page.body)
    rest = body[len(page.body) :]
    assert bool(rest) == case.tail
    if "content-length" in named:
        assert int(named["content-length"]) == len(body)
    if case.tail:
        found = find_endpoints(SITE + case.path, headers, body)
        assert found.trackback is not None
        assert found.trackback.url.startswith(f"{SITE}/linkback/trackback?target=")
