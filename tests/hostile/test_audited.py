"""What an audit hook sees of a blog: one place connects, and only its own files are read (security.md A12, A14)."""

from __future__ import annotations

import json
import site
import socket
import subprocess
import sys
import threading
import urllib.request
import xmlrpc.client
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest

from tests.databases import Databases
from tests.hostile.audited import OFFERS, POSTS
from tests.serving import served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

REPOSITORY = Path(__file__).parents[2]
DOOR = "linkback/door.py"
#: the server looks up the address that it is told to listen on, and its name
LISTENER = "waitress/adjustments.py"
LISTENERS_NAME = "socket.getnameinfo by waitress/server.py"
#: what looks up and connects to each kind of database: SQLite is a file, and libpq is no Python
DRIVERS = {"sqlite file": "", "postgresql": "", "mysql": "pymysql/connections.py"}
PROTOCOLS = ("webmention", "pingback", "trackback")


@dataclass
class Canary:
    """Plays an internal service; nobody may come."""

    listener: socket.socket
    connections: list[object] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is."""
        return "http://{}:{}".format(*self.listener.getsockname())

    def watch(self) -> None:
        """Count who comes, until it is closed."""
        with suppress(OSError):
            while True:
                connection, address = self.listener.accept()
                self.connections.append(address)
                connection.close()


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    try:
        canary = Canary(socket.create_server(("127.0.0.66", 0)))
    except OSError:
        pytest.skip("this system has no second loopback address")
    thread = threading.Thread(target=canary.watch)
    thread.start()
    yield canary
    canary.listener.shutdown(socket.SHUT_RDWR)
    canary.listener.close()
    thread.join()


class Peer:
    """A blog that takes pings by each protocol, has notes that link to `target`, and traps that lead to a canary."""

    def __init__(self, canary: str) -> None:
        self.target = ""
        self._canary = canary

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        here = f"http://{environ['HTTP_HOST']}"
        kind, _, name = str(environ["PATH_INFO"]).strip("/").partition("/")
        status, fields, body = self._note(name) if kind == "note" else self._post(kind, name, here)
        start_response(status, [("Content-Type", "text/html; charset=utf-8"), *fields])
        return [body.encode()]

    def _note(self, name: str) -> tuple[str, list[tuple[str, str]], str]:
        if name == "bounce":
            return "302 Found", [("Location", f"{self._canary}/note")], ""
        seen = f"<img src='{self._canary}/i'><a rel='author' href='{self._canary}/me' class='h-card'>Me</a>"
        return "200 OK", [], f"<title>A note</title><p>On <a href='{self.target}'>this</a>.</p>{seen}"

    def _post(self, kind: str, name: str, here: str) -> tuple[str, list[tuple[str, str]], str]:
        if kind == "takes":
            return "200 OK", [], _ANSWERS[name]
        about = (
            '<!-- <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:trackback="http://madskills.com/public/xml/rss/module/trackback/">'
            f'<rdf:Description rdf:about="{here}/{kind}/{name}" dc:identifier="{here}/{kind}/{name}" '
            f'trackback:ping="{here}/takes/trackback"/></rdf:RDF> -->'
        )
        fields = {
            "webmention": [("Link", f'<{here}/takes/webmention>; rel="webmention"')],
            "pingback": [("X-Pingback", f"{here}/takes/pingback")],
            "trap": [("Link", f'<{self._canary}/webmention>; rel="webmention"')],
        }
        if name == "bounce":
            return "302 Found", [("Location", f"{self._canary}/post")], ""
        return "200 OK", fields.get(name, []), about if name == "trackback" else "<p>A post"


_ANSWERS = {
    "webmention": "taken",
    "pingback": xmlrpc.client.dumps(("taken",), methodresponse=True),
    "trackback": "<response><error>0</error></response>",
}


def _ping(blog: str, protocol: str, source: str, target: str) -> None:
    """Tell a blog of a source; what it answers is no matter here."""
    url, kind = f"{blog}/linkback/{protocol}", "application/x-www-form-urlencoded"
    match protocol:
        case "webmention":
            body = urlencode({"source": source, "target": target})
        case "pingback":
            body, kind = xmlrpc.client.dumps((source, target), "pingback.ping"), "text/xml"
        case _:
            body, url = urlencode({"url": source}), f"{url}?target={quote(target, safe='')}"
    request = urllib.request.Request(url, body.encode(), {"Content-Type": kind})
    with suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


@pytest.fixture(scope="module", params=DRIVERS)
def seen(
    request: pytest.FixtureRequest, canary: Canary, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What an audit hook saw of a blog that was pinged and did all that a blog does, on each kind of database."""
    folder = tmp_path_factory.mktemp("audited")
    command = [sys.executable, "-m", "tests.hostile.audited", databases.empty(request.param, folder)]
    peer = Peer(canary.url)
    with (
        served(peer) as url,
        subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            blog = process.stdout.readline().strip()
            print(url, file=process.stdin, flush=True)
            process.stdout.readline()
            peer.target = f"{blog}/first"
            for protocol in PROTOCOLS:
                for source in (
                    f"{url}/note/{protocol}",
                    f"{url}/note/bounce",
                    f"{canary.url}/note",
                    "file:///etc/passwd",
                ):
                    _ping(blog, protocol, source, peer.target)
            for path in ("/first", "/linkback/mentions?target=" + quote(peer.target, safe=""), "/linkback/healthz"):
                with suppress(urllib.error.HTTPError):
                    urllib.request.urlopen(blog + path, timeout=30).close()
            print("go", file=process.stdin, flush=True)
            found: dict[str, Any] = json.loads(process.stdout.readline())
        finally:
            process.kill()
    return {**found, "folder": str(folder), "driver": DRIVERS[request.param]}


def test_the_watched_blog_did_all_that_a_blog_does(seen: dict[str, Any]) -> None:
    """Else what was not seen would prove nothing."""
    done = seen["done"]
    assert done["mentions"] == sorted(f"/note/{protocol}" for protocol in PROTOCOLS)
    assert done["rechecked"] == [True] * len(PROTOCOLS)
    assert done["followed"] == ["/second"]
    outcomes = done["outcomes"]
    assert {outcomes[f"{post}/{protocol}"] for post in POSTS for protocol in PROTOCOLS} == {"sent"}
    assert {outcomes[f"{post}/{trap}"] for post in POSTS for trap in ("trap", "bounce")} == {"refused"}
    assert len(outcomes) == len(POSTS) * len(OFFERS)
    assert done["asked"] == ["done"] * 4


def test_every_connection_comes_from_the_door_and_goes_where_it_may(seen: dict[str, Any], canary: Canary) -> None:
    assert {maker for _, maker in seen["connections"]} - {seen["driver"]} == {DOOR}
    assert {address for address, _ in seen["connections"]} <= {"127.0.0.1", "::1"}
    assert canary.connections == []


def test_names_are_looked_up_by_the_door_alone(seen: dict[str, Any]) -> None:
    assert {maker for host, maker in seen["look_ups"] if host == "localhost"} == {DOOR}
    assert {maker for _, maker in seen["look_ups"]} <= {DOOR, LISTENER, seen["driver"]}


def test_nothing_else_reaches_out_or_runs_a_program(seen: dict[str, Any]) -> None:
    assert set(seen["reaching"]) <= {LISTENERS_NAME}


def test_no_file_is_opened_but_those_of_the_program_and_its_store(seen: dict[str, Any]) -> None:
    homes = (sys.prefix, sys.base_prefix, str(REPOSITORY), seen["folder"], *site.getsitepackages())
    assert [path for path in seen["files"] if not path.startswith(homes)] == []
