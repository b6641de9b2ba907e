"""A blog of one post in one file: run it with `python examples/wsgi_min.py`, and send it something.

    linkback send SOURCE http://127.0.0.1:8080/ --allow-network 127.0.0.0/8

SOURCE is any page that links to http://127.0.0.1:8080/.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from linkback import Fetcher, Site
from linkback.adapters.server import Server
from linkback.web.render import thread

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A post</title>
<link rel="stylesheet" href="/linkback/thread.css">
<h1>A post</h1>
"""


def blog(site: Site) -> WSGIApplication:
    """The blog, as any WSGI application would be."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [f"{PAGE}{thread(site.mentions(site.url))}".encode()]

    return application


def main(bind: str = "127.0.0.1:8080", store: str = "sqlite:///wsgi_min.db") -> None:
    """Serve the blog until interrupted. Sources on this machine are believed, for trying it out."""
    with Site(f"http://{bind}/", store=store, fetch=Fetcher(allow=["127.0.0.0/8"])) as site:
        server = Server(site.wsgi(blog(site)), bind)
        server.run(lambda: print(f"listening on {server.url}", flush=True))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
