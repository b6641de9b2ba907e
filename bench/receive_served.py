"""The applications that receive.py measures, each in a process of its own, on `linkback.adapters.server`.

    python bench/receive_served.py "empty"|"linkback"|"one commit" DATABASE_URL

Prints the URL that it listens at; at its end a JSON object with the CPU time that it took since, in seconds.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from linkback.adapters.server import Server
from linkback.adapters.wsgi import endpoints
from linkback.jobs import External
from linkback.policy import Policy
from linkback.site import Site
from linkback.store.sql import SqlStore

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SITE = "https://bob.example"
TARGET = f"{SITE}/post"


def empty(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An application that does nothing."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]


def application(method: str, database: str) -> WSGIApplication:
    """The one to measure: `one commit` is ours with a transaction for each ping."""
    if method == "empty":
        return empty
    # as `linkback serve --no-work` does: the checks are another process's work
    logging.getLogger("linkback").setLevel(logging.INFO)
    store = SqlStore.open(database)
    if method == "one commit":
        store._intake._together.most = 1
    # what is measured is the disk, and not when to say that it is enough
    unlimited = Policy(client_seconds=0, site_seconds=0, most_waiting=0)
    return endpoints(Site(SITE, store=store, runner=External(), policy=unlimited))


def main() -> int:
    """Serve until SIGTERM."""
    method, database = sys.argv[1:3]
    server = Server(application(method, database), "127.0.0.1:0")
    before = time.process_time()
    with contextlib.suppress(SystemExit):
        server.run(lambda: print(server.url, flush=True))
    print(
        json.dumps(
            {
                "cpu": time.process_time() - before,
                "user": __import__("os").times().user,
                "sys": __import__("os").times().system,
            }
        ),
        flush=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
