"""`python examples/fastapi_blog`: serve the blog on this machine until it is told to stop."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
import sys
from pathlib import Path

import uvicorn

HERE = Path(__file__).resolve().parent
# run as a folder, this is no package: it is found as one beside its neighbours
sys.path.insert(0, str(HERE.parent))

from fastapi_blog.app import make_app, make_site  # noqa: E402
from linkback import LinkbackError  # noqa: E402
from shared.posts import Posts  # noqa: E402
from shared.starting import Command  # noqa: E402

command = Command(HERE, 8003, "A FastAPI blog")
command.add_listening()
given = command.parse()


def main() -> int:
    """Serve; the number is what the process ends with."""
    try:
        listening = socket.create_server(("127.0.0.1", given.port))
        here = f"http://127.0.0.1:{listening.getsockname()[1]}"
        posts = Posts(given.data / "blog.db")
        site = make_site(
            given.url or here, given.data, posts, given.protocols, name=given.name, moderate=given.moderate
        )
    except (OSError, OverflowError, sqlite3.Error, LinkbackError) as error:
        command.exit(1, f"fastapi_blog: {error}\n")
    # uvicorn ends what it began, and then raises the signal that told it to once more
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(make_app(site, posts), log_level="warning", timeout_graceful_shutdown=5)
    print(f"listening on {here}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
        return 0
    return 130


sys.exit(main())
