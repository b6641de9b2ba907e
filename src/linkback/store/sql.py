"""The Storage of SQL databases, by SQLAlchemy: how to open one, and the host's own transactions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from linkback import domains
from linkback.errors import StoreError
from linkback.model import Delivery
from linkback.store import ClaimRecord, Edit, Pace, claims, deliveries, edits, hosts, jobs, mentions, posts
from linkback.store.engine import Database, read_url
from linkback.store.feeds import Feeds
from linkback.store.intake import First, Intake
from linkback.store.tables import Tables
from linkback.store.transactional import TransactionalStore

P = ParamSpec("P")
R = TypeVar("R")

_TABLES: Tables[Connection] = Tables(
    claims=claims, mentions=mentions, posts=posts, deliveries=deliveries, hosts=hosts, jobs=jobs
)


def _shared(method: Callable[Concatenate[SqlStore, P], R]) -> Callable[Concatenate[SqlStore, P], R]:
    """A method that is one transaction, shared with those that come at the same moment."""

    @functools.wraps(method)
    def shared(self: SqlStore, /, *given: P.args, **named: P.kwargs) -> R:
        return self._opened.shared(lambda: method(self, *given, **named))

    return shared


class SqlStore(TransactionalStore[Connection]):
    """A `Storage` in tables named `linkback_…`; `open` is the way to one. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, _TABLES)
        self._opened = database
        self._intake = Intake(database)

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> SqlStore:
        """Open the database at a URL, creating or migrating its tables where that is needed.

        With `create=False` a database that does not exist, or has no tables of ours, is an error. Raises
        `StoreError` where it cannot be used.
        """
        return cls(Database(read_url(url), create=create))

    # what workers do all the time
    lease = _shared(TransactionalStore.lease)
    lease_newest = _shared(TransactionalStore.lease_newest)
    begin_check = _shared(TransactionalStore.begin_check)
    lease_siblings = _shared(TransactionalStore.lease_siblings)
    finish_check = _shared(TransactionalStore.finish_check)
    ask_turn = _shared(TransactionalStore.ask_turn)
    begin_post = _shared(TransactionalStore.begin_post)
    finish_delivery = _shared(TransactionalStore.finish_delivery)

    def add_first(self, record: ClaimRecord, *, due: datetime, pace: Pace | None = None) -> bool:
        """Record the first claim of a pair, and its job, in one transaction with those that come at the same moment.

        False, and nothing recorded, where the pair is known, or the database may have something against one of them.
        Raises `Refused` (TOO_OFTEN), with nothing recorded, where its first read would be too late by the `pace`.
        """
        # not while others wait for the commit: the first that asks has a list to read
        host = domains.registrable(record.claim.source) if pace is not None else ""
        return self._intake.take(First(record, due, pace, host))

    def record_edit(self, edit: Edit, *, connection: object = None) -> list[Delivery]:
        """Record an edit of a post, the deliveries that it owes and their jobs; give those deliveries with their ids.

        With `connection`, a SQLAlchemy `Connection` to a database that has our tables, write in its
        transaction and leave the commit to its owner.
        """
        if connection is None:
            return self._record_edit(edit)
        if not isinstance(connection, Connection):
            raise StoreError(f"connection= takes a SQLAlchemy Connection, not {type(connection).__name__}")
        # a slot would keep everybody from its host until the owner commits; the first POST asks for its turn anyway
        unpaced = replace(edit, gap=timedelta(0))
        return self._opened.join(connection, lambda: edits.record(_TABLES, connection, unpaced))

    @property
    def in_process(self) -> bool:
        """Whether the database is a library of this process, and no server that is waited for."""
        return self._opened.in_process

    @property
    def name(self) -> str:
        """What the database is called, without its password."""
        return self._opened.name

    @property
    def feeds(self) -> Feeds:
        """What was seen of the blogs' own feeds and sitemaps."""
        return Feeds(self._opened)
