"""One way of telling fifty pages of a post that links to them, timed: run by `fanout.py`, in the environment it needs.

A method gets the post, the pages that it links to, and a stack for what is to be closed in the end; it gives what to do
until all pages are told. What it imports and opens before is not counted.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

#: tells all targets, and gives the seconds that this took where that is not all of it
Send = Callable[[], float | None]
#: methods of peers, and the environments that they need; those that tell one page after the other last
PEERS = {
    "webmentions": "webmentions",
    "pushl": "pushl",
    "indieweb-utils": "indieweb-utils",
    "ronkyuu": "ronkyuu",
    "webmention-tools": "webmention-tools",
}
ONE_BY_ONE = frozenset({"indieweb-utils", "ronkyuu", "webmention-tools"})
BLOG = "https://blog.example"


def linkback(source: str, targets: Sequence[str], until: ExitStack) -> Send:
    """A site as it is by default, over a SQLite file: from due, which is when `publish` records it, to all told."""
    import threading
    from datetime import datetime

    from linkback import Fetcher, Outcome, Site
    from linkback.site import utcnow

    outcomes: list[Outcome] = []
    ended = threading.Event()
    times: list[float] = []

    def clock() -> datetime:
        times.append(time.perf_counter())
        return utcnow()

    def told(delivery: Any) -> None:
        outcomes.append(delivery.outcome)
        if len(outcomes) == len(targets):
            ended.set()

    store = f"sqlite:///{until.enter_context(tempfile.TemporaryDirectory())}/linkback.db"
    fetch = Fetcher(allow=["127.0.0.0/8"])
    site = until.enter_context(Site(BLOG, store=store, fetch=fetch, on_delivery=told, clock=clock))
    links = "".join(f'<p><a href="{target}">a page</a></p>' for target in targets)

    def send() -> float:
        times.clear()
        site.publish(f"{BLOG}/post", f"<article>{links}</article>")
        if not ended.wait(60) or set(outcomes) != {Outcome.ACCEPTED}:
            raise AssertionError(f"{len(outcomes)} of {len(targets)} were told: {set(outcomes)}")
        # the first look at the clock says from when on the deliveries are due
        return time.perf_counter() - times[0]

    return send


def floor(source: str, targets: Sequence[str], until: ExitStack) -> Send:
    """The least: one connection for each page, its GET and its POST over bare asyncio; nothing read, nothing kept."""
    import asyncio

    async def ask(host: str, head: str, body: str = "") -> None:
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(f"{head} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{body}\r\n".encode())
        await reader.read(-1)
        writer.close()

    async def tell(target: str) -> None:
        host = target.split("/")[2]
        await ask(host, "GET /post")
        await ask(host, "POST /webmention", "Content-Length: 0\r\n")

    async def every() -> None:
        await asyncio.gather(*map(tell, targets))

    return lambda: asyncio.run(every())


def webmentions(source: str, targets: Sequence[str], until: ExitStack) -> Send:
    """A pool of ten threads. It gets the post's markup and keeps no records."""
    from webmentions import ContentTextFormat, WebmentionsHandler  # type: ignore[import-not-found]

    class Nowhere:
        def retrieve_webmentions(self, *given: object, **named: object) -> list[object]:
            return []

        def mark_sent(self, *given: object, **named: object) -> None: ...

        store_webmention = delete_webmention = mark_sent

    handler = WebmentionsHandler(storage=Nowhere(), base_url="http://127.0.0.1", ssrf_protection=False)
    with urllib.request.urlopen(source) as answer:
        text = answer.read().decode()

    def send() -> None:
        handler.process_outgoing_webmentions(source, text=text, text_format=ContentTextFormat.HTML)

    return send


def pushl(source: str, targets: Sequence[str], until: ExitStack) -> Send:
    """asyncio; it fetches the post."""
    import asyncio

    import pushl.__main__ as peer  # type: ignore[import-not-found]

    asyncio.set_event_loop(asyncio.new_event_loop())
    sys.argv = ["pushl", "--entry", source]
    return peer.main  # type: ignore[no-any-return]


def one_by_one(tell: Callable[[str], object], targets: Sequence[str]) -> Send:
    """A peer whose users have it tell one page after the other."""

    def send() -> None:
        for target in targets:
            tell(target)

    return send


def indieweb_utils(source: str, targets: Sequence[str], until: ExitStack) -> Send:
    from indieweb_utils import send_webmention  # type: ignore[import-not-found]

    return one_by_one(lambda target: send_webmention(source, target), targets)


def ronkyuu(source: str, targets: Sequence[str], until: ExitStack) -> Send:
    import ronkyuu as peer  # type: ignore[import-not-found]

    return one_by_one(lambda target: peer.sendWebmention(source, target, test_urls=False), targets)


def webmention_tools(source: str, targets: Sequence[str], until: ExitStack) -> Send:
    from webmentiontools.send import WebmentionSend  # type: ignore[import-not-found]

    return one_by_one(lambda target: WebmentionSend(source, target).send(), targets)


METHODS = {
    "linkback": linkback,
    "floor": floor,
    "webmentions": webmentions,
    "pushl": pushl,
    "indieweb-utils": indieweb_utils,
    "ronkyuu": ronkyuu,
    "webmention-tools": webmention_tools,
}


def resident(field: str) -> float:
    """Megabytes of this process's memory, by the kernel's account: `VmRSS` now, `VmHWM` at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def measured(method: str, source: str, targets: Sequence[str]) -> dict[str, float]:
    """Seconds, milliseconds of CPU and megabytes over the start that it takes to tell all targets."""
    with ExitStack() as until:
        send = METHODS[method](source, targets, until)
        # from here on the peak is counted anew
        Path("/proc/self/clear_refs").write_text("5")
        memory, cpu, start = resident("VmRSS"), time.process_time(), time.perf_counter()
        wall = send() or time.perf_counter() - start
        cpu = time.process_time() - cpu
        return {"wall": wall, "cpu_ms": cpu * 1000, "megabytes": resident("VmHWM") - memory}


if __name__ == "__main__":
    name, post, *pages = sys.argv[1:]
    print(json.dumps(measured(name, post, pages)))
