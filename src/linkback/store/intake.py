"""First claims that come at one moment are one transaction: a commit is paid once for all of them (durable receive).

Rule 1: only what is plain is done together: the first claim of a pair that nothing is known of. All else goes its own
        way, in a transaction of its own.
Rule 2: who comes back has the database's word that his claim is kept; a commit that fails is told to all it was for.
Rule 3: hosts are locked before jobs, each in the order of their keys, so two of these never wait in a ring. What
        another adds of a pair meanwhile is a key that is there twice, a collision, and all is done again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from linkback.errors import Refused, StoreError
from linkback.model import JobKind
from linkback.store import ClaimRecord, Pace, budget, claims, hosts, jobs, queue
from linkback.store.collisions import Collision, repeated
from linkback.store.engine import Database
from linkback.store.together import Together

#: how many claims one transaction takes at most: others want their turn too
_MOST = 64


@dataclass(frozen=True, slots=True)
class First:
    """A claim to be kept if it is its pair's first, when its check is due, and its source's host with its pace."""

    record: ClaimRecord
    due: datetime
    pace: Pace | None
    host: str


class Intake:
    """Takes the first claims of the pairs of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together: Together[First, bool | Refused] = Together(self._take, _MOST)

    def take(self, first: First) -> bool:
        """Record a claim and its job; False, and nothing done, where that must go its own way.

        Raises `Refused` where its host has too many that wait, `StoreError`.
        """
        taken = self._together(first)
        if isinstance(taken, Refused):
            raise taken
        return taken

    def _take(self, given: Sequence[First]) -> Sequence[bool | Refused]:
        try:
            return self._write(given)
        except StoreError as error:
            # what a database has against one claim is not for the others, nor that they were too often in the way of
            # somebody; that it is away, full or busy is
            if isinstance(error, Collision):
                return [False] * len(given)
            if error.__cause__ is None or isinstance(error.__cause__, OperationalError | OSError):
                raise
            return [False] * len(given)

    @repeated
    def _write(self, given: Sequence[First]) -> Sequence[bool | Refused]:
        pairs: dict[str, First] = {}
        for each in given:
            pairs.setdefault(each.record.key, each)
        with self._database.write() as connection:
            for key in claims.known(connection, pairs):
                del pairs[key]
            chosen = [pairs[key] for key in sorted(pairs)]
            dues, refused = _dues(connection, chosen)
            if dues:
                claims.add_all(connection, [each.record for each in chosen if each.record.key not in refused])
            for site, due in dues.items():
                jobs.add_all(connection, site, JobKind.CHECK, due)
        return [refused.get(each.record.key, True) if pairs.get(each.record.key) is each else False for each in given]


def _dues(connection: Connection, chosen: Sequence[First]) -> tuple[dict[str, dict[str, datetime]], dict[str, Refused]]:
    """When the check of each pair is due, by site and key; the slots of the sources' hosts are taken.

    Beside them the pairs whose hosts have none, and why.
    """
    dues: defaultdict[str, dict[str, datetime]] = defaultdict(dict)
    refused: dict[str, Refused] = {}
    paces: defaultdict[Pace | None, list[First]] = defaultdict(list)
    for each in chosen:
        paces[each.pace].append(each)
    for pace, some in paces.items():
        slots = [each.due for each in some]
        if pace is not None:
            slots = queue.read_slots(hosts, connection, [(each.host, each.record.received) for each in some], pace)
        for each, slot in zip(some, slots, strict=True):
            refusal = budget.refusal(each.host, each.record.received, slot, pace) if pace is not None else None
            if refusal is None:
                dues[each.record.site][each.record.key] = max(each.due, slot)
            else:
                refused[each.record.key] = refusal
    return dues, refused
