"""What one kind of store does for all: single statements, and transactions to run them in.

Rule: a statement decides nothing. What is read and written in which order is told in `transactional`, `checking`,
`edits` and `queue`, what follows from it in `decisions` and `turns`; so all stores keep the same promises.

`C` is what a store's statements run on: a connection, or the name of one.
"""

from __future__ import annotations

import contextlib
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from linkback.model import Delivery, Job, JobKind, Mention, Outcome, Status
from linkback.store import Backlog, ClaimRecord, Edit, Verdict
from linkback.store.turns import Spread

C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)
C_contra = TypeVar("C_contra", contravariant=True)


class Transactions(typing.Protocol[C_co]):
    """The way into a database. What it or its driver raises leaves here as a `StoreError` of one line."""

    def read(self) -> contextlib.AbstractContextManager[C_co]:
        """Statements that only read."""

    def write(self, turn: str | None = None) -> contextlib.AbstractContextManager[C_co]:
        """A transaction that writes: committed at the end, undone by any exception.

        With `turn`, no other transaction that names the same runs at the same time. Raises `Collision` where it was
        undone for another's sake.
        """

    def close(self) -> None:
        """Let go of the connections of this process; any later use is an error."""


class Claims(typing.Protocol[C_contra]):
    """What senders said, and what became of it."""

    def add(self, connection: C_contra, record: ClaimRecord) -> None:
        """Write a claim down."""

    def change(self, connection: C_contra, id: str, changes: Mapping[str, Any]) -> None:
        """Change some columns of the claim of that public id."""

    def find(self, connection: C_contra, id: str) -> ClaimRecord | None:
        """The claim of that public id."""

    def waiting(self, connection: C_contra, key: str) -> list[ClaimRecord]:
        """A pair's open claims, oldest first."""

    def last(self, connection: C_contra, key: str, protocol: str) -> ClaimRecord | None:
        """A pair's newest claim by one protocol."""

    def of_source(self, connection: C_contra, source_key: str, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """The numbers and the pairs of the first `limit` open claims of a source after a number, in order."""

    def waiting_among(self, connection: C_contra, keys: Sequence[str]) -> list[ClaimRecord]:
        """The open claims of some pairs, oldest first."""

    def ends(self, connection: C_contra) -> tuple[int, int]:
        """The lowest and the highest number of a claim, 0 where there is none."""

    def some(self, connection: C_contra, after: int, limit: int) -> Sequence[Any]:
        """Of the first `limit` claims after a number `id`, `site`, `key`, `protocol`, `open`, `received`, `checked`."""

    def followed(self, connection: C_contra, numbers: Sequence[int]) -> list[int]:
        """Those of some claims after which their pair was announced again by the same protocol."""

    def forget(self, connection: C_contra, numbers: Sequence[int]) -> None:
        """Delete the claims of these numbers that are not open."""


class Mentions(typing.Protocol[C_contra]):
    """Checked links, and the word of the person who moderates them."""

    def known(self, connection: C_contra, keys: Sequence[str]) -> set[str]:
        """Those of some pairs that have a mention."""

    def locked(self, connection: C_contra, key: str) -> Any:
        """The row of a pair's mention, to oneself until the transaction ends; None where there is none."""

    def add(self, connection: C_contra, verdict: Verdict, mention: Mention) -> int:
        """Write a new mention, without its protocols; give its number."""

    def change(self, connection: C_contra, number: int, changes: Mapping[str, Any]) -> None:
        """Change some columns of the mention of that number."""

    def unite(self, connection: C_contra, number: int, protocols: Iterable[str]) -> None:
        """Add the protocols that a mention does not have, after those that it has."""

    def find(self, connection: C_contra, id: str) -> Mention | None:
        """The mention of that id."""

    def find_for(self, connection: C_contra, key: str) -> Mention | None:
        """The mention of a pair."""

    def pair_of(self, connection: C_contra, id: str) -> tuple[str, str] | None:
        """The site and the key of the pair of the mention of that id."""

    def listed(
        self,
        connection: C_contra,
        site: str | None,
        pages: Collection[str] | None,
        statuses: Collection[Status] | None,
    ) -> list[Mention]:
        """Mentions in the order they were received; `pages` are values of `urls.page_key`."""


class Posts(typing.Protocol[C_contra]):
    """What posts said when they were last told."""

    def lock(self, connection: C_contra, key: str) -> None:
        """Have the row of a post, where there is one, to oneself until the transaction ends."""

    def find(self, connection: C_contra, key: str) -> Any:
        """The row of a post, None where there is none."""

    def put(self, connection: C_contra, key: str, edit: Edit, *, new: bool) -> None:
        """Write what a post says now."""


class Deliveries(typing.Protocol[C_contra]):
    """What we owe to others, and how each try ended."""

    def add(self, connection: C_contra, site: str, owed: Sequence[Delivery], now: datetime) -> list[Delivery]:
        """Record deliveries that are owed for the first time, and give them with their ids."""

    def change(
        self,
        connection: C_contra,
        id: str,
        changes: Mapping[str, Any],
        *,
        revision: int | None = None,
        outcome: Outcome | None = None,
    ) -> bool:
        """Change some columns of the delivery of that id, if it has that revision and that outcome; false where not."""

    def find(self, connection: C_contra, id: str) -> Delivery | None:
        """The delivery of that id."""

    def since(self, connection: C_contra, id: str, revision: int) -> Any:
        """The `owed` and `outcome` of the delivery of that id, None where it is of no later revision."""

    def listed(
        self, connection: C_contra, site: str | None, source: str | None, *, lock: bool = False
    ) -> list[Delivery]:
        """Deliveries in the order they were owed; with `lock` nobody else changes them until the transaction ends."""

    def lock(self, connection: C_contra, id: str) -> None:
        """Have the row of a delivery to oneself until the transaction ends."""


class Hosts(typing.Protocol[C_contra]):
    """When each host may be spoken to."""

    def locked(self, connection: C_contra, host: str) -> Any:
        """The row of a host, to oneself until the transaction ends; None where there is none."""

    def add(self, connection: C_contra, host: str, values: Mapping[str, Any]) -> None:
        """Write the row of a host that has none."""

    def change(self, connection: C_contra, host: str, values: Mapping[str, Any]) -> None:
        """Change some columns of a host's row."""

    def next_slots(self, connection: C_contra, names: Collection[str]) -> dict[str, datetime]:
        """The next free slot of the hosts that are known, their rows locked in one order: nobody waits in a ring."""

    def put(self, connection: C_contra, spread: Spread) -> None:
        """Write the slots that were taken, the rows of hosts that have none among them."""

    def let_go(self, connection: C_contra, holders: Sequence[str]) -> None:
        """End the holds of these names."""

    def rest(self, connection: C_contra, host: str, until: datetime) -> None:
        """Have a host's row say that nothing is sent before a time."""

    def forget_reads(self, connection: C_contra, after: datetime, now: datetime) -> None:
        """Have the rows of hosts that are read from say `now` where they name a time after another."""

    def some(self, connection: C_contra, after: str, limit: int) -> Sequence[Any]:
        """The `key`, `next_slot`, `free_at` and `busy_until` of the first `limit` rows after a key."""

    def forget(self, connection: C_contra, keys: Sequence[str], before: datetime) -> None:
        """Delete the rows of these keys that name no time after one."""


@dataclass(frozen=True, slots=True)
class Share:
    """Of the jobs of a kind one in so many: number `number` of `among`."""

    kind: JobKind
    number: int
    among: int


class Jobs(typing.Protocol[C_contra]):
    """Work that is due, and who has it."""

    def add_all(self, connection: C_contra, site: str, kind: JobKind, due: Mapping[str, datetime]) -> None:
        """Make a job that nobody has tried for each subject, due at its time."""

    def locked(self, connection: C_contra, kind: JobKind, subject: str) -> Any:
        """The `due` and `leased_until` of a subject's job, its row to oneself; None where there is none."""

    def remove(self, connection: C_contra, kind: JobKind, subject: str) -> None:
        """Take a subject's job away, whoever has it."""

    def subjects(self, connection: C_contra, kind: JobKind, among: Sequence[str]) -> set[str]:
        """Those of some subjects that have a job."""

    def lease(
        self,
        connection: C_contra,
        now: datetime,
        until: datetime,
        limit: int,
        site: str | None,
        kind: JobKind | None,
        id: int | None,
    ) -> list[Job]:
        """Take up to `limit` jobs of a site, of a kind and of an id, or of any, due and free, the longest due first."""

    def lease_newest(
        self, connection: C_contra, now: datetime, until: datetime, limit: int, among: int, site: str | None
    ) -> list[Job]:
        """Take up to `limit` jobs of a site, or of any, due and free, the last made first; of the last `among`."""

    def free(self, connection: C_contra, kind: JobKind, subjects: Sequence[str], now: datetime) -> list[Job]:
        """The jobs of some subjects, due or not, that nobody holds and no person must see to: as a lease makes them."""

    def take(self, connection: C_contra, job: Job, until: datetime) -> bool:
        """Lease a job until a time, given as that makes it; false, with nothing done, where somebody had it since."""

    def hold(self, connection: C_contra, job: Job, until: datetime) -> bool:
        """Keep a job until a time; false, and nothing done, where the lease is not ours any more."""

    def give_back(
        self, connection: C_contra, job: Job, due: datetime | None, *, counted: bool = True, begun: bool = True
    ) -> bool:
        """Make a job due at a time, or by None have it wait for a person.

        False, and nothing done, where the lease is not ours any more. An attempt that was none is not `counted`; an
        abandoned job that was not `begun` stays one.
        """

    def end(self, connection: C_contra, job: Job) -> bool:
        """Take a job away; false, and nothing done, where the lease is not ours any more."""

    def parked(self, connection: C_contra, site: str | None) -> list[Job]:
        """The jobs of a site, or of any, that wait for a person."""

    def revive(self, connection: C_contra, job: Job, due: datetime) -> bool:
        """Make a job that waits for a person due at a time, its attempts forgotten; false where it does not wait."""

    def due(self, connection: C_contra, until: datetime, limit: int, site: str | None) -> list[tuple[int, datetime]]:
        """The ids of up to `limit` jobs of a site, or of any, that are due by a time, with when they are."""

    def next_due(self, connection: C_contra, site: str | None, kind: JobKind | None) -> datetime | None:
        """When the next job of a site and of a kind, or of any, is due or its lease ends."""

    def backlog(self, connection: C_contra, now: datetime, site: str | None) -> Backlog:
        """What waits at `now`, of a site or of any."""

    def number_due(self, connection: C_contra, now: datetime, site: str, kind: JobKind, most: int) -> int:
        """How many jobs of a site and of a kind are due, counted as far as `most`."""

    def move(
        self, connection: C_contra, after: datetime, until: datetime | None, due: datetime, share: Share | None
    ) -> None:
        """Make the jobs that are due after a time, and by another, due at a third; no lease of them holds any longer.

        With `share`, those of a kind alone, and of these one in so many.
        """

    def server_time(self, connection: C_contra) -> datetime | None:
        """The present by the clock of the database's server, None where it has no other clock than ours."""


@dataclass(frozen=True, slots=True)
class Tables(Generic[C]):
    """The statements of one kind of store."""

    claims: Claims[C]
    mentions: Mentions[C]
    posts: Posts[C]
    deliveries: Deliveries[C]
    hosts: Hosts[C]
    jobs: Jobs[C]
