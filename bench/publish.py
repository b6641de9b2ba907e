"""What `Site.publish` of a post costs its author: no network, one transaction; figures of one run, as JSON.

`ratio` compares it with the least that such a record can cost here: the same number of bare rows (a delivery, its job
and its host's turn for each link), committed in one transaction of such a file. `unchanged` is a post that says what it
said before.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from linkback.jobs import External
from linkback.site import Site
from linkback.wire import Request

BLOG = "https://blog.example"
SENTENCE = "Two pages that link to each other tell more than either does alone, and it takes one line to say so. "
_MIX = 61  # spreads the links of a post unevenly over hosts


class NoNetwork:
    """A door that nobody may pass: it is asked for nothing while a post with its html is published."""

    def get(self, url: str, *, accept: str = "*/*", purpose: str = "") -> NoReturn:
        """Fail: publishing does not read pages."""
        raise AssertionError(f"publishing asked for {url}")

    def send(self, request: Request) -> NoReturn:
        """Fail: publishing sends nothing."""
        raise AssertionError(f"publishing sent to {request.url}")


def post(number: int, *, links: int, size: int) -> str:
    """The page of a post: a head, a menu, paragraphs with their links, a footer; `size` bytes."""
    targets = [f"https://site{(number * _MIX + n * n) % 997}.example/{2000 + n % 25}/post-{n}" for n in range(links)]
    head = (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>Post {number}</title>"
        '<link rel=stylesheet href="/style.css"></head><body><header><nav><ul><li><a href="#main">Skip</a></ul></nav>'
        f'</header><main id=main><article class=h-entry><h1 class=p-name>Post {number}</h1><div class="e-content">'
    )
    tail = "</div></article></main><footer><p>Written by hand.</footer></body></html>"
    anchors = [f'<a href="{target}">a page on the matter</a>' for target in targets]
    words = max(0, size - len(head) - len(tail) - sum(len(f"<p>{anchor}</p>\n") for anchor in anchors)) // max(1, links)
    filler = (SENTENCE * (words // len(SENTENCE) + 1))[:words]
    return head + "".join(f"<p>{filler}{anchor}</p>\n" for anchor in anchors) + tail


def timed(step: Callable[[], object]) -> float:
    """Milliseconds that a step takes."""
    start = time.perf_counter()
    step()
    return (time.perf_counter() - start) * 1000


class Bare:
    """A database file as linkback's own, written to by the driver alone."""

    def __init__(self, path: str, links: int) -> None:
        self._rows = [(BLOG, f"{BLOG}/post", f"https://site{number}.example/post") for number in range(3 * links)]
        self._connection = sqlite3.connect(path)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE rows (site TEXT, source TEXT, target TEXT)")

    def commit(self) -> None:
        """Write the rows of one post."""
        with self._connection:
            self._connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", self._rows)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def measure(folder: str, posts: int, links: int, size: int) -> dict[str, list[float]]:
    """Publish posts, and commit bare rows in between, so that the disk's moods meet both alike."""
    times: dict[str, list[float]] = {"published": [], "cpu": [], "unchanged": [], "bare": []}
    bare = Bare(f"{folder}/bare.db", links)
    with Site(BLOG, store=f"sqlite:///{folder}/linkback.db", fetch=NoNetwork(), runner=External()) as site:
        for number in range(posts + 1):
            url, html = f"{BLOG}/{number}", post(number, links=links, size=size)
            cpu = time.process_time()
            publish = partial(site.publish, url, html)
            taken = {"published": timed(publish)}
            taken["cpu"] = (time.process_time() - cpu) * 1000
            taken["unchanged"] = timed(publish)
            taken["bare"] = timed(bare.commit)
            if number:  # the first post fills the caches
                for name, milliseconds in taken.items():
                    times[name].append(milliseconds)
        owed = len(site.deliveries())
    bare.close()
    if owed != (posts + 1) * links:
        raise AssertionError(f"{owed} deliveries are owed, not {(posts + 1) * links}")
    return times


def main() -> None:
    """Measure as the command line says, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=200)
    parser.add_argument("--links", type=int, default=50)
    parser.add_argument("--bytes", type=int, default=20_000, dest="size")
    parser.add_argument("--folder", help="where the database file is made; a temporary folder by default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        times = measure(folder, given.posts, given.links, given.size)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    figure = {
        "posts": given.posts,
        "links": given.links,
        "bytes": len(post(1, links=given.links, size=given.size)),
        "median_ms": round(medians["published"], 1),
        "p95_ms": round(statistics.quantiles(times["published"], n=20)[-1], 1),
        "cpu_ms": round(medians["cpu"], 1),
        "unchanged_ms": round(medians["unchanged"], 1),
        "bare_ms": round(medians["bare"], 1),
        "ratio": round(medians["published"] / medians["bare"], 1),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
