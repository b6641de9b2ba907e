"""What a post said when it was last told, and what an edit of it owes.

Rule 1: the post, its deliveries and their jobs are recorded in one transaction, which may be the host's own.
Rule 2: what is owed follows from rows that are locked before they are read; deliveries come before hosts, and hosts
        before jobs, here as with the workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from linkback import owing, urls
from linkback.model import Delivery, JobKind, Outcome
from linkback.store import Edit, queue
from linkback.store.keys import digest
from linkback.store.rows import standing
from linkback.store.tables import C, Tables

#: how many deliveries of one post are due in the same second: the posts of others wait for no more than these
_AT_ONCE = 64
#: what a post that comes out at another time takes along
_WAITING = frozenset({Outcome.QUEUED, Outcome.FAILED})


def record(tables: Tables[C], connection: C, edit: Edit) -> list[Delivery]:
    """Record an edit and what it owes, and give the deliveries that are owed or withdrawn by it.

    A post whose content is as it was told last owes nothing. A dry run records nothing.
    """
    key = digest(edit.site, edit.source)
    if not edit.dry:
        tables.posts.lock(connection, key)
    row = tables.posts.find(connection, key)
    known = tables.deliveries.listed(connection, edit.site, edit.source, lock=not edit.dry)
    changed = _changes(edit, row, known)
    if edit.dry:
        return changed
    before = row.comes_out if row is not None else None
    tables.posts.put(connection, key, edit, new=row is None)
    if edit.at == (before if before is not None and before > edit.now else None):
        return _record(tables, connection, edit, changed)
    ids = {delivery.id for delivery in changed}
    waiting = tables.jobs.subjects(connection, JobKind.DELIVER, [one.id for one in known if one.outcome in _WAITING])
    moved = [one for one in known if one.id in waiting - ids]
    return _record(tables, connection, edit, [*changed, *moved], exact=True)[: len(changed)]


def _changes(edit: Edit, row: Any, known: Sequence[Delivery]) -> list[Delivery]:
    # a deletion that could not be told is told again by asking again
    if row is not None and (row.content, row.gone) == (edit.content, False) and not (edit.gone or edit.force):
        return []
    every = len(edit.targets)
    most = every if edit.most_told is None else edit.most_told
    most_a_host = every if edit.most_told_a_host is None else edit.most_told_a_host
    untold = owing.too_many(known, edit.targets, most, most_a_host)
    changes = owing.changes(edit.source, known, edit.targets, edit.updates, gone=edit.gone, untold=untold)
    if row is None and not edit.gone and not edit.force:
        # told before posts were recorded: nobody knows whether it says anything else now
        return [delivery for delivery in changes if not delivery.id]
    return changes


def _record(
    tables: Tables[C], connection: C, edit: Edit, changed: Sequence[Delivery], *, exact: bool = False
) -> list[Delivery]:
    """Record deliveries as they are owed now, with their jobs, the new ones first; `exact` says when, even if later."""
    made = [delivery for delivery in changed if delivery.outcome is not Outcome.WITHDRAWN]
    due = dict(zip((delivery.target for delivery in made), _slots(tables, connection, edit, made), strict=True))
    fresh = [delivery for delivery in changed if not delivery.id]
    new = tables.deliveries.add(connection, edit.site, fresh, edit.now)
    first = {delivery.id: due[delivery.target] for delivery in new if delivery.target in due}
    tables.jobs.add_all(connection, edit.site, JobKind.DELIVER, first)
    again = [
        _owe_again(tables, connection, delivery, due.get(delivery.target, edit.now) if exact else edit.now)
        for delivery in changed
        if delivery.id
    ]
    for delivery in again:
        # the job of one that is withdrawn finds that there is nothing to do
        if delivery.outcome is not Outcome.WITHDRAWN:
            when = due[delivery.target]
            queue.owe(tables.jobs, connection, edit.site, delivery.id, due=when, now=edit.now, exact=exact)
    return [*new, *again]


def _owe_again(tables: Tables[C], connection: C, delivery: Delivery, due: datetime) -> Delivery:
    """Record a delivery as it is owed from a time on, or withdrawn, and give it with its new revision."""
    again = replace(delivery, revision=delivery.revision + 1)
    tables.deliveries.change(connection, again.id, {**standing(again), "owed": due})
    return again


def _slots(tables: Tables[C], connection: C, edit: Edit, made: Sequence[Delivery]) -> list[datetime]:
    """When each delivery is due."""
    if edit.at is not None:
        # a slot taken for some day to come would keep back whatever is due before
        return [edit.at] * len(made)
    at = (edit.now + timedelta(seconds=number // _AT_ONCE) for number in range(len(made)))
    wanted = [(urls.authority(delivery.target), turn) for delivery, turn in zip(made, at, strict=True)]
    return queue.slots(tables.hosts, connection, wanted, edit.gap)
