"""What a post said when it was last told, and what an edit of it owes.

Rule: the post, its deliveries and their jobs are recorded in one transaction, which may be the host's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from linkback import owing, urls
from linkback.model import Delivery, JobKind, Outcome
from linkback.store import Edit, deliveries, hosts, jobs
from linkback.store.schema import digest, posts

#: how many deliveries of one post are due in the same second: the posts of others wait for no more than these
_AT_ONCE = 20


def record(connection: Connection, edit: Edit) -> list[Delivery]:
    """Record an edit and what it owes, and give the deliveries that are owed or withdrawn by it.

    A post whose content is as it was told last owes nothing. A dry run records nothing.
    """
    key = digest(edit.site, edit.source)
    row = connection.execute(select(posts.c.content, posts.c.gone).where(posts.c.key == key).with_for_update()).first()
    same = row is not None and (row.content, row.gone) == (edit.content, edit.gone) and not edit.force
    known = deliveries.listed(connection, edit.site, edit.source)
    changed = [] if same else owing.changes(edit.source, known, edit.targets, edit.updates, gone=edit.gone)
    if edit.dry:
        return changed
    values = {"content": edit.content, "gone": edit.gone, "changed": edit.now}
    if row is None:
        connection.execute(insert(posts).values(key=key, site=edit.site, url=edit.source, **values))
    elif not same:
        connection.execute(update(posts).where(posts.c.key == key).values(**values))
    recorded = _record(connection, edit, changed)
    if edit.at is not None:
        _put_off(connection, edit, known)
    return recorded


def _record(connection: Connection, edit: Edit, changed: Sequence[Delivery]) -> list[Delivery]:
    """Record deliveries as they are owed now, with their jobs; the few that are owed again follow the new ones."""
    made = [delivery for delivery in changed if delivery.outcome is not Outcome.WITHDRAWN]
    due = dict(zip((delivery.target for delivery in made), _slots(connection, edit, made), strict=True))
    new = deliveries.add(connection, edit.site, [delivery for delivery in changed if not delivery.id], edit.now)
    jobs.add_all(connection, edit.site, JobKind.DELIVER, {delivery.id: due[delivery.target] for delivery in new})
    again = [deliveries.owe_again(connection, delivery, edit.now) for delivery in changed if delivery.id]
    for delivery in again:
        # the job of one that is withdrawn finds that there is nothing to do
        if delivery.outcome is not Outcome.WITHDRAWN:
            when = due[delivery.target]
            jobs.renew(connection, edit.site, JobKind.DELIVER, delivery.id, due=when, now=edit.now, revive=True)
    return [*new, *again]


def _slots(connection: Connection, edit: Edit, made: Sequence[Delivery]) -> list[datetime]:
    """When each delivery is due."""
    if edit.at is not None:
        # a slot taken for some day to come would keep back whatever is due before
        return [edit.at] * len(made)
    turns = (edit.now + timedelta(seconds=number // _AT_ONCE) for number in range(len(made)))
    wanted = [(urls.authority(delivery.target), turn) for delivery, turn in zip(made, turns, strict=True)]
    return hosts.slots(connection, wanted, edit.gap)


def _put_off(connection: Connection, edit: Edit, known: list[Delivery]) -> None:
    """Deliveries of a post that comes out at another time than was said before."""
    for delivery in known:
        if delivery.outcome is Outcome.QUEUED and not delivery.attempts and edit.at is not None:
            jobs.put_off(connection, JobKind.DELIVER, delivery.id, due=edit.at, now=edit.now)
