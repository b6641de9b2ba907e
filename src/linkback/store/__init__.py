"""What linkback asks of a database, and how to open one.

The database is the record of work: a claim and its job, a delivery and its job, a verdict and the
end of its job are each written in one transaction, so a process may die at any point.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from linkback.model import Delivery, Job, JobKind, Mention, Status, Turn
from linkback.store.records import UNPACED, Backlog, ClaimRecord, Edit, Pace, Place, Sibling, Verdict

#: where linkback keeps its records when nobody says otherwise
DEFAULT_STORE = "sqlite:///linkback.db"
#: how many different claims of one pair may wait for its check: each may be another question to the same page
MOST_OPEN_CLAIMS = 20


class Storage(typing.Protocol):
    """One interface, one behavioural suite (tests/test_store.py). Every method may raise `StoreError`."""

    def add_claim(self, record: ClaimRecord, *, due: datetime, pace: Pace | None = None) -> ClaimRecord | None:
        """Record a claim and its check job, or join the pair's job if there is one; give the claim as it is kept.

        That is the open claim of the pair that says the same, where there is one. None, and nothing recorded, where
        `MOST_OPEN_CLAIMS` others wait. A check may be due later than `due` by the `pace` of its source's host, so that
        one host's many claims leave room for those of others. Raises `Refused`, with nothing recorded, where the pair's
        job waits for a person (UNAVAILABLE), and where too many claims wait for their turns at that host (TOO_OFTEN).
        """

    def add_first(self, record: ClaimRecord, *, due: datetime, pace: Pace | None = None) -> bool:
        """Record the first claim that is ever heard of a pair, and its check job, together with others of this moment.

        False, and nothing recorded, where the pair is known, or may be: `add_claim` is for those. `due` and `pace` are
        as there. Raises `Refused` (TOO_OFTEN) as it does.
        """

    def claim(self, id: str) -> ClaimRecord | None:
        """The claim of that id."""

    def open_claims(self, key: str) -> list[ClaimRecord]:
        """The pair's claims that still wait for a check, oldest first."""

    def pair(self, key: str) -> tuple[list[ClaimRecord], Mention | None]:
        """What `open_claims` and `mention_for` give of a pair at one moment."""

    def last_claim(self, key: str, protocol: str) -> ClaimRecord | None:
        """The newest claim for a pair by one protocol."""

    def finish_check(self, job: Job, verdict: Verdict) -> None:
        """Record a verdict and end or postpone its job.

        Claims that joined while the check ran get the answer of the record with their protocol, target and endpoint;
        where there is none, the job stays due for them.
        """

    def record_edit(self, edit: Edit, *, connection: object = None) -> list[Delivery]:
        """Record an edit of a post, the deliveries that it owes (`owing.changes`) and their jobs; give those.

        With `connection` (a SQLAlchemy one), write in that connection's transaction and leave the
        commit to its owner.
        """

    def delivery(self, id: str) -> Delivery | None:
        """The delivery of that id."""

    def deliveries(self, *, site: str | None = None, source: str | None = None) -> list[Delivery]:
        """Deliveries in the order they were owed."""

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

    def begin_read(
        self, job: Job, url: str, *, now: datetime, until: datetime, pace: Pace = UNPACED, queues: bool = True
    ) -> Turn:
        """Before a source is read: whether its host may be read now, or when to try again.

        It may where no other page of it is being read and what was read of it leaves room by the `pace`. Then it is
        held, until `until` at most or the end of the job. Where it may not, the job has that time to itself if it
        `queues`, as for a claim that somebody waits for.
        """

    def begin_check(
        self, job: Job, *, now: datetime, until: datetime, pace: Callable[[str], Pace] = lambda source: UNPACED
    ) -> tuple[list[ClaimRecord], Turn]:
        """The open claims of a job's pair, oldest first, and the turn of the first one's source, as by `begin_read`.

        `pace` gives that of a source. Without claims no turn is granted, and there is none to wait for.
        """

    def count_read(self, url: str, *, now: datetime, pace: Pace) -> None:
        """Count a page as read for which nobody asked for a turn, such as one that a redirect led to.

        The next page of its host waits for it.
        """

    def ask_turn(self, url: str, *, now: datetime, gap: timedelta) -> datetime | None:
        """None where a POST to the host of a URL might leave, else when to ask again."""

    def postpone(self, job: Job, delivery: Delivery, *, due: datetime, counted: bool = False) -> None:
        """Give a job back whose POST may not leave yet: its delivery stands as it was read, and no attempt was made
        unless it is `counted`."""

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

        Nothing is sent to the endpoint's host before `rest`.
        """

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

    def due(self, until: datetime, *, limit: int, site: str | None = None) -> list[tuple[int, datetime]]:
        """The ids of the jobs that are due by a time, with when they are, of one site or of any, the longest first.

        One that is held is due when its lease ends.
        """

    def release(self, *jobs: Job, due: datetime | None, counted: bool = True) -> None:
        """Give jobs back, due at a time, or waiting for a person; an attempt that was none is not `counted`."""

    def end(self, job: Job) -> None:
        """End a job that leaves nothing to record; it stays due for a claim that came since."""

    def parked(self, *, site: str | None = None) -> list[Job]:
        """The jobs that wait for a person, of one site or of any: they failed, or killed their workers, too often."""

    def revive(self, job: Job, *, due: datetime) -> bool:
        """Have a parked job tried again, its attempts forgotten; false where it is not parked."""

    def next_due(self, *, site: str | None = None, kind: JobKind | None = None) -> datetime | None:
        """When the next job, of one site and one kind or of any, is due or its lease ends; None where there is none."""

    def backlog(self, now: datetime, *, site: str | None = None) -> Backlog:
        """What is due at `now` and held by nobody, and what waits for a person, of one site or of any."""

    def server_time(self) -> datetime | None:
        """The present by the clock of the database's server; None where it has no other clock than ours."""

    def set_back(self, since: datetime, now: datetime) -> None:
        """The clock stood at `since` and was set back to `now`: have nothing wait for times of the wrong clock.

        A post that comes out on a date of its own keeps it.
        """

    def mention(self, id: str) -> Mention | None:
        """The mention of that id."""

    def mention_for(self, key: str) -> Mention | None:
        """The mention of a pair."""

    def mentions(
        self,
        *,
        site: str | None = None,
        pages: Collection[str] | None = None,
        statuses: Collection[Status] | None = None,
    ) -> list[Mention]:
        """Mentions in the order they were received, of these target pages (by `urls.page_key`)."""

    def moderate(self, id: str, status: Status) -> Mention | None:
        """Give a mention the status a person chose; it lasts. None if there is no such mention."""

    def recheck(self, id: str, *, due: datetime) -> bool:
        """Have the pair of a mention looked at again by `due`, its attempts forgotten.

        False, and nothing done, where there is no such mention, or its job waits for a person.
        """

    def close(self) -> None:
        """Let go of the database."""


@typing.runtime_checkable
class Counting(typing.Protocol):
    """What a `Storage` has too that can say how much waits without looking at all of it: those of ours can."""

    def checks_due(self, now: datetime, *, site: str, most: int) -> int:
        """How many checks of a site are due at `now` and held by nobody; no more than `most` are looked at."""


@typing.runtime_checkable
class Gathering(typing.Protocol):
    """What a `Storage` may do besides: find the checks that one look at a source can answer. Else each looks itself."""

    def siblings(
        self, record: ClaimRecord, *, now: datetime, after: int = 0, limit: int = 50
    ) -> tuple[list[Sibling], int | None]:
        """The checks that wait for the source of a claim, for other pages of its site, and are held by nobody at `now`.

        They may be due or not. Of the `limit` open claims `after` a number, and the number to go on after, None at the
        end.
        """

    def lease_siblings(self, job: Job, others: Sequence[Job], *, until: datetime) -> list[Job] | None:
        """Take other jobs along with one that is held, all until a time, each attempt counted; those that were had.

        One that somebody had since it was found is left. None, and nothing done, where `job` is another worker's now.
        """

    def spare_reads(self, url: str, number: int, *, now: datetime, pace: Pace) -> None:
        """Let others have so many turns at the host of a URL that were promised and are not needed.

        Else one source with many targets would keep its host's other pages waiting for as long as it was never read.
        """


@typing.runtime_checkable
class Overtaking(typing.Protocol):
    """What a `Storage` may do besides: let what came last overtake what waits. Else the longest due is always first."""

    def lease_newest(self, now: datetime, until: datetime, *, site: str | None = None, limit: int = 1) -> list[Job]:
        """Take due jobs that nobody holds, of one site or of any, the last made first.

        Each is ours until `until`, its attempt counted. It may look at the last ones alone, and find none.
        """


@typing.runtime_checkable
class Forgetful(typing.Protocol):
    """What a `Storage` may do besides: forget what nobody needs any more, a little at a time. Else it keeps all."""

    def anywhere(self) -> Place:
        """A place to begin at, any with the same chance: who has little time would else never come to the newer."""

    def forget(
        self, place: Place, *, now: datetime, ended: Callable[[str], datetime | None], limit: int = 500
    ) -> Place:
        """Forget some of what is needed no more, and give the place at which to go on.

        Of the `limit` claims and hosts after a place: claims that ended by the time that `ended` gives for their site,
        None for never, and that are not the last by one protocol of a pair that has a mention; and hosts that have been
        left alone for long. Several may do this at once, and beside any other work.
        """


def open_store(url: str, *, create: bool = True) -> Storage:
    """Open the store at a database URL such as ``sqlite:///linkback.db``.

    The SQLite schema is created and migrated by itself. With `create=False` a database that does not
    exist is an error. Raises `StoreError` where the database cannot be used; a file that is not one is
    left as it is.
    """
    from linkback.store.sql import SqlStore

    return SqlStore.open(url, create=create)


__all__ = [
    "DEFAULT_STORE",
    "MOST_OPEN_CLAIMS",
    "UNPACED",
    "Backlog",
    "ClaimRecord",
    "Counting",
    "Edit",
    "Forgetful",
    "Gathering",
    "Overtaking",
    "Pace",
    "Place",
    "Sibling",
    "Storage",
    "Verdict",
    "open_store",
]
