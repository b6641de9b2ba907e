"""`linkback demo`: two blogs on loopback, in processes of their own, tell each other about a link.

Alice's post links to three posts of Bob, each of which listens to one protocol. Everything that happens goes over real
sockets; nothing is arranged but the posts.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from linkback import urls
from linkback.adapters import server
from linkback.errors import LinkbackError
from linkback.fetch import Fetcher
from linkback.terminal import table, write
from linkback.wire import Request

#: the module that serves one of the blogs
BLOGS = "linkback.demo.blogs"
LOOPBACK = ("127.0.0.0/8",)
#: far more than the demo takes; where it is not enough something is wrong
_PATIENCE_SECONDS = 45.0
_POLL_SECONDS = 0.2
_UNDECIDED = frozenset({"queued", "failed", "unknown"})

Row = dict[str, str]


def run(*, keep: bool = False) -> bool:
    """Run the demo; true when all three announcements arrived. With `keep` the blogs stay up until interrupted.

    Raises `ConfigurationError` where the server that the blogs need is not installed, before any of them starts.
    """
    server.require()
    fetch = Fetcher(allow=LOOPBACK)
    with tempfile.TemporaryDirectory(prefix="linkback-demo-") as folder, contextlib.ExitStack() as running:
        write("Two blogs start, each in a process of its own, with an empty database.")
        bob = running.enter_context(_blog("bob", Path(folder)))
        alice = running.enter_context(_blog("alice", Path(folder), bob))
        write(f"  Bob's blog    {bob}\n  Alice's blog  {alice}")
        write("\nAlice publishes a post that links to three posts of Bob.")
        fetch.send(Request("POST", f"{alice}/publish"))
        deliveries = _deliveries(fetch, alice)
        mentions = _mentions(fetch, bob, [row["target"] for row in deliveries])
        _report(fetch, bob, deliveries, mentions)
        arrived = {protocol for mention in mentions for protocol in mention["protocols"].split("+")}
        arrived &= {"webmention", "pingback", "trackback"}
        write(f"\n{len(arrived)} of 3 protocols: {', '.join(sorted(arrived)) or 'none'} arrived and verified.")
        if keep:
            _stay(alice, [row["target"] for row in deliveries])
    return len(arrived) == 3


@contextlib.contextmanager
def _blog(name: str, folder: Path, *arguments: str) -> Iterator[str]:
    """One blog in a process of its own; gives the URL it answers at."""
    command = [sys.executable, "-m", BLOGS, name, str(folder / f"{name}.db"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    try:
        url = next(iter(process.stdout or ()), "").strip()
        if not url:
            raise LinkbackError(f"{name}'s blog did not start")
        yield url
    finally:
        process.terminate()
        process.communicate()


def _deliveries(fetch: Fetcher, alice: str) -> list[Row]:
    """Alice's deliveries, each told as it ends."""
    told: set[str] = set()

    def look() -> list[Row] | None:
        rows: list[Row] = json.loads(fetch.get(f"{alice}/deliveries").body)
        for row in rows:
            if row["outcome"] not in _UNDECIDED and row["target"] not in told:
                told.add(row["target"])
                write(f"  {row['protocol'] or 'no protocol'} to {row['target']}: {row['outcome']}")
        return rows if len(told) == len(rows) else None

    return _until(look)


def _mentions(fetch: Fetcher, bob: str, targets: list[str]) -> list[Row]:
    """What Bob shows, each mention told as it appears."""
    write("\nBob's blog fetches Alice's page and looks for each link before it shows anything.")
    shown: dict[str, Row] = {}

    def look() -> list[Row] | None:
        for target in targets:
            found = json.loads(fetch.get(f"{bob}/linkback/mentions?{urls.query({'target': target})}").body)
            for mention in found["mentions"]:
                if target not in shown:
                    shown[target] = {
                        "target": target,
                        "protocols": "+".join(mention["protocols"]),
                        "status": mention["status"],
                        "title": mention["title"],
                        "excerpt": mention["excerpt"],
                    }
                    write(f"  verified: {target}")
        return list(shown.values()) if len(shown) == len(targets) else None

    return _until(look)


def _until(look: Callable[[], list[Row] | None]) -> list[Row]:
    """Poll until a look is satisfied, or patience ends; then what there is counts."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if (rows := look()) is not None:
            return rows
        time.sleep(_POLL_SECONDS)
    raise LinkbackError(f"not everything arrived within {_PATIENCE_SECONDS:.0f} s")


def _report(fetch: Fetcher, bob: str, deliveries: list[Row], mentions: list[Row]) -> None:
    table(
        ("protocol", "target", "outcome"),
        [(row["protocol"] or "", row["target"], row["outcome"]) for row in deliveries],
        title="Alice's deliveries",
    )
    table(
        ("protocol", "target", "status", "title", "excerpt"),
        [(row["protocols"], row["target"], row["status"], row["title"], row["excerpt"]) for row in mentions],
        title="Bob's mentions",
    )
    write(fetch.get(f"{bob}/threads").body.decode())


def _stay(alice: str, targets: list[str]) -> None:
    write("\nBoth blogs stay up; look at the threads under Bob's posts, then press Ctrl-C:")
    for url in (alice, *targets):
        write(f"  {url}")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
