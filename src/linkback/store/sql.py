"""The Storage of SQL databases: which statements belong to one transaction.

Rule: a method is one transaction, so a process may die between any two lines here and nothing is lost
(`add_deliveries` with a connection is part of its owner's transaction). So a method whose transaction collided with
another is simply called again, and one that writes what follows from what it reads has that thing's turn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection

from linkback.errors import StoreError
from linkback.model import Delivery, Job, JobKind, Mention, Status
from linkback.store import ClaimRecord, Verdict, claims, jobs, mentions
from linkback.store import deliveries as owed
from linkback.store.engine import Database, read_url, repeated


class SqlStore:
    """A `Storage` in tables named `linkback_…`; `open` is the way to one. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> SqlStore:
        """Open the database at a URL, creating or migrating its tables where that is needed.

        With `create=False` a database that does not exist, or has no tables of ours, is an error. Raises
        `StoreError` where it cannot be used.
        """
        return cls(Database(read_url(url), create=create))

    @repeated
    def add_claim(self, record: ClaimRecord, *, due: datetime) -> ClaimRecord | None:
        """Record a claim and its check job, or join the pair's job; give the claim as it is kept.

        That is the open claim of the pair that says the same, where there is one. None, and nothing recorded, where
        `MOST_OPEN_CLAIMS` others wait. A job that waits comes forward to `due` and begins anew; one that is running
        serves this claim too.
        """
        with self._database.write(record.key) as connection:
            kept = claims.take(connection, record)
            if kept is not None:
                jobs.renew(connection, record.site, JobKind.CHECK, record.key, due=due, now=record.received)
        return kept

    def claim(self, id: str) -> ClaimRecord | None:
        """The claim of that id."""
        with self._database.read() as connection:
            return claims.find(connection, id)

    def open_claims(self, key: str) -> list[ClaimRecord]:
        """The pair's claims that still wait for a check, oldest first."""
        with self._database.read() as connection:
            return claims.waiting(connection, key)

    def last_claim(self, key: str, protocol: str) -> ClaimRecord | None:
        """The newest claim for a pair by one protocol."""
        with self._database.read() as connection:
            return claims.last(connection, key, protocol)

    @repeated
    def finish_check(self, job: Job, verdict: Verdict) -> None:
        """Record a verdict and end or postpone its job.

        Claims that joined while the check ran get the answer of the record with their protocol, target and
        endpoint; where the verdict has none, the job stays due for them. A worker that lost its lease leaves the
        job, and whatever was found since, alone.
        """
        with self._database.write(verdict.key) as connection:
            again = verdict.again or claims.unanswered(connection, verdict)
            if jobs.end(connection, job, again):
                mentions.record(connection, verdict, late=False)
                claims.settle(connection, verdict, again=again is not None)
            else:
                mentions.record(connection, verdict, late=True)
                claims.settle_late(connection, verdict)

    def add_deliveries(
        self, site: str, deliveries: Iterable[Delivery], *, due: datetime, connection: object = None
    ) -> list[Delivery]:
        """Record the deliveries not yet owed for (source, target), with their jobs; give those with their ids.

        With `connection`, a SQLAlchemy `Connection` to a database that has our tables, write in its
        transaction and leave the commit to its owner.
        """
        wanted = list(deliveries)
        if connection is None:
            return self._add_deliveries(site, wanted, due)
        if not isinstance(connection, Connection):
            raise StoreError(f"connection= takes a SQLAlchemy Connection, not {type(connection).__name__}")
        return self._database.join(connection, lambda: owed.add(connection, site, wanted, due))

    @repeated
    def _add_deliveries(self, site: str, wanted: list[Delivery], due: datetime) -> list[Delivery]:
        # two that publish one post at once would insert the same keys, perhaps each in another order
        with self._database.write(wanted[0].source if wanted else None) as connection:
            return owed.add(connection, site, wanted, due)

    def delivery(self, id: str) -> Delivery | None:
        """The delivery of that id."""
        with self._database.read() as connection:
            return owed.find(connection, id)

    def deliveries(self, *, site: str | None = None, source: str | None = None) -> list[Delivery]:
        """Deliveries in the order they were owed."""
        with self._database.read() as connection:
            return owed.listed(connection, site, source)

    @repeated
    def begin_post(self, job: Job, protocol: str, endpoint: str, *, until: datetime) -> bool:
        """Before a POST: its delivery is `unknown` until its end is recorded (protocols.md B-11), its job ours longer.

        False, and nothing changed, where another worker has the job by now: then the POST is not ours to make.
        """
        with self._database.write(job.subject) as connection:
            if not jobs.hold(connection, job, until):
                return False
            owed.begin_post(connection, job.subject, protocol, endpoint)
        return True

    @repeated
    def finish_delivery(self, job: Job, delivery: Delivery, *, again: datetime | None = None) -> None:
        """Record how an attempt ended, and end its job or set when it is due again.

        A worker that lost its lease leaves the job alone; what it brings is kept where nothing later is known.
        """
        with self._database.write(job.subject) as connection:
            late = not jobs.end(connection, job, again)
            owed.finish(connection, job.subject, delivery, late=late)

    @repeated
    def lease(
        self, now: datetime, until: datetime, *, site: str | None = None, kind: JobKind | None = None, limit: int = 1
    ) -> list[Job]:
        """Take due jobs that nobody holds, of one site and one kind or of any.

        Each is ours until `until`, its attempt counted.
        """
        with self._database.write() as connection:
            return jobs.lease(connection, now, until, limit, site, kind)

    @repeated
    def release(self, job: Job, *, due: datetime) -> None:
        """Give a job back, due at a time; nothing happens where another worker has it by now."""
        with self._database.write() as connection:
            jobs.give_back(connection, job, due)

    @repeated
    def end(self, job: Job) -> None:
        """End a job that leaves nothing to record; it stays due for a claim that came since.

        Nothing happens where another worker has it by now.
        """
        with self._database.write(job.subject) as connection:
            # claims that found the job running rely on it
            joined = claims.waiting(connection, job.subject)
            jobs.end(connection, job, joined[0].received if joined else None)

    def next_due(self, *, site: str | None = None, kind: JobKind | None = None) -> datetime | None:
        """When the next job, of one site and one kind or of any, is due or its lease ends; None where there is none."""
        with self._database.read() as connection:
            return jobs.next_due(connection, site, kind)

    def mention(self, id: str) -> Mention | None:
        """The mention of that id."""
        with self._database.read() as connection:
            return mentions.find(connection, id)

    def mention_for(self, key: str) -> Mention | None:
        """The mention of a pair."""
        with self._database.read() as connection:
            return mentions.find_for(connection, key)

    def mentions(
        self,
        *,
        site: str | None = None,
        pages: Collection[str] | None = None,
        statuses: Collection[Status] | None = None,
    ) -> list[Mention]:
        """Mentions in the order they were received; `pages` are values of `urls.page_key`."""
        with self._database.read() as connection:
            return mentions.listed(connection, site, pages, statuses)

    @repeated
    def moderate(self, id: str, status: Status) -> Mention | None:
        """Give a mention the status a person chose; it lasts. None if there is no such mention."""
        with self._database.write() as connection:
            return mentions.moderate(connection, id, status)

    def close(self) -> None:
        """Let go of the database; any later use raises `StoreError`."""
        self._database.close()
