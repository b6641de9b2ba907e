"""Leases on work that is due.

Rule 1: the attempt is counted in the same UPDATE that takes the lease, so a job that kills its worker is counted.
Rule 2: a lease is known by the job's id and attempts number: a worker that was too slow finds it gone.
Rule 3: a job that begins anew is a new row, or an old lease could match it by chance.

Every function takes a connection in a writing transaction unless it only reads.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, true, update

from linkback.model import Job, JobKind
from linkback.store.schema import jobs


def add(connection: Connection, site: str, kind: JobKind, subject: str, due: datetime) -> None:
    """Make a job that nobody has tried."""
    connection.execute(insert(jobs).values(site=site, kind=kind.value, subject=subject, due=due, attempts=0))


def renew(connection: Connection, site: str, kind: JobKind, subject: str, *, due: datetime, now: datetime) -> None:
    """Have a job for a subject by `due`, its attempts forgotten; one that is leased at `now` stays as it is."""
    same = and_(jobs.c.kind == kind.value, jobs.c.subject == subject)
    found = connection.execute(select(jobs.c.due, jobs.c.leased_until).where(same).with_for_update()).first()
    if found is not None:
        if found.leased_until is not None and found.leased_until > now:
            return
        due = min(due, found.due)
        connection.execute(delete(jobs).where(same))
    add(connection, site, kind, subject, due)


def lease(
    connection: Connection, now: datetime, until: datetime, limit: int, site: str | None, kind: JobKind | None
) -> list[Job]:
    """Take up to `limit` jobs of a site and of a kind, or of any, that are due and free, the longest due first."""
    free = or_(jobs.c.leased_until.is_(None), jobs.c.leased_until <= now)
    wanted = select(jobs).where(jobs.c.due <= now, free, _among(site, kind))
    first = wanted.order_by(jobs.c.due, jobs.c.id).limit(max(limit, 0))
    # workers on a server do not wait for each other; SQLite has no such words and lets one write at a time
    rows = connection.execute(first.with_for_update(skip_locked=True)).all()
    taken = [Job(row.id, JobKind(row.kind), row.subject, row.attempts + 1) for row in rows]
    return [job for job in taken if _take(connection, job, until)]


def _take(connection: Connection, job: Job, until: datetime) -> bool:
    # another worker may have been faster where reads do not wait for writers
    untouched = and_(jobs.c.id == job.id, jobs.c.attempts == job.attempts - 1)
    changed = connection.execute(
        update(jobs).where(untouched).values(attempts=jobs.c.attempts + 1, leased_until=until)
    ).rowcount
    return changed == 1


def hold(connection: Connection, job: Job, until: datetime) -> bool:
    """Keep a job until a time; False, and nothing done, where the lease is not ours any more."""
    return connection.execute(update(jobs).where(_ours(job)).values(leased_until=until)).rowcount == 1


def give_back(connection: Connection, job: Job, due: datetime) -> bool:
    """Make a job due at a time; False, and nothing done, where the lease is not ours any more."""
    changed = connection.execute(update(jobs).where(_ours(job)).values(due=due, leased_until=None)).rowcount
    return changed == 1


def end(connection: Connection, job: Job, again: datetime | None) -> bool:
    """End a job, or make it due `again`; False, and nothing done, where the lease is not ours any more."""
    if again is not None:
        return give_back(connection, job, again)
    return connection.execute(delete(jobs).where(_ours(job))).rowcount == 1


def _ours(job: Job) -> ColumnElement[bool]:
    return and_(jobs.c.id == job.id, jobs.c.attempts == job.attempts, jobs.c.leased_until.is_not(None))


def next_due(connection: Connection, site: str | None, kind: JobKind | None) -> datetime | None:
    """When the next job of a site and of a kind, or of any, is due or its lease ends."""
    first = func.min(func.coalesce(jobs.c.leased_until, jobs.c.due))
    return connection.scalar(select(first).where(_among(site, kind)))


def _among(site: str | None, kind: JobKind | None) -> ColumnElement[bool]:
    of_site = true() if site is None else jobs.c.site == site
    return of_site if kind is None else and_(of_site, jobs.c.kind == kind.value)
