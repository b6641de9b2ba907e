"""The half of a store that knows of work and nothing of what it is for: who does which job, and when.

Rule: a method is one transaction, as in `transactional`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Generic

from linkback.model import Job, JobKind, Outcome
from linkback.store import Backlog, decisions, queue
from linkback.store.collisions import repeated
from linkback.store.tables import C, Tables, Transactions


class WorkingStore(Generic[C]):
    """The jobs of a `Storage`, over the statements of one kind of database."""

    def __init__(self, database: Transactions[C], tables: Tables[C]) -> None:
        self._database = database
        self._tables = tables

    @repeated
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

        Each is ours until `until`, its attempt counted.
        """
        with self._database.write() as connection:
            return self._tables.jobs.lease(connection, now, until, limit, site, kind, id)

    @repeated
    def lease_newest(
        self, now: datetime, until: datetime, *, site: str | None = None, limit: int = 1, among: int = 1_000
    ) -> list[Job]:
        """Take due jobs that nobody holds, of one site or of any, the last made first.

        Each is ours until `until`, its attempt counted. Only the last `among` that were made are looked at.
        """
        with self._database.write() as connection:
            return self._tables.jobs.lease_newest(connection, now, until, limit, among, site)

    def due(self, until: datetime, *, limit: int, site: str | None = None) -> list[tuple[int, datetime]]:
        """The ids of the jobs that are due by a time, with when they are, of one site or of any, the longest first."""
        with self._database.read() as connection:
            return self._tables.jobs.due(connection, until, limit, site)

    @repeated
    def release(self, *given: Job, due: datetime | None, counted: bool = True) -> None:
        """Give jobs back, due at a time, or waiting for a person; those that another worker has by now stay its own.

        An attempt that was none is not `counted`.
        """
        with self._database.write() as connection:
            for job in given:
                queue.finish(self._tables.hosts, connection, job)
                self._tables.jobs.give_back(connection, job, due, counted=counted, begun=counted)

    @repeated
    def end(self, job: Job) -> None:
        """End a job that leaves nothing to record; it stays due for a claim that came since, or a delivery owed anew.

        Nothing happens where another worker has it by now.
        """
        with self._database.write(job.subject) as connection:
            queue.finish(self._tables.hosts, connection, job)
            # those that found the job running rely on it
            if job.kind is JobKind.DELIVER:
                again = self._owed(connection, job.subject)
            else:
                joined = self._tables.claims.waiting(connection, job.subject)
                again = joined[0].received if joined else None
            queue.end(self._tables.jobs, connection, job, again)

    def parked(self, *, site: str | None = None) -> list[Job]:
        """The jobs that wait for a person, of one site or of any."""
        with self._database.read() as connection:
            return self._tables.jobs.parked(connection, site)

    @repeated
    def revive(self, job: Job, *, due: datetime) -> bool:
        """Have a parked job tried again, its attempts forgotten; false where it is not parked."""
        with self._database.write(job.subject) as connection:
            revived = self._tables.jobs.revive(connection, job, due)
            if revived and job.kind is JobKind.DELIVER:
                # one that may have arrived stays so
                values = {"outcome": Outcome.QUEUED.value, "attempts": 0}
                self._tables.deliveries.change(connection, job.subject, values, outcome=Outcome.FAILED)
            return revived

    def next_due(self, *, site: str | None = None, kind: JobKind | None = None) -> datetime | None:
        """When the next job, of one site and one kind or of any, is due or its lease ends; None where there is none."""
        with self._database.read() as connection:
            return self._tables.jobs.next_due(connection, site, kind)

    def backlog(self, now: datetime, *, site: str | None = None) -> Backlog:
        """What is due at `now` and held by nobody, and what waits for a person, of one site or of any."""
        with self._database.read() as connection:
            return self._tables.jobs.backlog(connection, now, site)

    def checks_due(self, now: datetime, *, site: str, most: int) -> int:
        """How many checks of a site are due at `now` and held by nobody; no more than `most` are looked at."""
        with self._database.read() as connection:
            return self._tables.jobs.number_due(connection, now, site, JobKind.CHECK, most)

    def server_time(self) -> datetime | None:
        """The present by the clock of the database's server; None where it has no other clock than ours."""
        with self._database.read() as connection:
            return self._tables.jobs.server_time(connection)

    @repeated
    def set_back(self, since: datetime, now: datetime) -> None:
        """The clock stood at `since` and was set back to `now`: have nothing wait for times of the wrong clock.

        What was to come within two days is due now, and what was to be looked at again later comes within a month. A
        post that comes out on a date of its own, later than that, keeps it.
        """
        with self._database.write() as connection:
            queue.set_back(self._tables.jobs, self._tables.hosts, connection, since, now)

    def _owed(self, connection: C, id: str, *, since: int = 0) -> datetime | None:
        """From when a delivery is owed that nobody has tried since, of a later revision than `since`."""
        return decisions.owed_from(self._tables.deliveries.since(connection, id, since), since)
