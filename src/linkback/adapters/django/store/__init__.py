"""The Storage of a Django project: our tables beside its own, by its ORM, its connections and its transactions.

What is read and written in which order is that of every store (`linkback.store.transactional`): statements are here.
Import it when Django's applications are loaded, as any module that needs models.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta

from linkback.adapters.django.store import claims, deliveries, hosts, jobs, mentions, posts
from linkback.adapters.django.store.database import Database
from linkback.errors import StoreError
from linkback.model import Delivery, Job, JobKind
from linkback.store import Edit, edits
from linkback.store.collisions import repeated
from linkback.store.tables import Tables
from linkback.store.transactional import TransactionalStore

_TABLES: Tables[str] = Tables(
    claims=claims, mentions=mentions, posts=posts, deliveries=deliveries, hosts=hosts, jobs=jobs
)


class DjangoStore(TransactionalStore[str]):
    """A `Storage` in the database of one alias of `DATABASES`, whose tables `manage.py migrate` makes.

    What is called inside the host's `transaction.atomic()` is part of that: roll back, and nothing was claimed or is
    owed. Safe to share between threads, each of which has its own connection of Django's. Raises `StoreError` for an
    alias that is none, and for a kind of database that linkback does not speak.
    """

    def __init__(self, using: str = "default") -> None:
        database = Database(using)
        super().__init__(database, _TABLES)
        self._opened = database
        self.using = using

    @property
    def name(self) -> str:
        """What the database is called."""
        return f"the database {self.using!r}"

    def lasting(self) -> AbstractContextManager[None]:
        """Around calls of this thread that must be committed when they come back, also where `AUTOCOMMIT` is off.

        Only inside the host's `transaction.atomic()` they are part of that as ever.
        """
        return self._opened.lasting()

    def record_edit(self, edit: Edit, *, connection: object = None) -> list[Delivery]:
        """Record an edit of a post, the deliveries that it owes and their jobs; give those deliveries with their ids.

        Inside the host's `transaction.atomic()` they are part of it, without being asked. So `connection` says nothing
        new: one of Django's to the same alias is taken, anything else raises `StoreError`.
        """
        if connection is not None and getattr(connection, "alias", None) != self.using:
            raise StoreError(
                f"database {self.using!r}: what is written inside transaction.atomic() is part of it; connection= takes"
                f" nothing but Django's connection to it, not {type(connection).__name__}"
            )
        if not self._opened.joined:
            return self._record_edit(edit)
        # a slot would keep everybody from its host until the owner commits; the first POST asks for its turn anyway
        return self._record_joined(replace(edit, gap=timedelta(0)))

    def lease(
        self,
        now: datetime,
        until: datetime,
        *,
        site: str | None = None,
        kind: JobKind | None = None,
        id: int | None = None,
        limit: int = 1,
    ) -> list[Job]:
        """Take due jobs that nobody holds, of one site, one kind and one id, or of any.

        Each is ours until `until`, its attempt counted. The thread keeps its connection until it finds none.
        """
        take = super().lease
        return self._working(lambda: take(now, until, site=site, kind=kind, id=id, limit=limit))

    def lease_newest(
        self, now: datetime, until: datetime, *, site: str | None = None, limit: int = 1, among: int = 1_000
    ) -> list[Job]:
        """Take due jobs that nobody holds, of one site or of any, the last made first; otherwise as `lease` does."""
        take = super().lease_newest
        return self._working(lambda: take(now, until, site=site, limit=limit, among=among))

    def _working(self, take: Callable[[], list[Job]]) -> list[Job]:
        leased: list[Job] = []
        self._opened.work(busy=True)
        try:
            leased = take()
        finally:
            if not leased:
                self._opened.work(busy=False)
        return leased

    @repeated
    def _record_joined(self, edit: Edit) -> list[Delivery]:
        # the owner may write several posts, and who holds turns while others wait for them may wait in a ring
        with self._database.write() as connection:
            return edits.record(self._tables, connection, edit)


__all__ = ["DjangoStore"]
