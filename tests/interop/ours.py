"""Our side of a conversation: pages that link to a peer, a blog that listens to it, and the command line."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from linkback.errors import Reason, Refused
from linkback.fetch import Fetcher
from linkback.jobs import Runner
from linkback.policy import Policy
from linkback.site import Site
from linkback.wire import DEFAULT_ACCEPT, Request, Response
from tests.serving import LOOPBACK, eventually, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_HTML = ("Content-Type", "text/html; charset=utf-8")
_PATIENCE_SECONDS = 60


@dataclass
class Sources:
    """Pages at `url`, each under a path that no earlier run has used."""

    url: str
    bodies: dict[str, str]

    def add(self, title: str | None, html: str) -> str:
        """A new page; gives its URL. Without `title` it has no title element."""
        head = "" if title is None else f"<title>{escape(title)}</title>"
        path = f"/{uuid4().hex}"
        self.bodies[path] = f'<!doctype html><html><head><meta charset="utf-8">{head}</head><body>{html}</body></html>'
        return self.url + path


class Held:
    """A fetcher that reads pages only while `go` is set."""

    def __init__(self, fetch: Fetcher) -> None:
        self._fetch = fetch
        self.go = threading.Event()
        self.go.set()

    def get(self, url: str, *, accept: str = DEFAULT_ACCEPT, purpose: str = "") -> Response:
        assert self.go.wait(_PATIENCE_SECONDS)
        return self._fetch.get(url, accept=accept, purpose=purpose)

    def send(self, request: Request) -> Response:
        return self._fetch.send(request)


@dataclass
class Blog:
    """A blog of ours that listens: its posts are /post and /other, /closed takes no mentions, the rest are pages only.

    `requests` are the methods and paths that it was asked for. While `fetch` is held nothing is verified.
    """

    url: str
    site: Site
    fetch: Held
    requests: list[tuple[str, str]] = field(default_factory=list)

    def finish(self) -> None:
        """Wait until no check is due."""
        eventually(lambda: self.site.store.next_due() is None)


@contextlib.contextmanager
def listening(folder: Path, runner: Runner | None = None) -> Iterator[Blog]:
    """A `Blog` on loopback with a database in `folder`; it verifies as soon as it is told, or when `runner` does."""
    requests: list[tuple[str, str]] = []
    wrapped: list[WSGIApplication] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        requests.append((str(environ["REQUEST_METHOD"]), str(environ["PATH_INFO"])))
        return wrapped[0](environ, start_response)

    with served(application) as url:
        fetch = Held(Fetcher(allow=LOOPBACK))
        # no waiting before the first look nor before the second, so that a test sees the end of both
        policy = Policy(settle_seconds=0, second_look_seconds=0, recheck_days=0, host_seconds=0)
        store = f"sqlite:///{folder / 'blog.db'}"
        with Site(url, store=store, fetch=fetch, policy=policy, resolve=_resolve, runner=runner) as site:
            wrapped.append(site.wsgi(_page))
            try:
                yield Blog(url, site, fetch, requests)
            finally:
                fetch.go.set()


def _page(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [_HTML])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"<!doctype html><title>Ours</title><p>Some words."]


def _resolve(url: str) -> str | None:
    path = urlsplit(url).path
    if path == "/closed":
        raise Refused(Reason.TARGET_CLOSED)
    return url if path in ("/post", "/other") else None


@contextlib.contextmanager
def serve(site: str, folder: Path) -> Iterator[str]:
    """`linkback serve` for a blog, in a process of its own; gives its URL."""
    log = folder / "serve.log"
    options = ["--site", site, "--bind", "127.0.0.1:0", "--database", f"sqlite:///{folder / 'serve.db'}"]
    with log.open("w") as errors:
        command = [sys.executable, "-m", "linkback", "serve", *options, "--allow-network", *LOOPBACK]
        process = subprocess.Popen(command, stderr=errors)
        try:
            [url] = eventually(lambda: re.findall(r"listening on (\S+) for", log.read_text()))
            yield url
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)
    assert process.returncode == 0, log.read_text()


def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """`linkback ARGUMENTS --json`: its exit code and what it printed."""
    command = [sys.executable, "-m", "linkback", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def send(source: str, *targets: str) -> tuple[int, list[dict[str, Any]]]:
    """`linkback send`, allowed to speak to loopback."""
    return run("send", source, *targets, "--allow-network", *LOOPBACK)
