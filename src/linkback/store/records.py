"""What is given to a store and had from it, beside the values of `model`.

Rule: plain values; what follows from them is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from linkback.errors import Reason
from linkback.model import Claim, ClaimState, Job, Mention


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRecord:
    """A claim as it is kept. `id` is unguessable: it names the status resource.

    `page` is the post of ours that the target means; `key` names the pair (source, page) on its
    site. `open` says that another look at the source is still due.
    """

    id: str
    site: str
    key: str
    page: str
    claim: Claim
    received: datetime
    state: ClaimState = ClaimState.QUEUED
    reason: Reason | None = None
    open: bool = True
    checked: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one check found, to be recorded together.

    `claims` are the records with their new state. `mention` is written if given: a new one takes
    its `status`; one that exists keeps the status it has (a moderator's word lasts), unless it had
    been removed by a check. With `holds_edits` it is pending where it would be shown with other words than it had
    (`decisions.edited`), until a person decides. `removed` takes the pair's mention away, as it is written. `again` is
    when to look once more for these claims, with `anew` as a job of its own; None ends the job, `recheck` then begins
    another at that time. With `parked` the job waits for a person, and so do its claims.
    """

    key: str
    page: str
    claims: Sequence[ClaimRecord]
    mention: Mention | None = None
    holds_edits: bool = False
    removed: bool = False
    again: datetime | None = None
    anew: bool = False
    recheck: datetime | None = None
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the sources of one host are read: `burst` at once after a time of quiet, then one each `gap`.

    Every read counts, a second look, a retry and a look at an old mention too. A host is all that is below one
    registrable domain, on any port. A new claim is not taken that would wait longer than `longest` for its first read.
    Without a gap there is no limit, but for one page at a time.
    """

    gap: timedelta
    burst: int = 0
    longest: timedelta = timedelta.max


#: one page of a host at a time, as fast as that goes
UNPACED = Pace(timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A post as it is now, to be recorded with what that owes.

    `targets` are its links; `content` is a digest of what it says: equal to the last one, nothing is owed unless
    `force`. `at` is when it comes out, None for now. `gone` says that it is deleted. `updates` names the protocols by
    which a target may be told again; `gap` lies between two deliveries to one host. Of the targets `most_told` are
    told, and `most_told_a_host` of those on one host; None for all. A `dry` edit is not recorded.
    """

    site: str
    source: str
    targets: Sequence[str]
    now: datetime
    content: str = ""
    at: datetime | None = None
    gone: bool = False
    force: bool = False
    updates: frozenset[str] = frozenset()
    gap: timedelta = timedelta(0)
    most_told: int | None = None
    most_told_a_host: int | None = None
    dry: bool = False


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much work lies about: jobs that are due and held by nobody, since when, and those that wait for a person."""

    due: int
    oldest: datetime | None
    parked: int


@dataclass(frozen=True, slots=True)
class Place:
    """How far one has looked through the records: claims up to a number and hosts up to a key, None for all."""

    claim: int | None = 0
    host: str | None = ""

    @property
    def is_end(self) -> bool:
        """Whether there is nothing more to look through."""
        return self.claim is None and self.host is None


@dataclass(frozen=True, slots=True)
class Sibling:
    """A check that waits for a source that another check reads: its `job` as a lease makes it, and its open claims."""

    job: Job
    claims: Sequence[ClaimRecord]
