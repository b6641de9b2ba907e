"""A store of linkback filled with posts of 100 mentions each, by the same statements on SQLite and PostgreSQL.

Rule: a post's mentions lie far from each other, one in each hundredth of the table, as they do where posts come and go
and the worst that reading one can meet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    cast,
    event,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.exc import ProgrammingError
from thread_methods import THREAD, post, site

from linkback import urls
from linkback.store import open_store
from linkback.store.engine import read_url
from linkback.store.keys import digest
from linkback.store.schema import PageTime, UtcTime, mention_protocols, mentions

_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_TOO_SMALL = 10_000
_HASH = 64
_PEOPLE = (
    "Ann Archer",
    "Bob",
    "Çelik Öztürk",
    "Dana O'Neil",
    "Emil <3",
    "",
    "F. G. Haas",
    "王小明",
    "Ida & Jon",
    "kat",
)
_SAID = (
    "I have tried this for a week now and it works just as well as the post says, also on a slow line & an old phone. "
    "What I would add is how to undo it: the settings are kept in two places, and only one of them is written down. "
    "Thanks for writing it all up, “the hard parts” included! "
)

_temporary: Any = {"prefixes": ["TEMPORARY"]}
_posts = Table(
    "filled_posts",
    MetaData(),
    *(Column("n", Integer), Column("site", Text), Column("site_key", Text), Column("url", Text), Column("key", Text)),
    **_temporary,
)
#: what the mentions of a post are like, the same for each post but for what names it
_places = Table(
    "filled_places",
    MetaData(),
    *(Column("n", Integer), Column("host", Text), Column("received", UtcTime), Column("published", PageTime)),
    *(Column("title", Text), Column("author", Text), Column("excerpt", Text), Column("kind", Text)),
    **_temporary,
)
_protocols = Table(
    "filled_protocols",
    MetaData(),
    *(Column("n", Integer), Column("position", Integer), Column("protocol", Text)),
    **_temporary,
)


def fill(url: str, size: int) -> None:
    """Make the tables of the database at a URL, which has none, and fill in so many mentions."""
    if size % THREAD or size < _TOO_SMALL:
        raise SystemExit(f"sizes are hundreds, at least {_TOO_SMALL}: {size} is none")
    open_store(url).close()
    with _engine(url) as engine, engine.begin() as connection:
        _prepare(connection, size // THREAD)
        for place in range(THREAD):
            connection.execute(_mentions(size // THREAD), {"place": place})
            connection.execute(_announced(size // THREAD), {"place": place})
    if engine.dialect.name == "postgresql":
        # as the server does by itself, some time later
        with _engine(url) as engine, engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql(f"VACUUM ANALYZE {mentions.name}, {mention_protocols.name}")
            # only those whom the server trusts may ask for one; it makes one by itself as well
            with contextlib.suppress(ProgrammingError):
                connection.exec_driver_sql("CHECKPOINT")


@contextlib.contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = read_url(url).engine(patient=True)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def hurry(connection: Any, record: object) -> None:
            # nothing is lost that cannot be filled in again
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("PRAGMA cache_size=-1000000")

    try:
        yield engine
    finally:
        engine.dispose()


def _prepare(connection: Connection, posts: int) -> None:
    """What the statements combine: posts, places in a thread, the protocols of each place."""
    for table in (_posts, _places, _protocols):
        table.create(connection)
    sites = {n: digest(site(n)) for n in range(posts)}
    listed = [
        {"n": n, "site": site(n), "site_key": key, "url": post(n), "key": urls.page_key(site(n), post(n))}
        for n, key in sites.items()
    ]
    connection.execute(insert(_posts), listed)
    connection.execute(insert(_places), [_place(n) for n in range(THREAD)])
    announced = [(n, ("pingback", "webmention") if n % 20 == 0 else ("webmention",)) for n in range(THREAD)]
    rows = [
        {"n": n, "position": position, "protocol": protocol}
        for n, protocols in announced
        for position, protocol in enumerate(protocols, start=1)
    ]
    connection.execute(insert(_protocols), rows)


def _place(n: int) -> dict[str, object]:
    """The mention of that place in any thread: of ten, three are likes, one a repost, two replies."""
    kind = ("like", "mention", "reply", "mention", "like", "repost", "mention", "like", "reply", "mention")[n % 10]
    says = kind in ("mention", "reply")
    received = _BEGUN + timedelta(hours=7 * n, minutes=n)
    return {
        "n": n,
        "host": f"https://h{n * 37 % THREAD}.example",
        "received": received,
        "published": received.astimezone(timezone(timedelta(hours=n % 5))) if n % 3 else None,
        "title": f"A year with it, part {n}: what we learned & what we left" if says else "",
        "author": _PEOPLE[n * 7 % len(_PEOPLE)],
        "excerpt": (_SAID * 2)[n : n + 160 + 2 * n] if says else "",
        "kind": kind,
    }


def _mentions(posts: int) -> Any:
    """The mention in that `place` of each post's thread."""
    number = _places.c.n * posts + _posts.c.n + 1
    name = cast(_posts.c.n, Text)
    source = _places.c.host.concat("/2026/notes-on-a-post/").concat(name)
    # as unlike each other as digests are, and no two the same
    tail = cast(number + 10**9, Text)
    nothing = literal_column("''")
    columns: dict[str, Any] = {
        "id": number,
        "key": func.substr(_posts.c.key, 1, _HASH - 10).concat(tail),
        "page_key": _posts.c.key,
        "site": _posts.c.site,
        "site_key": _posts.c.site_key,
        "received": _places.c.received,
        "checked": _places.c.received,
        "source": source,
        "target": _posts.c.url,
        "title": _places.c.title,
        "author_name": _places.c.author,
        "author_url": _places.c.host.concat("/@").concat(name),
        "author_photo": nothing,
        "excerpt": _places.c.excerpt,
        "published": _places.c.published,
        "kind": _places.c.kind,
        "final_url": source,
        "status": literal_column("'approved'"),
        "decided": literal_column("false"),
    }
    chosen = select(*columns.values()).join_from(_places, _posts, _places.c.n == bindparam("place"))
    return insert(mentions).from_select([*columns], chosen.order_by(_posts.c.n))


def _announced(posts: int) -> Any:
    """The protocols of those."""
    number = _protocols.c.n * posts + _posts.c.n + 1
    columns = {"mention_id": number, "position": _protocols.c.position, "protocol": _protocols.c.protocol}
    chosen = select(*columns.values()).join_from(_protocols, _posts, _protocols.c.n == bindparam("place"))
    return insert(mention_protocols).from_select([*columns], chosen.order_by(_posts.c.n, _protocols.c.position))
