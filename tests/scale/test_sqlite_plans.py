"""How SQLite goes about reading mentions: it keeps no statistics, so it chooses an index by the statement alone.

Rule: nothing here is timed, and no table need be large: the plan is the same for one row as for a million.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from linkback import urls
from linkback.jobs import External
from linkback.model import Status
from linkback.site import Site
from linkback.store import Overtaking, Storage, open_store

HOME, POST = "https://b.example/", "https://b.example/post"
PAGE, APPROVED = urls.page_key(HOME, POST), (Status.APPROVED,)
BY_PAGE = "ix_linkback_mentions_page_key (page_key=?)"
BY_PAGE_AND_STATUS = "ix_linkback_mentions_page_key (page_key=? AND status=?)"
BY_SITE = "ix_linkback_mentions_site_key (site_key=?)"
BY_SITE_AND_STATUS = "ix_linkback_mentions_site_key (site_key=? AND status=?)"


def of_site(read: Callable[[Site], object]) -> Callable[[Storage], object]:
    """What a site reads of a store."""
    return lambda store: read(Site(HOME, store=store, runner=External()))


READS: dict[str, tuple[Callable[[Storage], object], str]] = {
    "a post's": (of_site(lambda site: site.mentions(POST)), BY_PAGE_AND_STATUS),
    "a post's, of any status": (of_site(lambda site: site.mentions(POST, statuses=None)), BY_PAGE),
    "a post's, of any site": (lambda store: store.mentions(pages=[PAGE], statuses=APPROVED), BY_PAGE_AND_STATUS),
    "a site's": (of_site(lambda site: site.mentions()), BY_SITE_AND_STATUS),
    "a site's, of any status": (of_site(lambda site: site.mentions(statuses=None)), BY_SITE),
    "one": (lambda store: store.mention("1"), "INTEGER PRIMARY KEY (rowid=?)"),
    "a pair's": (lambda store: store.mention_for(PAGE), "sqlite_autoindex_linkback_mentions_1 (key=?)"),
}


@contextmanager
def statements(about: str = "FROM linkback_mentions") -> Iterator[list[tuple[str, Any]]]:
    """The statements that are issued meanwhile and have some words, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def note(connection: object, cursor: object, statement: str, parameters: Any, *others: object) -> None:
        if about in " ".join(statement.split()):
            seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("site", [None, HOME])
def test_what_came_last_is_found_by_its_number(site: str | None, tmp_path: Path) -> None:
    """By an index of what is due all of that would be read and sorted."""
    file = tmp_path / "store.db"
    with closing(open_store(f"sqlite:///{file}")) as store, statements("ORDER BY linkback_jobs.id DESC") as seen:
        assert isinstance(store, Overtaking)
        store.lease_newest(datetime.now(UTC), datetime.now(UTC), site=site)
    ((statement, parameters),) = seen
    assert plan(file, statement, parameters) == ["SEARCH linkback_jobs USING INTEGER PRIMARY KEY (rowid>?)"]


@pytest.mark.parametrize("what", READS)
def test_mentions_are_read_by_the_index_that_finds_no_others(what: str, tmp_path: Path) -> None:
    read, index = READS[what]
    file = tmp_path / "store.db"
    with closing(open_store(f"sqlite:///{file}")) as store, statements() as seen:
        read(store)
    ((statement, parameters),) = seen
    assert plan(file, statement, parameters)[:2] == [
        f"SEARCH linkback_mentions USING INDEX {index}".replace("INDEX INTEGER", "INTEGER"),
        "SEARCH linkback_mention_protocols USING INDEX sqlite_autoindex_linkback_mention_protocols_1 (mention_id=?)",
    ]


def plan(file: Path, statement: str, parameters: Any) -> list[str]:
    """The steps by which SQLite would do it, as versions of it agree to word them."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    return [row[3].removesuffix(" LEFT-JOIN") for row in rows]
