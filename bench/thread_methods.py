"""One way of reading the thread of a post, timed over many posts: run by `thread.py`, in the environment it needs.

A method gives a function from a post's number to what was read of it: its mentions, or the markup of its thread.
"""

from __future__ import annotations

import functools
import json
import random
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: how many mentions each post has, and how many sites there are
THREAD, SITES = 100, 4
_WARM, _POSTS, _AGAIN = 10, 90, 30
Method = Callable[[int], Any]


def site(n: int) -> str:
    """The site of the post of that number."""
    return f"https://blog{n % SITES}.example/"


def post(n: int) -> str:
    """The URL of the post of that number."""
    return f"{site(n)}2026/01/a-post-of-some-length-{n}/"


def linkback(url: str) -> Method:
    """The mentions of a post, as a blog engine gets them."""
    from linkback.jobs import External
    from linkback.site import Site
    from linkback.store import open_store

    store = open_store(url, create=False)
    sites = [Site(site(n), store=store, runner=External()) for n in range(SITES)]
    return lambda n: sites[n % SITES].mentions(post(n))


def page(url: str) -> Method:
    """What a page view costs: the mentions are read, then drawn."""
    from linkback.web import render

    read = linkback(url)
    return lambda n: render.thread(read(n))


def floor(url: str) -> Method:
    """The least: the driver's own rows, by the index that finds them."""
    from linkback import urls
    from linkback.store.engine import read_url

    connection: Any = read_url(url).engine(patient=False).raw_connection().driver_connection
    sign = "?" if isinstance(connection, sqlite3.Connection) else "%s"
    # as many columns as linkback needs
    statement = f"""SELECT id, site, source, target, status, received, checked, title, author_name, author_url,
        author_photo, excerpt, published, kind, final_url, missing_since, lost_since FROM linkback_mentions
        WHERE page_key = {sign} AND status = 'approved' ORDER BY received, id"""

    keys = functools.cache(lambda n: urls.page_key(site(n), post(n)))
    return lambda n: connection.execute(statement, (keys(n),)).fetchall()


def webmentions(url: str) -> Method:
    """The peer's own store in a SQLite file beside ours, with the same mentions."""
    from webmentions import WebmentionDirection
    from webmentions.storage.adapters.db import init_db_storage

    ours = url.removeprefix("sqlite:///")
    path = Path(f"{ours}.webmentions")
    filled = path.exists()
    storage = init_db_storage(f"sqlite:///{path}")
    if not filled:
        _copy(path, ours)

    return lambda n: storage.retrieve_webmentions(post(n), WebmentionDirection.IN)


def _copy(path: Path, ours: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("ATTACH ? AS ours", (ours,))
    connection.execute(
        """INSERT INTO webmentions (source, target, direction, title, excerpt, author_name, author_url, author_photo,
            published, status, mention_type, meta, created_at, updated_at)
        SELECT source, target, 'IN', title, excerpt, author_name, author_url, author_photo, received, 'CONFIRMED',
            upper(kind), '{}', received, checked FROM ours.linkback_mentions ORDER BY id"""
    )
    connection.close()


METHODS: dict[str, Callable[[str], Method]] = {
    "linkback": linkback,
    "page": page,
    "floor": floor,
    "webmentions": webmentions,
}


def timed(method: Method, n: int) -> float:
    """Milliseconds that reading a post takes."""
    begun = time.perf_counter()
    found = method(n)
    took = (time.perf_counter() - begun) * 1000
    assert (found.count("<li ") if isinstance(found, str) else len(found)) == THREAD
    return took


def main() -> None:
    """Time the method of the command line: posts in turn, the same posts in turn once more, then one of them only."""
    name, url, size, round_ = sys.argv[1:]
    method = METHODS[name](url)
    # posts of its own for each method, so that none is read for the first time by another; there may be but a hundred
    posts = random.Random(f"{name} {round_}").sample(range(int(size) // THREAD), _WARM + _POSTS)
    for n in posts[:_WARM]:
        timed(method, n)
    in_turn = posts[_WARM:]
    passes = {"first": in_turn, "turn": in_turn, "again": [in_turn[0]] * _AGAIN}
    print(json.dumps({when: [timed(method, n) for n in asked] for when, asked in passes.items()}))


if __name__ == "__main__":
    main()
