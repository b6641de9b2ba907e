"""`python examples/fastapi_blog`: serve the blog on loopback until it is told to stop."""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import sqlite3
import sys
from pathlib import Path

import uvicorn

# run as a folder this is no package: its modules are found beside it
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from fastapi_blog.app import make_app, make_site  # noqa: E402
from fastapi_blog.posts import Posts  # noqa: E402
from linkback import BUILTIN, LinkbackError  # noqa: E402

NAMES = [protocol.name for protocol in BUILTIN]
parser = argparse.ArgumentParser(prog="fastapi_blog", description="A little blog. It has no login: loopback only.")
parser.add_argument("--port", type=int, default=8003, help="0 takes a free one (default: 8003)")
parser.add_argument("--data", type=Path, default=HERE / "data", help="where its databases go")
parser.add_argument("--url", help="its public address (default: http://127.0.0.1:PORT)")
parser.add_argument("--protocols", default=",".join(NAMES), help="what it listens to and speaks (default: all)")
parser.add_argument("--moderate", action="store_true", help="hold mentions until they are approved")
parser.add_argument("--name", default="A FastAPI blog")


def main() -> int:
    """Serve; the number is what the process ends with."""
    given = parser.parse_args()
    protocols = given.protocols.split(",")
    if not set(protocols) <= set(NAMES):
        parser.error(f"--protocols takes some of {','.join(NAMES)}, not {given.protocols}")
    try:
        listening = socket.create_server(("127.0.0.1", given.port))
        here = f"http://127.0.0.1:{listening.getsockname()[1]}"
        given.data.mkdir(parents=True, exist_ok=True)
        posts = Posts(given.data / "blog.db")
        site = make_site(given.url or here, given.data, posts, protocols, name=given.name, moderate=given.moderate)
    except (OSError, OverflowError, sqlite3.Error, LinkbackError) as error:
        parser.exit(1, f"fastapi_blog: {error}\n")
    # uvicorn ends what it began, and then raises the signal that told it to once more
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(make_app(site, posts), log_level="warning", timeout_graceful_shutdown=5)
    print(f"listening on {here}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
        return 0
    return 130


if __name__ == "__main__":
    sys.exit(main())
