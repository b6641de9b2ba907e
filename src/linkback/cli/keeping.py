"""Commands that look after what runs: the schema of the database, and whether a blog is ready to receive."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from linkback import terminal
from linkback.cli.codes import NO, OK, TEMPORARY, USAGE
from linkback.errors import StoreError
from linkback.options import as_json, blogs, database, fetcher, fetching, opened

if TYPE_CHECKING:
    from linkback.ownpages import OwnPages
    from linkback.store import Storage


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
@database
@as_json
@fetching
def doctor(
    sites: tuple[str, ...],
    app: str,
    database: str,
    as_json: bool,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
) -> int:
    """Look whether a blog is ready to receive: database, endpoints, clock, worker. Changes nothing.

    Without --site and --app only the database and the work in it are looked at.
    """
    from linkback import doctor as examining
    from linkback import explain

    with _examined(sites, app, database) as (pages, store):
        contact = pages[0].url if pages else ""
        steps = examining.steps(fetcher(networks, ports, contact=contact), pages, store)
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
def _examined(sites: tuple[str, ...], app: str, database: str) -> Iterator[tuple[list[OwnPages], Storage | str]]:
    """The pages to look at and the records behind them: --site says which pages also where --app says which store."""
    from linkback.ownpages import OwnPages
    from linkback.site import Site

    pages = [OwnPages(url) for url in sites]
    if not app:
        yield pages, database
        return
    # as a blog's own object knows them, not as the options of another command would make them
    with opened((), app, database, (), (), looking=True) as blog:
        known = [blog.pages] if isinstance(blog, Site) else []
        yield pages or known, blog.store
