"""Turns at a host, so that each is sent one POST at a time, some seconds apart (protocols.md B-12), and none fills a
queue that others wait in.

Rule 1: a host's row says when its next POST may leave, and which job has one in flight; the row is the only authority,
        whatever the number of workers.
Rule 2: jobs are spread over slots when they begin, so a queue never begins with many that must wait. What is sent to a
        host and what is fetched from it are two rows.
Rule 3: a hold ends by itself with the lease of its job, so a worker that dies blocks no host for long.

Every function takes a connection in a writing transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, and_, bindparam, insert, select, update

from linkback.model import Turn
from linkback.store.schema import digest, hosts, parts

#: how long to wait at least for a POST that is in flight
_STEP = timedelta(seconds=1)
#: what stands before a host's name in the row for what is read from it
_FETCHED = "from"


def slots(
    connection: Connection,
    wanted: Sequence[tuple[str, datetime]],
    gap: timedelta,
    *,
    burst: int = 0,
    fetch: bool = False,
) -> list[datetime]:
    """The first free slot of each host from a time on, taken; `burst` may be had at once after a time of quiet.

    With `fetch` they are for reading from the hosts, else for sending to them.
    """
    if not gap:
        return [turn for _, turn in wanted]
    names = [f"{_FETCHED} {host}" if fetch else host for host, _ in wanted]
    known = _next_slots(connection, names)
    following, due = dict(known), []
    for name, (host, turn) in zip(names, wanted, strict=True):
        slot = max(turn, following.get(name, turn)) if host else turn
        following[name] = slot + gap
        due.append(max(turn, slot - burst * gap))
    named = {name: (following[name], turn) for name, (host, turn) in zip(names, wanted, strict=True) if host}
    new = [
        {"key": digest(name), "host": name, "next_slot": slot, "free_at": turn}
        for name, (slot, turn) in named.items()
        if name not in known
    ]
    old = [{"of": digest(name), "slot": slot} for name, (slot, _) in named.items() if name in known]
    if new:
        connection.execute(insert(hosts), new)
    if old:
        connection.execute(update(hosts).where(hosts.c.key == bindparam("of")).values(next_slot=bindparam("slot")), old)
    return due


def _next_slots(connection: Connection, names: Sequence[str]) -> dict[str, datetime]:
    """The next free slot of the hosts that are known, their rows locked in one order: nobody waits in a ring."""
    by_key = {digest(name): name for name in names}
    found = {}
    for keys in parts(sorted(by_key)):
        chosen = select(hosts.c.key, hosts.c.next_slot).where(hosts.c.key.in_(keys)).order_by(hosts.c.key)
        for row in connection.execute(chosen.with_for_update()):
            found[by_key[row.key]] = row.next_slot
    return found


def lock(connection: Connection, names: Collection[str]) -> None:
    """Have the rows of some hosts to oneself until the transaction ends."""
    chosen = hosts.c.key.in_([digest(name) for name in names])
    connection.execute(select(hosts.c.key).where(chosen).order_by(hosts.c.key).with_for_update()).all()


def begin(connection: Connection, host: str, job: int, *, now: datetime, until: datetime, gap: timedelta) -> Turn:
    """Let a POST to a host leave at `now`, or say when to ask again; what the job held elsewhere is let go."""
    finish(connection, job)
    row = _row(connection, host)
    if row is None:
        _add(connection, host, next_slot=now + gap, free_at=now + gap, busy_until=until, holder=job)
        return Turn(True)
    busy = row.busy_until is not None and row.busy_until > now
    if not busy and row.free_at <= now:
        _change(connection, row.key, free_at=now + gap, busy_until=until, holder=job)
        return Turn(True)
    if not busy and row.free_at <= now + gap:
        return Turn(False, row.free_at)
    # nobody knows when it ends: the next slot is the end of the queue
    step = max(gap, _STEP)
    due = max(now + step, row.free_at, row.next_slot)
    _change(connection, row.key, next_slot=due + step)
    return Turn(False, due)


def finish(connection: Connection, job: int, *, rest: tuple[str, datetime] | None = None) -> None:
    """End the hold of a job; with `rest`, a host and a time, nothing is sent to that host before."""
    connection.execute(update(hosts).where(hosts.c.holder == job).values(busy_until=None, holder=None))
    if rest is not None:
        host, until = rest
        later = and_(hosts.c.key == digest(host), hosts.c.free_at < until)
        connection.execute(update(hosts).where(later).values(free_at=until, next_slot=until))


def _row(connection: Connection, host: str) -> Row[tuple[object, ...]] | None:
    return connection.execute(select(hosts).where(hosts.c.key == digest(host)).with_for_update()).first()


def _add(connection: Connection, host: str, **values: datetime | int) -> None:
    connection.execute(insert(hosts).values(key=digest(host), host=host, **values))


def _change(connection: Connection, key: str, **values: datetime | int) -> None:
    connection.execute(update(hosts).where(hosts.c.key == key).values(**values))
