"""The Storage of whatever keeps rows in transactions: which statements belong to one transaction.

Rule: a method is one transaction, so a process may die between any two lines here and nothing is lost
(`record_edit` may be part of its owner's transaction). So a method whose transaction collided with another is simply
called again, and one that writes what follows from what it reads has that thing's turn.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from linkback import domains, urls
from linkback.errors import Reason, Refused, StoreError
from linkback.model import Delivery, Job, JobKind, Mention, Status, Turn
from linkback.store import UNPACED, ClaimRecord, Edit, Pace, Sibling, Verdict, checking, decisions, edits, queue
from linkback.store.collisions import repeated
from linkback.store.forgetting import ForgettingStore
from linkback.store.keys import row_number
from linkback.store.rows import source_key, standing
from linkback.store.tables import C

#: when to say again what waits for a person
_PARKED_RETRY_SECONDS = 3600


class TransactionalStore(ForgettingStore[C]):
    """A `Storage` over the statements of one kind of database. Safe to share between threads."""

    @repeated
    def add_claim(self, record: ClaimRecord, *, due: datetime, pace: Pace | None = None) -> ClaimRecord | None:
        """Record a claim and its check job, or join the pair's job; give the claim as it is kept.

        That is the open claim of the pair that says the same, where there is one. None, and nothing recorded, where
        `MOST_OPEN_CLAIMS` others wait. A job that waits comes forward to `due` and begins anew; one that is running
        serves this claim too. A check may be due later by the `pace` of its source's host; raises `Refused` (TOO_OFTEN)
        where that is too late, with nothing recorded.
        """
        host = domains.registrable(record.claim.source) if pace is not None else ""
        with self._database.write(record.key) as connection:
            kept = checking.take(self._tables.claims, connection, record)
            if kept is None:
                return None
            if kept is record and pace is not None:
                due = max(due, queue.read_slot(self._tables.hosts, connection, host, record.received, pace))
            if not queue.renew(
                self._tables.jobs, connection, record.site, JobKind.CHECK, record.key, due=due, now=record.received
            ):
                detail = "the check of this pair failed too often"
                raise Refused(Reason.UNAVAILABLE, detail, retry_after=_PARKED_RETRY_SECONDS)
        return kept

    def add_first(self, record: ClaimRecord, *, due: datetime, pace: Pace | None = None) -> bool:
        """Always False: a store that does nothing together with others gains nothing by it."""
        return False

    def claim(self, id: str) -> ClaimRecord | None:
        """The claim of that id."""
        with self._database.read() as connection:
            return self._tables.claims.find(connection, id)

    def open_claims(self, key: str) -> list[ClaimRecord]:
        """The pair's claims that still wait for a check, oldest first."""
        with self._database.read() as connection:
            return self._tables.claims.waiting(connection, key)

    def pair(self, key: str) -> tuple[list[ClaimRecord], Mention | None]:
        """What `open_claims` and `mention_for` give of a pair at one moment."""
        with self._database.read() as connection:
            return self._tables.claims.waiting(connection, key), self._tables.mentions.find_for(connection, key)

    def last_claim(self, key: str, protocol: str) -> ClaimRecord | None:
        """The newest claim for a pair by one protocol."""
        with self._database.read() as connection:
            return self._tables.claims.last(connection, key, protocol)

    @repeated
    def finish_check(self, job: Job, verdict: Verdict) -> None:
        """Record a verdict and end or postpone its job.

        Claims that joined while the check ran get the answer of the record with their protocol, target and
        endpoint; where the verdict has none, the job stays due for them. A worker that lost its lease leaves the
        job, and whatever was found since, alone.
        """
        with self._database.write(verdict.key) as connection:
            checking.finish(self._tables, connection, job, verdict)

    @repeated
    def _record_edit(self, edit: Edit) -> list[Delivery]:
        with self._database.write(edit.source) as connection:
            return edits.record(self._tables, connection, edit)

    def delivery(self, id: str) -> Delivery | None:
        """The delivery of that id."""
        with self._database.read() as connection:
            return self._tables.deliveries.find(connection, id)

    def deliveries(self, *, site: str | None = None, source: str | None = None) -> list[Delivery]:
        """Deliveries in the order they were owed."""
        with self._database.read() as connection:
            return self._tables.deliveries.listed(connection, site, source)

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
            self._tables.deliveries.lock(connection, delivery.id)
            self._tables.hosts.locked(connection, host)
            if not self._tables.jobs.hold(connection, job, until):
                return Turn(False)
            turn = queue.begin(self._tables.hosts, connection, host, job, now=now, until=until, gap=gap)
            if not turn.granted or self._begin_post(connection, delivery, protocol, endpoint, now):
                return turn
            queue.finish(self._tables.hosts, connection, job)
            return Turn(False, self._owed(connection, delivery.id, since=delivery.revision) or now)

    @repeated
    def begin_read(
        self, job: Job, url: str, *, now: datetime, until: datetime, pace: Pace = UNPACED, queues: bool = True
    ) -> Turn:
        """Before a source is read: whether its host may be read now, or when to try again."""
        host, hosts = domains.registrable(url), self._tables.hosts
        with self._database.write(job.subject) as connection:
            return queue.begin_read(hosts, connection, host, job, now=now, until=until, pace=pace, queues=queues)

    @repeated
    def begin_check(
        self, job: Job, *, now: datetime, until: datetime, pace: Callable[[str], Pace] = lambda source: UNPACED
    ) -> tuple[list[ClaimRecord], Turn]:
        """The open claims of a job's pair, oldest first, and the turn of the first one's source, as by `begin_read`."""
        with self._database.write(job.subject) as connection:
            waiting = self._tables.claims.waiting(connection, job.subject)
            if not waiting:
                return [], Turn(False)
            source, hosts = waiting[0].claim.source, self._tables.hosts
            host = domains.registrable(source)
            return waiting, queue.begin_read(hosts, connection, host, job, now=now, until=until, pace=pace(source))

    @repeated
    def count_read(self, url: str, *, now: datetime, pace: Pace) -> None:
        """Count a page as read for which nobody asked for a turn: the next one of its host waits for it."""
        if pace.gap:
            host = domains.registrable(url)
            with self._database.write() as connection:
                queue.count_read(self._tables.hosts, connection, host, now=now, pace=pace)

    def siblings(
        self, record: ClaimRecord, *, now: datetime, after: int = 0, limit: int = 50
    ) -> tuple[list[Sibling], int | None]:
        """The checks that wait for the source of a claim, for other pages of its site, and are held by nobody at `now`.

        They may be due or not. Of the `limit` open claims `after` a number, and the number to go on after, None at the
        end.
        """
        with self._database.read() as connection:
            seen = self._tables.claims.of_source(connection, source_key(record), after, limit)
            found = checking.others(self._tables, connection, {key for _, key in seen} - {record.key}, now)
        return found, seen[-1][0] if len(seen) == limit else None

    @repeated
    def lease_siblings(self, job: Job, others: Sequence[Job], *, until: datetime) -> list[Job] | None:
        """Take other jobs along with one that is held, all until a time, each attempt counted; those that were had.

        One that somebody had since it was found is left. None, and nothing done, where `job` is another worker's now.
        """
        with self._database.write() as connection:
            if not self._tables.jobs.hold(connection, job, until):
                return None
            # in one order, as others may want the same
            wanted = sorted(others, key=operator.attrgetter("id"))
            return [each for each in wanted if self._tables.jobs.take(connection, each, until)]

    @repeated
    def spare_reads(self, url: str, number: int, *, now: datetime, pace: Pace) -> None:
        """Let others have so many turns at the host of a URL that were promised and are not needed."""
        if pace.gap:
            host = domains.registrable(url)
            with self._database.write() as connection:
                queue.spare_reads(self._tables.hosts, connection, host, number, now=now, pace=pace)

    @repeated
    def ask_turn(self, url: str, *, now: datetime, gap: timedelta) -> datetime | None:
        """None where a POST to the host of a URL might leave, else when to ask again."""
        with self._database.write() as connection:
            return queue.ask(self._tables.hosts, connection, urls.authority(url), now=now, gap=gap)

    @repeated
    def postpone(self, job: Job, delivery: Delivery, *, due: datetime, counted: bool = False) -> None:
        """Give a job back whose POST may not leave yet: its delivery stands as it was read."""
        with self._database.write(job.subject) as connection:
            self._tables.deliveries.lock(connection, delivery.id)
            queue.finish(self._tables.hosts, connection, job)
            if self._tables.jobs.give_back(connection, job, due, counted=counted):
                # unless it was owed anew since
                self._tables.deliveries.change(connection, delivery.id, standing(delivery), revision=delivery.revision)

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
            self._tables.deliveries.lock(connection, job.subject)
            pause = (urls.authority(delivery.endpoint or delivery.target), rest) if rest else None
            queue.finish(self._tables.hosts, connection, job, rest=pause)
            anew = self._owed(connection, job.subject, since=delivery.revision)
            late = not queue.end(
                self._tables.jobs, connection, job, None if anew else again, parked=parked and not anew
            )
            self._end_delivery(connection, job.subject, delivery, late=late)
            if anew and not late:
                # what begins anew has all its attempts before it
                queue.add(self._tables.jobs, connection, job.site, JobKind.DELIVER, job.subject, anew)

    def mention(self, id: str) -> Mention | None:
        """The mention of that id."""
        with self._database.read() as connection:
            return self._tables.mentions.find(connection, id)

    def mention_for(self, key: str) -> Mention | None:
        """The mention of a pair."""
        with self._database.read() as connection:
            return self._tables.mentions.find_for(connection, key)

    def mentions(
        self,
        *,
        site: str | None = None,
        pages: Collection[str] | None = None,
        statuses: Collection[Status] | None = None,
    ) -> list[Mention]:
        """Mentions in the order they were received; `pages` are values of `urls.page_key`."""
        with self._database.read() as connection:
            return self._tables.mentions.listed(connection, site, pages, statuses)

    @repeated
    def moderate(self, id: str, status: Status) -> Mention | None:
        """Give a mention the status a person chose; it lasts. None if there is no such mention."""
        number = row_number(id)
        if number is None:
            return None
        with self._database.write() as connection:
            self._tables.mentions.change(connection, number, decisions.moderated(status))
            return self._tables.mentions.find(connection, id)

    @repeated
    def recheck(self, id: str, *, due: datetime) -> bool:
        """Have the pair of a mention looked at again by `due`.

        False, and nothing done, where there is no such mention, or its job waits for a person.
        """
        with self._database.read() as connection:
            pair = self._tables.mentions.pair_of(connection, id)
        if pair is None:
            return False
        site, key = pair
        with self._database.write(key) as connection:
            return queue.renew(self._tables.jobs, connection, site, JobKind.CHECK, key, due=due, now=due)

    def close(self) -> None:
        """Let go of the database; any later use raises `StoreError`."""
        self._database.close()

    def _begin_post(self, connection: C, delivery: Delivery, protocol: str, endpoint: str, now: datetime) -> bool:
        """Mark a delivery as in flight: nobody knows whether it arrived.

        False, and nothing changed, where it was owed again since it was read: it would tell of the post as it was.
        """
        begun = decisions.begun(protocol, endpoint, now)
        return self._tables.deliveries.change(connection, delivery.id, begun, revision=delivery.revision)

    def _end_delivery(self, connection: C, id: str, delivery: Delivery, *, late: bool) -> None:
        stored = self._tables.deliveries.find(connection, id)
        if stored is not None:
            changes = decisions.ended(stored, delivery, late=late)
            if changes:
                self._tables.deliveries.change(connection, id, changes)
        elif not late:
            raise StoreError(f"there is no delivery {id!r}")
