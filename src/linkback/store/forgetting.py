"""The part of a store that forgets: claims that ended long ago, and hosts that nobody speaks to.

Rule 1: what is looked through is looked through in order, a little at a time, so no index is needed for it, no lock is
        held for long, and what must stay is no burden on what may go.
Rule 2: what may go now may go at any later time, so nothing is locked between the look and the deletion: a claim that
        was followed by another stays so, and a pair that has no mention gets one only by newer claims. A host's row is
        judged again when it is deleted.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from linkback.store import Place, decisions
from linkback.store.collisions import repeated
from linkback.store.keys import digest, parts
from linkback.store.tables import C
from linkback.store.working import WorkingStore

#: the rows of hosts are kept so long after the last of their times: clocks of several machines may be apart
_QUIET = timedelta(days=2)
#: how many rows one transaction deletes: on SQLite all others who write wait for it
_MOST = 100


class ForgettingStore(WorkingStore[C]):
    """A store that can forget, over the statements of one kind of database."""

    def anywhere(self) -> Place:
        """A place to begin at, any with the same chance."""
        with self._database.read() as connection:
            first, last = self._tables.claims.ends(connection)
        return Place(random.randint(max(first - 1, 0), last), digest(str(random.random())))  # noqa: S311 - no secret

    def forget(
        self, place: Place, *, now: datetime, ended: Callable[[str], datetime | None], limit: int = 500
    ) -> Place:
        """Forget some of what is needed no more, and give the place at which to go on.

        Of the `limit` claims and hosts after a place: claims that ended by the time that `ended` gives for their site,
        None for never, and that are not the last by one protocol of a pair that has a mention; and hosts that have been
        left alone for long.
        """
        claim = None if place.claim is None else self._forget_claims(place.claim, ended, limit)
        host = None if place.host is None else self._forget_hosts(place.host, now - _QUIET, limit)
        return Place(claim, host)

    @repeated
    def _forget_claims(self, after: int, ended: Callable[[str], datetime | None], limit: int) -> int | None:
        claims = self._tables.claims
        with self._database.read() as connection:
            seen = claims.some(connection, after, limit)
        # the host's own function is asked, and may take its time
        over, goes_on = decisions.over(seen, ended)
        with self._database.read() as connection:
            mentioned = self._tables.mentions.known(connection, [row.key for row in over])
            lasts = decisions.lasts(row for row in over if row.key in mentioned)
            needed = lasts - set(claims.followed(connection, sorted(lasts)))
        gone = [row.id for row in over if row.id not in needed]
        for some in parts(gone, _MOST):
            with self._database.write() as connection:
                claims.forget(connection, some)
        return seen[-1].id if len(seen) == limit and goes_on else None

    @repeated
    def _forget_hosts(self, after: str, before: datetime, limit: int) -> str | None:
        hosts = self._tables.hosts
        with self._database.read() as connection:
            seen = hosts.some(connection, after, limit)
        idle = [row.key for row in seen if decisions.is_idle(row, before)]
        for some in parts(idle, _MOST):
            with self._database.write() as connection:
                hosts.forget(connection, some, before)
        return seen[-1].key if len(seen) == limit else None
