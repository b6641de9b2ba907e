"""The statements about jobs.

Rule 1: the attempt is counted in the same UPDATE that takes the lease, so a job that kills its worker is counted.
Rule 2: what every claim needs is a statement that is made once: to make it again costs five times what it does
        (durable receive).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from linkback.model import Job, JobKind
from linkback.store import Backlog, rows
from linkback.store.keys import digest, parts
from linkback.store.schema import jobs
from linkback.store.tables import Share

_ABOUT = and_(jobs.c.kind == bindparam("of"), jobs.c.subject == bindparam("about"))
_ADD = insert(jobs)
_LOCKED = select(jobs.c.due, jobs.c.leased_until).where(_ABOUT).with_for_update()
_REMOVE = delete(jobs).where(_ABOUT)
_AMONG = and_(jobs.c.kind == bindparam("of"), jobs.c.subject.in_(bindparam("among", expanding=True)))
_SUBJECTS = select(jobs.c.subject).where(_AMONG)
_IS_FREE = or_(jobs.c.leased_until.is_(None), jobs.c.leased_until <= bindparam("now"))
_FREE = select(jobs).where(_AMONG, jobs.c.due.is_not(None), _IS_FREE).order_by(jobs.c.id)

_LAST = select(func.max(jobs.c.id))
_NEWEST = (
    select(jobs)
    .where(jobs.c.id > bindparam("after"), jobs.c.due <= bindparam("now"))
    .order_by(jobs.c.id.desc())
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
# not by the index that begins with the site: it would give all that is due, to be sorted
_NEWEST_OF = {True: _NEWEST, False: _NEWEST.where(jobs.c.site_key.concat("") == bindparam("site"))}

_OURS = and_(jobs.c.id == bindparam("of"), jobs.c.leases == bindparam("held"), jobs.c.leased_until.is_not(None))
_CHANGE, _END = update(jobs).where(_OURS), delete(jobs).where(_OURS)
_TAKE = update(jobs).where(jobs.c.id == bindparam("of"), jobs.c.leases == bindparam("before"))


def add_all(connection: Connection, site: str, kind: JobKind, due: Mapping[str, datetime]) -> None:
    """Make a job for each subject, due at its time."""
    same = {"site": site, "site_key": digest(site), "kind": kind.value, "attempts": 0, "leases": 0}
    if due:
        connection.execute(_ADD, [{"subject": subject, "due": when, **same} for subject, when in due.items()])


def locked(connection: Connection, kind: JobKind, subject: str) -> Any:
    """The `due` and `leased_until` of a subject's job, its row to oneself; None where there is none."""
    return connection.execute(_LOCKED, {"of": kind.value, "about": subject}).first()


def remove(connection: Connection, kind: JobKind, subject: str) -> None:
    """Take a subject's job away, whoever has it."""
    connection.execute(_REMOVE, {"of": kind.value, "about": subject})


def subjects(connection: Connection, kind: JobKind, among: Sequence[str]) -> set[str]:
    """Those of some subjects that have a job."""
    found: set[str] = set()
    for part in parts(among):
        found.update(connection.scalars(_SUBJECTS, {"of": kind.value, "among": part}))
    return found


def lease(
    connection: Connection,
    now: datetime,
    until: datetime,
    limit: int,
    site: str | None,
    kind: JobKind | None,
    id: int | None,
) -> list[Job]:
    """Take up to `limit` jobs of a site, of a kind and of an id, or of any, due and free, the longest due first."""
    given = {"site": None if site is None else digest(site), "sort": None if kind is None else kind.value, "number": id}
    asked = {name: value for name, value in given.items() if value is not None}
    found = connection.execute(_due(frozenset(asked)), {**asked, "now": now, "most": max(limit, 0)}).all()
    taken = [rows.job(row, leased=True) for row in found]
    return [job for job in taken if take(connection, job, until)]


@cache
def _due(asked: Collection[str]) -> Select[*tuple[object, ...]]:
    columns = {"site": jobs.c.site_key, "sort": jobs.c.kind, "number": jobs.c.id}
    wanted = select(jobs).where(jobs.c.due <= bindparam("now"), *(columns[name] == bindparam(name) for name in asked))
    # workers on a server do not wait for each other; SQLite has no such words and lets one write at a time
    return wanted.order_by(jobs.c.due, jobs.c.id).limit(bindparam("most")).with_for_update(skip_locked=True)


def lease_newest(
    connection: Connection, now: datetime, until: datetime, limit: int, among: int, site: str | None
) -> list[Job]:
    """Take up to `limit` jobs of a site, or of any, due and free, the last made first; of the last `among` of all."""
    last = connection.scalar(_LAST) or 0
    of_site = {} if site is None else {"site": digest(site)}
    asked = {"now": now, "after": last - among, "most": max(limit, 0), **of_site}
    taken = [rows.job(row, leased=True) for row in connection.execute(_NEWEST_OF[site is None], asked).all()]
    return [job for job in taken if take(connection, job, until)]


def free(connection: Connection, kind: JobKind, subjects: Sequence[str], now: datetime) -> list[Job]:
    """The jobs of some subjects, due or not, that nobody holds and no person must see to: as a lease makes them."""
    found = connection.execute(_FREE, {"of": kind.value, "among": subjects, "now": now})
    return [rows.job(row, leased=True) for row in found]


def take(connection: Connection, job: Job, until: datetime) -> bool:
    """Lease a job until a time, given as that makes it; False, and nothing done, where somebody has had it since."""
    # another worker may have been faster where reads do not wait for writers
    untouched = {"of": job.id, "before": job.lease - 1}
    taken = {"attempts": job.attempts, "leases": job.lease, "due": until, "leased_until": until}
    return connection.execute(_TAKE, {**untouched, **taken}).rowcount == 1


def hold(connection: Connection, job: Job, until: datetime) -> bool:
    """Keep a job until a time; False, and nothing done, where the lease is not ours any more."""
    return connection.execute(_CHANGE, {**_ours(job), "due": until, "leased_until": until}).rowcount == 1


def give_back(
    connection: Connection, job: Job, due: datetime | None, *, counted: bool = True, begun: bool = True
) -> bool:
    """Make a job due at a time, or by None have it wait for a person.

    False, and nothing done, where the lease is not ours any more. An attempt that was none is not `counted`; an
    abandoned job that was not `begun` stays one.
    """
    attempts = job.attempts if counted else job.attempts - 1
    back = {"due": due, "leased_until": None if begun or not job.abandoned else due, "attempts": attempts}
    return connection.execute(_CHANGE, {**_ours(job), **back}).rowcount == 1


def end(connection: Connection, job: Job) -> bool:
    """Take a job away; False, and nothing done, where the lease is not ours any more."""
    return connection.execute(_END, _ours(job)).rowcount == 1


def parked(connection: Connection, site: str | None) -> list[Job]:
    """The jobs of a site, or of any, that wait for a person."""
    waiting = select(jobs).where(jobs.c.due.is_(None), _among(site, None)).order_by(jobs.c.id)
    return [rows.job(row) for row in connection.execute(waiting)]


def revive(connection: Connection, job: Job, due: datetime) -> bool:
    """Make a job that waits for a person due at a time, its attempts forgotten; False where it does not wait."""
    waiting = and_(jobs.c.id == job.id, jobs.c.due.is_(None))
    return connection.execute(update(jobs).where(waiting).values(due=due, attempts=0)).rowcount == 1


def _ours(job: Job) -> dict[str, int]:
    return {"of": job.id, "held": job.lease}


def due(connection: Connection, until: datetime, limit: int, site: str | None) -> list[tuple[int, datetime]]:
    """The ids of up to `limit` jobs of a site, or of any, that are due by a time, with when they are, in that order."""
    wanted = select(jobs.c.id, jobs.c.due).where(jobs.c.due <= until, _among(site, None))
    first = wanted.order_by(jobs.c.due, jobs.c.id).limit(max(limit, 0))
    return [(row.id, row.due) for row in connection.execute(first)]


def next_due(connection: Connection, site: str | None, kind: JobKind | None) -> datetime | None:
    """When the next job of a site and of a kind, or of any, is due or its lease ends."""
    first: datetime | None = connection.scalar(select(func.min(jobs.c.due)).where(_among(site, kind)))
    return first


def backlog(connection: Connection, now: datetime, site: str | None) -> Backlog:
    """What waits at `now`, of a site or of any: two ranges of one index."""
    due = select(func.count(), func.min(jobs.c.due)).where(jobs.c.due <= now, _among(site, None))
    waiting = select(func.count()).select_from(jobs).where(jobs.c.due.is_(None), _among(site, None))
    number, oldest = connection.execute(due).one()
    return Backlog(number, oldest, connection.scalar(waiting) or 0)


def number_due(connection: Connection, now: datetime, site: str, kind: JobKind, most: int) -> int:
    """How many jobs of a site and of a kind are due, counted as far as `most`."""
    wanted = select(jobs.c.id).where(jobs.c.due <= now, _among(site, kind)).limit(max(most, 0)).subquery()
    return connection.scalar(select(func.count()).select_from(wanted)) or 0


def move(connection: Connection, after: datetime, until: datetime | None, due: datetime, share: Share | None) -> None:
    """Make the jobs that are due after a time, and by another, due at a third; no lease of them holds any longer.

    With `share`, those of a kind alone, and of these one in so many.
    """
    chosen = [jobs.c.due > after] if until is None else [jobs.c.due > after, jobs.c.due <= until]
    if share is not None:
        chosen += [jobs.c.kind == share.kind.value, jobs.c.id % share.among == share.number]
    held = jobs.c.leased_until.is_not(None)
    connection.execute(update(jobs).where(*chosen).values(due=due, leased_until=case((held, due))))


def server_time(connection: Connection) -> datetime | None:
    """The present by the clock of the database's server, None where it has no other clock than ours."""
    if connection.dialect.name == "sqlite":
        return None
    # sessions are in UTC; one driver says so and another leaves it out
    found: datetime | None = connection.scalar(select(func.current_timestamp()))
    return None if found is None else found.replace(tzinfo=UTC)


def _among(site: str | None, kind: JobKind | None) -> ColumnElement[bool]:
    of_site = true() if site is None else jobs.c.site_key == digest(site)
    return of_site if kind is None else and_(of_site, jobs.c.kind == kind.value)
