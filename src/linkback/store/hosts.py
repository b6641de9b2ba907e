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

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from linkback.model import Job, Turn
from linkback.store.schema import digest, hosts, parts

_Row = Row[*tuple[Any, ...]]

#: how many leases of a job are looked back at
_LEASES = 10
#: how long to wait at least for a POST that is in flight
_STEP = timedelta(seconds=0.1)
#: what a host may ask for, how long a job is held, how long a queue may be; with room to spare
_LONGEST_REST, _LONGEST_HOLD, _LONGEST_QUEUE = timedelta(hours=49), timedelta(hours=1), timedelta(days=60)
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
    names = [read_from(host) if fetch else host for host, _ in wanted]
    known = _next_slots(connection, names)
    following, due = dict(known), []
    for name, (host, turn) in zip(names, wanted, strict=True):
        before = following.get(name, turn)
        slot = max(turn, before) if host and before < turn + _LONGEST_QUEUE else turn
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


def read_from(host: str) -> str:
    """The name of the row for what is read from a host."""
    return f"{_FETCHED} {host}"


def lock(connection: Connection, host: str) -> None:
    """Have the row of a host to oneself until the transaction ends."""
    _row(connection, host)


def begin(connection: Connection, host: str, job: Job, *, now: datetime, until: datetime, gap: timedelta) -> Turn:
    """Let a POST to a host leave at `now`, or say when to ask again; what the job held elsewhere is let go."""
    finish(connection, job)
    row = _row(connection, host)
    free_at = now if row is None else _free_at(row, now)
    taken: dict[str, Any] = {"free_at": now + gap, "busy_until": until, "holder": _holder(job.id, job.lease)}
    if row is None:
        connection.execute(insert(hosts).values(key=digest(host), host=host, next_slot=now + gap, **taken))
        return Turn(True)
    if free_at <= now:
        _change(connection, row.key, **taken)
        return Turn(True)
    return Turn(False, _wait(connection, row, free_at, now=now, gap=gap))


def ask(connection: Connection, host: str, *, now: datetime, gap: timedelta) -> datetime | None:
    """None where a POST to a host might leave, else when to ask again."""
    row = _row(connection, host)
    free_at = now if row is None else _free_at(row, now)
    return None if row is None or free_at <= now + gap else _wait(connection, row, free_at, now=now, gap=gap)


def _free_at(row: _Row, now: datetime) -> datetime:
    """When a host is free again. A time that nobody can have meant was written by a clock that was ahead."""
    times = [row.free_at if row.free_at < now + _LONGEST_REST else now]
    if row.busy_until is not None and now < row.busy_until < now + _LONGEST_HOLD:
        times.append(row.busy_until)
    return max(times)


def _wait(connection: Connection, row: _Row, free_at: datetime, *, now: datetime, gap: timedelta) -> datetime:
    """When to ask again for a host: soon where it is free soon, else in a slot at the end of the queue."""
    busy = row.busy_until is not None and row.busy_until > now
    if not busy and free_at <= now + gap:
        return free_at
    step = max(gap, _STEP)
    # nobody knows when a POST ends: most do long before their time is over
    due = max(now + step, row.next_slot if row.next_slot < now + _LONGEST_QUEUE else now)
    due = due if busy else max(due, free_at)
    _change(connection, row.key, next_slot=due + step)
    return due


def finish(connection: Connection, job: Job, *, rest: tuple[str, datetime] | None = None) -> None:
    """End the hold of a job; with `rest`, a host and a time, nothing is sent to that host before."""
    # what an earlier lease of the job held, whose worker died, is over too; a later one's is not ours to end
    held = [_holder(job.id, lease) for lease in range(max(1, job.lease - _LEASES), job.lease + 1)]
    connection.execute(update(hosts).where(hosts.c.holder.in_(held)).values(busy_until=None, holder=None))
    if rest is not None:
        host, until = rest
        chosen = update(hosts).where(hosts.c.key == digest(host))
        connection.execute(chosen.where(hosts.c.free_at < until).values(free_at=until))
        connection.execute(chosen.where(hosts.c.next_slot < until).values(next_slot=until))


def _holder(job: int, lease: int) -> str:
    return f"{job}.{lease}"


def _row(connection: Connection, host: str) -> _Row | None:
    return connection.execute(select(hosts).where(hosts.c.key == digest(host)).with_for_update()).first()


def _change(connection: Connection, key: str, **values: datetime | str) -> None:
    connection.execute(update(hosts).where(hosts.c.key == key).values(**values))
