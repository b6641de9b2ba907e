"""The Storage of SQL databases: which statements belong to one transaction.

Rule: a method is one transaction, so a process may die between any two lines here and nothing is lost
(`record_edit` with a connection is part of its owner's transaction). So a method whose transaction collided with
another is simply called again, and one that writes what follows from what it reads has that thing's turn.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from linkback import urls
from linkback.errors import Reason, Refused, StoreError
from linkback.model import Delivery, Job, JobKind, Mention, Status, Turn
from linkback.store import Backlog, ClaimRecord, Edit, Pace, Verdict, claims, hosts, jobs, mentions, posts
from linkback.store import deliveries as owed
from linkback.store.engine import Database, read_url, repeated

#: when to say again what waits for a person
_PARKED_RETRY_SECONDS = 3600


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
    def add_claim(self, record: ClaimRecord, *, due: datetime, pace: Pace | None = None) -> ClaimRecord | None:
        """Record a claim and its check job, or join the pair's job; give the claim as it is kept.

        That is the open claim of the pair that says the same, where there is one. None, and nothing recorded, where
        `MOST_OPEN_CLAIMS` others wait. A job that waits comes forward to `due` and begins anew; one that is running
        serves this claim too. A check may be due later by the `pace` of its source's host.
        """
        with self._database.write(record.key) as connection:
            kept = claims.take(connection, record)
            if kept is None:
                return None
            if pace is not None and kept is record:
                host = urls.authority(record.claim.source)
                wanted = [(host, record.received)]
                (slot,) = hosts.slots(connection, wanted, pace.gap, burst=pace.burst, fetch=True)
                due = max(due, slot)
            if not jobs.renew(connection, record.site, JobKind.CHECK, record.key, due=due, now=record.received):
                detail = "the check of this pair failed too often"
                raise Refused(Reason.UNAVAILABLE, detail, retry_after=_PARKED_RETRY_SECONDS)
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
            hosts.finish(connection, job)
            unanswered = claims.unanswered(connection, verdict)
            again = verdict.again or unanswered
            # a look that ended in an answer is no dead worker: for claims that came since, the job begins anew
            anew = again if verdict.anew or (verdict.again is None and unanswered) else None
            if jobs.end(connection, job, None if anew else again, parked=verdict.parked and not anew):
                mentions.record(connection, verdict, late=False)
                claims.settle(connection, verdict, again=again is not None or verdict.parked)
                if (
                    following := anew or (verdict.recheck if again is None and not verdict.parked else None)
                ) is not None:
                    jobs.add(connection, job.site, JobKind.CHECK, job.subject, following)
            else:
                mentions.record(connection, verdict, late=True)
                claims.settle_late(connection, verdict)

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
        return self._database.join(connection, lambda: posts.record(connection, unpaced))

    @repeated
    def _record_edit(self, edit: Edit) -> list[Delivery]:
        with self._database.write(edit.source) as connection:
            return posts.record(connection, edit)

    def delivery(self, id: str) -> Delivery | None:
        """The delivery of that id."""
        with self._database.read() as connection:
            return owed.find(connection, id)

    def deliveries(self, *, site: str | None = None, source: str | None = None) -> list[Delivery]:
        """Deliveries in the order they were owed."""
        with self._database.read() as connection:
            return owed.listed(connection, site, source)

    @repeated
    def begin_post(
        self,
        job: Job,
        delivery: Delivery,
        protocol: str,
        endpoint: str,
        *,
        now: datetime,
        until: datetime,
        gap: timedelta,
    ) -> Turn:
        """Before a POST: where it may leave, its delivery is `unknown` until its end is recorded (protocols.md B-11).

        Its job is then ours until `until`, and its host's next turn `gap` later (B-12).

        Where it may not, the answer says when to try again: another POST to that host comes first, or the delivery was
        owed anew. `due` None says that another worker has the job by now.
        """
        with self._database.write(job.subject) as connection:
            host = urls.authority(endpoint)
            # in this order, as an edit does
            owed.lock(connection, delivery.id)
            hosts.lock(connection, host)
            if not jobs.hold(connection, job, until):
                return Turn(False)
            turn = hosts.begin(connection, host, job, now=now, until=until, gap=gap)
            if not turn.granted or owed.begin_post(connection, delivery, protocol, endpoint, now):
                return turn
            hosts.finish(connection, job)
            return Turn(False, owed.is_owed(connection, delivery.id, since=delivery.revision) or now)

    @repeated
    def begin_read(self, job: Job, url: str, *, now: datetime, until: datetime) -> Turn:
        """Before a source is read: whether no other of its host is being read, or when to try again."""
        host = hosts.read_from(urls.authority(url))
        with self._database.write(job.subject) as connection:
            return hosts.begin(connection, host, job, now=now, until=until, gap=timedelta(0))

    @repeated
    def ask_turn(self, url: str, *, now: datetime, gap: timedelta) -> datetime | None:
        """None where a POST to the host of a URL might leave, else when to ask again."""
        with self._database.write() as connection:
            return hosts.ask(connection, urls.authority(url), now=now, gap=gap)

    @repeated
    def postpone(self, job: Job, delivery: Delivery, *, due: datetime, counted: bool = False) -> None:
        """Give a job back whose POST may not leave yet: its delivery stands as it was read."""
        with self._database.write(job.subject) as connection:
            owed.lock(connection, delivery.id)
            hosts.finish(connection, job)
            if jobs.give_back(connection, job, due, counted=counted):
                owed.restore(connection, delivery)

    @repeated
    def finish_delivery(
        self,
        job: Job,
        delivery: Delivery,
        *,
        again: datetime | None = None,
        rest: datetime | None = None,
        parked: bool = False,
    ) -> None:
        """Record how an attempt ended, and end its job, set when it is due again, or have it wait for a person.

        A worker that lost its lease leaves the job alone; what it brings is kept where nothing later is known. Nothing
        is sent to the endpoint's host before `rest`.
        """
        with self._database.write(job.subject) as connection:
            # in this order, as an edit does
            owed.lock(connection, job.subject)
            pause = (urls.authority(delivery.endpoint or delivery.target), rest) if rest else None
            hosts.finish(connection, job, rest=pause)
            anew = owed.is_owed(connection, job.subject, since=delivery.revision)
            late = not jobs.end(connection, job, None if anew else again, parked=parked and not anew)
            owed.finish(connection, job.subject, delivery, late=late)
            if anew and not late:
                # what begins anew has all its attempts before it
                jobs.add(connection, job.site, JobKind.DELIVER, job.subject, anew)

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
            return jobs.lease(connection, now, until, limit, site, kind, id)

    def due(self, until: datetime, *, limit: int, site: str | None = None) -> list[tuple[int, datetime]]:
        """The ids of the jobs that are due by a time, with when they are, of one site or of any, the longest first."""
        with self._database.read() as connection:
            return jobs.due(connection, until, limit, site)

    @repeated
    def release(self, *given: Job, due: datetime | None, counted: bool = True) -> None:
        """Give jobs back, due at a time, or waiting for a person; those that another worker has by now stay its own.

        An attempt that was none is not `counted`.
        """
        with self._database.write() as connection:
            for job in given:
                hosts.finish(connection, job)
                jobs.give_back(connection, job, due, counted=counted)

    @repeated
    def end(self, job: Job) -> None:
        """End a job that leaves nothing to record; it stays due for a claim that came since, or a delivery owed anew.

        Nothing happens where another worker has it by now.
        """
        with self._database.write(job.subject) as connection:
            hosts.finish(connection, job)
            # those that found the job running rely on it
            if job.kind is JobKind.DELIVER:
                again = owed.is_owed(connection, job.subject)
            else:
                joined = claims.waiting(connection, job.subject)
                again = joined[0].received if joined else None
            jobs.end(connection, job, again)

    def parked(self, *, site: str | None = None) -> list[Job]:
        """The jobs that wait for a person, of one site or of any."""
        with self._database.read() as connection:
            return jobs.parked(connection, site)

    @repeated
    def revive(self, job: Job, *, due: datetime) -> bool:
        """Have a parked job tried again, its attempts forgotten; false where it is not parked."""
        with self._database.write(job.subject) as connection:
            revived = jobs.revive(connection, job, due)
            if revived and job.kind is JobKind.DELIVER:
                owed.revive(connection, job.subject)
            return revived

    def next_due(self, *, site: str | None = None, kind: JobKind | None = None) -> datetime | None:
        """When the next job, of one site and one kind or of any, is due or its lease ends; None where there is none."""
        with self._database.read() as connection:
            return jobs.next_due(connection, site, kind)

    def backlog(self, now: datetime, *, site: str | None = None) -> Backlog:
        """What is due at `now` and held by nobody, and what waits for a person, of one site or of any."""
        with self._database.read() as connection:
            return jobs.backlog(connection, now, site)

    def server_time(self) -> datetime | None:
        """The present by the clock of the database's server; None where it has no other clock than ours."""
        with self._database.read() as connection:
            return jobs.server_time(connection)

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
