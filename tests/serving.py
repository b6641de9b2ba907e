"""A WSGI application on a loopback port for the length of a `with` block, and waiting without sleeping blindly."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from linkback.adapters.server import Server

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LOOPBACK = ("127.0.0.0/8",)
T = TypeVar("T")


@contextlib.contextmanager
def served(app: WSGIApplication, *, proxies: Iterable[str] = (), host: str = "127.0.0.1") -> Iterator[str]:
    """Serve an application from a thread; gives its URL. `proxies` are those that are believed."""
    server = Server(app, f"{host}:0", proxies=proxies)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.close()
        thread.join(10)


def pages(bodies: dict[str, str]) -> WSGIApplication:
    """An application of static HTML pages by path; any other path is 404."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        body = bodies.get(str(environ["PATH_INFO"]))
        start_response("404 Not Found" if body is None else "200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [(body or "no such page").encode()]

    return application


def eventually(look: Callable[[], T], *, seconds: float = 20.0) -> T:
    """What `look` gives once it is true; fails when that takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {found!r} after {seconds:.0f} s")
        time.sleep(0.02)
    return found
