"""The statements about jobs.

Rule 1: the attempt is counted in the same UPDATE that takes the lease, so a job that kills its worker is counted.
Rule 2: a job is taken away by one DELETE, which says whose it must be; Django's own may read first and delete by id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connections
from django.db.models import Case, Count, F, Max, Min, Q, Value, When
from django.db.models.functions import Concat

from linkback.adapters.django.models import Job as Row
from linkback.adapters.django.store import vendors
from linkback.model import Job, JobKind
from linkback.store import Backlog, rows
from linkback.store.keys import digest, parts
from linkback.store.tables import Share


def add_all(connection: str, site: str, kind: JobKind, due: Mapping[str, datetime]) -> None:
    """Make a job that nobody has tried for each subject, due at its time."""
    same = {"site": site, "site_key": digest(site), "kind": kind.value, "attempts": 0, "leases": 0}
    Row.objects.using(connection).bulk_create(Row(subject=subject, due=when, **same) for subject, when in due.items())


def locked(connection: str, kind: JobKind, subject: str) -> Any:
    """The `due` and `leased_until` of a subject's job, its row to oneself; None where there is none."""
    return _about(connection, kind, subject).select_for_update().first()


def remove(connection: str, kind: JobKind, subject: str) -> None:
    """Take a subject's job away, whoever has it."""
    _about(connection, kind, subject)._raw_delete(connection)


def subjects(connection: str, kind: JobKind, among: Sequence[str]) -> set[str]:
    """Those of some subjects that have a job."""
    found: set[str] = set()
    for part in parts(among):
        chosen = Row.objects.using(connection).filter(kind=kind.value, subject__in=part)
        found.update(chosen.values_list("subject", flat=True))
    return found


def lease(
    connection: str,
    now: datetime,
    until: datetime,
    limit: int,
    site: str | None,
    kind: JobKind | None,
    id: int | None,
) -> list[Job]:
    """Take up to `limit` jobs of a site, of a kind and of an id, or of any, due and free, the longest due first."""
    wanted = _among(connection, site, kind).filter(due__lte=now, **({} if id is None else {"id": id}))
    # workers on a server do not wait for each other; SQLite has no such words and lets one write at a time
    first = wanted.order_by("due", "id").select_for_update(skip_locked=True)[: max(limit, 0)]
    taken = [rows.job(row, leased=True) for row in first]
    return [job for job in taken if take(connection, job, until)]


def lease_newest(
    connection: str, now: datetime, until: datetime, limit: int, among: int, site: str | None
) -> list[Job]:
    """Take up to `limit` jobs of a site, or of any, due and free, the last made first; of the last `among` of all."""
    last = Row.objects.using(connection).aggregate(last=Max("id"))["last"] or 0
    wanted = Row.objects.using(connection).filter(id__gt=last - among, due__lte=now)
    if site is not None:
        # not by the index that begins with the site: it would give all that is due, to be sorted
        wanted = wanted.annotate(of_site=Concat("site_key", Value(""))).filter(of_site=digest(site))
    newest = wanted.order_by("-id").select_for_update(skip_locked=True)[: max(limit, 0)]
    taken = [rows.job(row, leased=True) for row in newest]
    return [job for job in taken if take(connection, job, until)]


def free(connection: str, kind: JobKind, subjects: Sequence[str], now: datetime) -> list[Job]:
    """The jobs of some subjects, due or not, that nobody holds and no person must see to: as a lease makes them."""
    chosen = Row.objects.using(connection).filter(kind=kind.value, subject__in=subjects, due__isnull=False)
    found = chosen.filter(Q(leased_until=None) | Q(leased_until__lte=now)).order_by("id")
    return [rows.job(row, leased=True) for row in found]


def take(connection: str, job: Job, until: datetime) -> bool:
    """Lease a job until a time, given as that makes it; False, and nothing done, where somebody has had it since."""
    # another worker may have been faster where reads do not wait for writers
    untouched = Row.objects.using(connection).filter(id=job.id, leases=job.lease - 1)
    return bool(untouched.update(attempts=job.attempts, leases=job.lease, due=until, leased_until=until) == 1)


def hold(connection: str, job: Job, until: datetime) -> bool:
    """Keep a job until a time; False, and nothing done, where the lease is not ours any more."""
    return bool(_ours(connection, job).update(due=until, leased_until=until) == 1)


def give_back(connection: str, job: Job, due: datetime | None, *, counted: bool = True, begun: bool = True) -> bool:
    """Make a job due at a time, or by None have it wait for a person.

    False, and nothing done, where the lease is not ours any more. An attempt that was none is not `counted`; an
    abandoned job that was not `begun` stays one.
    """
    attempts = job.attempts if counted else job.attempts - 1
    held = None if begun or not job.abandoned else due
    return bool(_ours(connection, job).update(due=due, leased_until=held, attempts=attempts) == 1)


def end(connection: str, job: Job) -> bool:
    """Take a job away; False, and nothing done, where the lease is not ours any more."""
    return bool(_ours(connection, job)._raw_delete(connection) == 1)


def parked(connection: str, site: str | None) -> list[Job]:
    """The jobs of a site, or of any, that wait for a person."""
    return [rows.job(row) for row in _among(connection, site, None).filter(due=None).order_by("id")]


def revive(connection: str, job: Job, due: datetime) -> bool:
    """Make a job that waits for a person due at a time, its attempts forgotten; False where it does not wait."""
    waiting = Row.objects.using(connection).filter(id=job.id, due=None)
    return bool(waiting.update(due=due, attempts=0) == 1)


def due(connection: str, until: datetime, limit: int, site: str | None) -> list[tuple[int, datetime]]:
    """The ids of up to `limit` jobs of a site, or of any, that are due by a time, with when they are, in that order."""
    wanted = _among(connection, site, None).filter(due__lte=until).order_by("due", "id")
    return list(wanted.values_list("id", "due")[: max(limit, 0)])


def move(connection: str, after: datetime, until: datetime | None, due: datetime, share: Share | None) -> None:
    """Make the jobs that are due after a time, and by another, due at a third; no lease of them holds any longer.

    With `share`, those of a kind alone, and of these one in so many.
    """
    chosen = Row.objects.using(connection).filter(due__gt=after)
    if until is not None:
        chosen = chosen.filter(due__lte=until)
    if share is not None:
        chosen = chosen.filter(kind=share.kind.value).annotate(rest=F("id") % share.among).filter(rest=share.number)
    chosen.update(due=due, leased_until=Case(When(leased_until__isnull=False, then=Value(due))))


def next_due(connection: str, site: str | None, kind: JobKind | None) -> datetime | None:
    """When the next job of a site and of a kind, or of any, is due or its lease ends."""
    first: datetime | None = _among(connection, site, kind).aggregate(first=Min("due"))["first"]
    return first


def backlog(connection: str, now: datetime, site: str | None) -> Backlog:
    """What waits at `now`, of a site or of any: two ranges of one index."""
    found = _among(connection, site, None).filter(due__lte=now).aggregate(number=Count("*"), oldest=Min("due"))
    return Backlog(found["number"], found["oldest"], _among(connection, site, None).filter(due=None).count())


def number_due(connection: str, now: datetime, site: str, kind: JobKind, most: int) -> int:
    """How many jobs of a site and of a kind are due, counted as far as `most`."""
    return int(_among(connection, site, kind).filter(due__lte=now)[: max(most, 0)].count())


def server_time(connection: str) -> datetime | None:
    """The present by the clock of the database's server, None where it has no other clock than ours."""
    return vendors.server_time(connections[connection])


def _about(connection: str, kind: JobKind, subject: str) -> Any:
    return Row.objects.using(connection).filter(kind=kind.value, subject=subject)


def _ours(connection: str, job: Job) -> Any:
    return Row.objects.using(connection).filter(id=job.id, leases=job.lease, leased_until__isnull=False)


def _among(connection: str, site: str | None, kind: JobKind | None) -> Any:
    of_site = {} if site is None else {"site_key": digest(site)}
    of_kind = {} if kind is None else {"kind": kind.value}
    return Row.objects.using(connection).filter(**of_site, **of_kind)
