"""A web for thousands of jobs: every page links to our post and takes webmentions.

Rule: what was asked for is in a file before it is answered, each a whole line in one write, so processes share it.
"""

from __future__ import annotations

import os
from pathlib import Path

from linkback.wire import Request, Response

HOME = "https://t.example/"
TARGET = f"{HOME}post"
ENDPOINT = "/webmention"


def source(number: int) -> str:
    """A page that links to our post, on a host of its own."""
    return f"https://s{number}.example/note"


def linked(number: int) -> str:
    """A page that our posts link to, on a host of its own."""
    return f"https://r{number}.example/page"


class Exchange:
    """A `Fetch` whose every page is there; `log` is the file."""

    def __init__(self, log: Path) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def _note(self, method: str, url: str) -> None:
        os.write(self._log, f"{os.getpid()} {method} {url}\n".encode())

    def get(self, url: str, *, accept: str = "*/*", purpose: str = "") -> Response:
        """A page that links to the post, and advertises an endpoint."""
        self._note("GET", url)
        headers = (("Content-Type", "text/html; charset=utf-8"), ("Link", f'<{ENDPOINT}>; rel="webmention"'))
        return Response(200, headers, f"<title>A note</title><a href='{TARGET}'>this</a>".encode(), url)

    def send(self, request: Request) -> Response:
        """The notification is taken."""
        self._note("POST", request.url)
        return Response(202, (), b"", request.url)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._log)
