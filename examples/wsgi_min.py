"""A blog of one post in one file: run it with `python examples/wsgi_min.py`, and send it something.

    linkback send SOURCE http://127.0.0.1:8080/ --allow-network 127.0.0.0/8

SOURCE is any page that links to http://127.0.0.1:8080/.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from linkback import Fetcher, LinkbackError, Site
from linkback.adapters.server import Server
from linkback.web.render import thread

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
HERE = Path(__file__).resolve().parent
PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A post</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/linkback/thread.css">
<style>body { max-width: 40rem; margin: 0 auto; padding: 1.5rem; font: 1.1rem/1.6 Georgia, serif }</style>
<h1>A post</h1>
<p>Link to this page, and say so.</p>
"""


def blog(site: Site) -> WSGIApplication:
    """The blog, as any WSGI application would be."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [f"{PAGE}{thread(site.mentions(site.url))}".encode()]

    return application


def main() -> int:
    """Serve the blog until it is told to stop. Sources on this machine are believed, for trying it out."""
    parser = argparse.ArgumentParser(prog="wsgi_min", description="A blog of one post. On this machine only.")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=HERE / "data", help="where its records go")
    given = parser.parse_args()
    try:
        given.data.mkdir(parents=True, exist_ok=True)
        store = f"sqlite:///{given.data.resolve()}/wsgi_min.db"
        # the port is known, and with it the blog's address, once it is listened on
        server = Server(lambda environ, start: app(environ, start), f"127.0.0.1:{given.port}")
        with Site(f"{server.url}/", store=store, fetch=Fetcher(allow=["127.0.0.0/8"])) as site:
            app = site.wsgi(blog(site))
            server.run(lambda: print(f"listening on {server.url}", flush=True))
    except (OSError, LinkbackError) as error:
        parser.exit(1, f"wsgi_min: {error}\n")
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
