"""Trials of opening a database that has no tables of ours, or old ones: afterwards all are old or all are new."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any

from alembic import command
from sqlalchemy import Connection, inspect, text

from linkback.errors import StoreError
from linkback.model import ClaimState, Outcome, Status
from linkback.store import migrations, open_store
from linkback.store.engine import upgrade
from linkback.store.keys import digest
from linkback.store.schema import SCHEMA_REVISION, VERSION_TABLE, metadata
from tests.crash.backends import engine
from tests.crash.state import check, rows, same, sound
from tests.crash.sweep import Run

Shape = dict[str, list[str]]
HOME, PAGE, TARGET = "https://home.example/", "https://home.example/post", "https://a.example/page"
_NOON, _LEASED = datetime(2024, 1, 1, 12), datetime(2024, 1, 1, 12, 2)


class Open:
    """A database without any tables is opened for the first time."""

    name = "open-new"
    bare = True

    def seed(self, url: str) -> None:
        """What was before."""

    def live(self, run: Run) -> str:
        """The opening that is cut short."""
        self.seed(run.url)
        run.witness.say("shape", shape=shape(run.url))
        run.arm()
        with contextlib.suppress(StoreError, MemoryError):
            self.open(run.url)
        run.tick("after", "all")
        return run.url

    def again(self, run: Run, left: Any) -> None:
        """The next opening."""
        [before] = run.witness.saw("shape")
        check(shape(run.url) in (before["shape"], newest()), f"between two schemas: {shape(run.url)}")
        self.open(run.url)
        same("shape", shape(run.url), newest())
        same("revision", rows(run.url, VERSION_TABLE)[0][0].version_num, SCHEMA_REVISION)
        self.found(run.url)
        sound(run.url)

    def open(self, url: str) -> None:
        """What brings the schema up to date."""
        open_store(url).close()

    def found(self, url: str) -> None:
        """What must be true in the end."""


class Upgrade(Open):
    """A database of the first schema, with records, is opened."""

    name = "open-0001"

    def seed(self, url: str) -> None:
        """One record of each kind, as the first release wrote them."""
        with engine(url).begin() as connection:
            config = migrations._config()
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
            _fill(connection)

    def open(self, url: str) -> None:
        """A file upgrades itself; a server is told to."""
        if not url.startswith("sqlite"):
            upgrade(url)
        open_store(url).close()

    def found(self, url: str) -> None:
        """Nothing is lost, and what the new columns say follows from the old ones."""
        claims, mentions, deliveries, jobs = rows(
            url, *(f"linkback_{name}" for name in ("claims", "mentions", "deliveries", "jobs"))
        )
        same("claims", [(claim.public_id, claim.state) for claim in claims], [("first", ClaimState.QUEUED)])
        same("mentions", [(mention.source, mention.title) for mention in mentions], [(TARGET, "Page")])
        sent = ("webmention", Outcome.SENT, "webmention")
        same("deliveries", [(each.protocol, each.outcome, each.told) for each in deliveries], [sent])
        same("jobs", [(job.subject, job.site_key, job.leases) for job in jobs], [("key", digest(HOME), 0)])
        same("the job is due when its lease ends", str(jobs[0].due)[:19], str(_LEASED))


def _fill(connection: Connection) -> None:
    common = {"source": TARGET, "target": PAGE, "title": "Page", "excerpt": ""}
    claim = {"public_id": "first", "key": "key", "page": PAGE, "received": _NOON, "open": True, "blog_name": ""}
    claim |= {"protocol": "webmention", "endpoint": "", "state": ClaimState.QUEUED.value}
    mention = {"key": "key", "page_key": "page", "received": _NOON, "checked": _NOON, "decided": False}
    mention |= {"author_name": "", "author_url": "", "author_photo": "", "kind": "mention", "final_url": TARGET}
    delivery = {"key": "d", "source_key": "s", "source": PAGE, "target": TARGET, "attempts": 1, "again": 0}
    delivery |= {"protocol": "webmention", "outcome": Outcome.SENT.value, "detail": "", "status_url": ""}
    job = {"kind": "check", "subject": "key", "due": _NOON, "attempts": 1, "leased_until": _LEASED}
    _add(connection, "linkback_claims", id=1, site=HOME, **common, **claim)
    _add(connection, "linkback_mentions", id=1, site=HOME, status=Status.APPROVED.value, **common, **mention)
    _add(connection, "linkback_mention_protocols", mention_id=1, position=1, protocol="webmention")
    _add(connection, "linkback_deliveries", id=1, site=HOME, **delivery)
    _add(connection, "linkback_jobs", id=1, site=HOME, **job)


def _add(connection: Connection, table: str, **values: object) -> None:
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)


def shape(url: str) -> Shape:
    """The tables there are, each with its columns."""
    with engine(url).connect() as connection:
        look = inspect(connection)
        return {name: sorted(each["name"] for each in look.get_columns(name)) for name in look.get_table_names()}


def newest() -> Shape:
    """The tables there should be."""
    ours = {table.name: sorted(column.name for column in table.columns) for table in metadata.tables.values()}
    return {**ours, VERSION_TABLE: ["version_num"]}


OPENING: tuple[Open, ...] = (Open(), Upgrade())
