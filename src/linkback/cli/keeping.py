"""Commands that look after what runs: the schema of the database, and whether a blog is ready to receive."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from linkback import terminal, urls
from linkback.cli.codes import NO, OK, TEMPORARY, USAGE
from linkback.errors import Reason, Refused, StoreError
from linkback.options import as_json, blogs, closing, database, fetcher, fetching, given, hosts_own, lent, which_app

if TYPE_CHECKING:
    from linkback.ownpages import OwnPages
    from linkback.sites import Sites
    from linkback.store import Storage
    from linkback.wire import Fetch


@click.group()
def db() -> None:
    """Look at the schema of the database, and bring it up to date."""


@db.command()
@database
@as_json
def current(database: str, as_json: bool) -> int:
    """Show the schema that the database has, and whether it is the newest. Changes nothing."""
    from linkback.doctor import describe_schema
    from linkback.store import engine
    from linkback.store.schema import SCHEMA_REVISION

    name, revision = engine.read_url(database).name, engine.current(database)
    if revision is None:
        raise StoreError(f"no linkback database at {name}")
    row = {"database": name, "revision": revision, "newest": SCHEMA_REVISION}
    terminal.write(json.dumps(row) if as_json else f"{name}: {describe_schema(revision)}")
    return OK if revision == SCHEMA_REVISION else NO


@db.command()
@database
@as_json
def upgrade(database: str, as_json: bool) -> int:
    """Bring the database to the newest schema. Make a backup first."""
    from linkback.store import engine

    before, after = engine.upgrade(database)
    name = engine.read_url(database).name
    done = f"upgraded from {before} to {after}" if before != after else f"its schema is {after}, the newest"
    terminal.write(json.dumps({"database": name, "from": before, "to": after}) if as_json else f"{name}: {done}")
    return OK


@click.command()
@blogs
@click.option(
    "--page", "posts", multiple=True, metavar="URL", help="Look at this post, not at its blog's address. Repeatable."
)
@database
@as_json
@fetching
def doctor(
    sites: tuple[str, ...],
    app: str,
    posts: tuple[str, ...],
    database: str,
    as_json: bool,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
) -> int:
    """Look whether a blog is ready to receive: database, endpoints, clock, worker. Changes nothing.

    Without --site, --app and --page only the database and the work in it are looked at.
    """
    from linkback import doctor as examining
    from linkback import explain

    posts = tuple(urls.check_argument(post, Reason.TARGET_INVALID) for post in posts)
    with _examined(sites, app, posts, database) as (pages, store, own):
        fetch = _fetch(own, networks, ports, contact=pages[0].url if pages else "")
        steps = examining.steps(fetch, pages, store, pages=posts, command=_command())
    for step in steps:
        for line in [json.dumps(explain.to_json(step))] if as_json else explain.lines(step):
            terminal.write(line)
    return {
        examining.Conclusion.WELL: OK,
        examining.Conclusion.WRONG: NO,
        examining.Conclusion.NO_DATABASE: USAGE,
        examining.Conclusion.TEMPORARY: TEMPORARY,
    }[examining.conclude(steps)]


@contextlib.contextmanager
def _examined(
    sites: tuple[str, ...], app: str, posts: tuple[str, ...], database: str
) -> Iterator[tuple[list[OwnPages], Storage | str, Fetch | None]]:
    """The pages to look at, the records behind them, and what the host's own blog reads the web by.

    --site says which pages also where --app says which store.
    """
    from linkback.ownpages import OwnPages
    from linkback.site import Site

    own = hosts_own(which_app(app, "database"), heeded=("sites", "networks", "ports"))
    # those of the environment are not the host's own
    named = [OwnPages(url) for url in sites] if own is None or given("sites") else []
    if own is None:
        yield named or [OwnPages(url) for url in dict.fromkeys(map(urls.origin, posts))], database, None
        return
    # as a blog's own object knows them, not as the options of another command would make them
    with closing(own) as blog:
        if isinstance(blog, Site):
            yield named or [blog.pages], blog.store, blog.fetch
        else:
            yield named or list(_pages_of(blog, posts)), blog.store, None


def _pages_of(blogs: Sites, posts: Iterable[str]) -> Iterable[OwnPages]:
    """The pages of each blog that one of some posts is of; that a post is of none is for the doctor to say."""
    found: dict[str, OwnPages] = {}
    for post in posts:
        with contextlib.suppress(Refused):
            site = blogs.site_of(post)
            found[site.url] = site.pages
    return found.values()


def _fetch(own: Fetch | None, networks: tuple[str, ...], ports: tuple[str, ...], *, contact: str) -> Fetch:
    """What reads the web: that of the host's own blog, unless the options say otherwise."""
    said = given("networks", "ports") or (lent() is None and (networks or ports))
    return fetcher(networks, ports, contact=contact) if said or own is None else own


def _command() -> str:
    return click.get_current_context().find_root().info_name or "linkback"
