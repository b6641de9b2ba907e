"""Work that begins, ends and waits, and turns at a host.

Rule 1: the attempt is counted in the same UPDATE that takes the lease, so a job that kills its worker is counted.
Rule 2: a lease is known by the job's id and the number of the lease: a worker that was too slow finds it gone.
Rule 3: a job that begins anew is a new row, or an old lease could match it by chance.
Rule 4: a job that is held is due when its lease ends, so one index finds whatever is to be done next.
Rule 5: a host's row says when its next POST may leave, and which job has one in flight; the row is the only authority,
        whatever the number of workers. What is sent to a host and what is fetched from it are two rows. All that is
        fetched from hosts of one registrable domain is one, and each read of it asks for its turn (`budget`).
Rule 6: jobs are spread over slots when they begin, so a queue never begins with many that must wait.
Rule 7: a hold ends by itself with the lease of its job, so a worker that dies blocks no host for long.

Every function takes a connection in a writing transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from linkback.model import Job, JobKind, Turn
from linkback.store import Pace, budget, turns
from linkback.store.tables import C, Hosts, Jobs, Share

#: the longest that a retry is put off, and over how many days looks at old mentions are spread
_SOON, _DAYS = timedelta(hours=48), 30
#: what is read from a host is paid for sooner, unless a clock was wrong
_DAY = timedelta(days=1)


def add(jobs: Jobs[C], connection: C, site: str, kind: JobKind, subject: str, due: datetime) -> None:
    """Make a job that nobody has tried."""
    jobs.add_all(connection, site, kind, {subject: due})


def renew(
    jobs: Jobs[C], connection: C, site: str, kind: JobKind, subject: str, *, due: datetime, now: datetime
) -> bool:
    """Have a job for a subject by `due`, its attempts forgotten; one that is leased at `now` stays as it is.

    False, and nothing done, where it waits for a person.
    """
    found = jobs.locked(connection, kind, subject)
    if found is not None:
        if found.due is None or _is_held(found, now):
            return found.due is not None
        due = min(due, found.due)
        jobs.remove(connection, kind, subject)
    add(jobs, connection, site, kind, subject, due)
    return True


def owe(jobs: Jobs[C], connection: C, site: str, delivery: str, *, due: datetime, now: datetime, exact: bool) -> None:
    """Have a job for a delivery that is owed again, by `due` or, with `exact`, not before it either.

    One that is leased at `now` stays as it is: its end finds that the delivery was owed anew.
    """
    found = jobs.locked(connection, JobKind.DELIVER, delivery)
    if found is not None:
        if _is_held(found, now):
            return
        due = due if exact or found.due is None else min(due, found.due)
        jobs.remove(connection, JobKind.DELIVER, delivery)
    add(jobs, connection, site, JobKind.DELIVER, delivery, due)


def _is_held(job: Any, now: datetime) -> bool:
    return bool(job.leased_until is not None and job.leased_until > now)


def end(jobs: Jobs[C], connection: C, job: Job, again: datetime | None, *, parked: bool = False) -> bool:
    """End a job, make it due `again`, or have it wait for a person.

    False, and nothing done, where the lease is not ours any more.
    """
    if again is not None or parked:
        return jobs.give_back(connection, job, again)
    return jobs.end(connection, job)


def set_back(jobs: Jobs[C], hosts: Hosts[C], connection: C, since: datetime, now: datetime) -> None:
    """Have no job wait for times of a clock that stood at `since` and was set back to `now`, and no host be read later.

    What was to come soon is due now, and what is looked at again later comes within a month, spread over its days. Of
    deliveries only posts that come out on a date of their own are put off for longer: they keep it.
    """
    hosts.forget_reads(connection, now + _DAY, now)
    jobs.move(connection, now, since + _SOON, now, None)
    for day in range(_DAYS):
        due = now + _SOON + timedelta(days=day)
        jobs.move(connection, since + _SOON, None, due, Share(JobKind.CHECK, day, _DAYS))


def slots(hosts: Hosts[C], connection: C, wanted: Sequence[tuple[str, datetime]], gap: timedelta) -> list[datetime]:
    """The first free slots to send to each host from a time on, taken."""
    if not gap:
        return [turn for _, turn in wanted]
    names = [host for host, _ in wanted]
    spread = turns.spread(wanted, names, hosts.next_slots(connection, names), gap)
    hosts.put(connection, spread)
    return spread.due


def read_slots(hosts: Hosts[C], connection: C, wanted: Sequence[tuple[str, datetime]], pace: Pace) -> list[datetime]:
    """The first free slots to read from each host from a time on; those are taken that are not too late by the pace."""
    if not pace.gap:
        return [turn for _, turn in wanted]
    names = [turns.read_from(host) for host, _ in wanted]
    spread = budget.spread(wanted, names, hosts.next_slots(connection, names), pace)
    hosts.put(connection, spread)
    return spread.due


def read_slot(hosts: Hosts[C], connection: C, host: str, turn: datetime, pace: Pace) -> datetime:
    """`read_slots` for one; raises `Refused` where it would be too late."""
    [due] = read_slots(hosts, connection, [(host, turn)], pace)
    refusal = budget.refusal(host, turn, due, pace)
    if refusal is not None:
        raise refusal
    return due


def begin(
    hosts: Hosts[C], connection: C, host: str, job: Job, *, now: datetime, until: datetime, gap: timedelta
) -> Turn:
    """Let a POST to a host leave at `now`, or say when to ask again; what the job held elsewhere is let go."""
    finish(hosts, connection, job)
    row = hosts.locked(connection, host)
    taken = turns.taken(job, now=now, until=until, gap=gap)
    if row is None:
        hosts.add(connection, host, {"next_slot": now + gap, **taken})
        return Turn(True)
    free = turns.free_at(row, now)
    if free <= now:
        hosts.change(connection, host, taken)
        return Turn(True)
    return Turn(False, _wait(hosts, connection, host, row, free, now=now, gap=gap))


def begin_read(
    hosts: Hosts[C],
    connection: C,
    host: str,
    job: Job,
    *,
    now: datetime,
    until: datetime,
    pace: Pace,
    queues: bool = True,
) -> Turn:
    """Let a page of a host be read at `now`, or say when to ask again: one at a time, and by the pace.

    What is read has a place in the queue of those who wait for a turn where it `queues`.
    """
    finish(hosts, connection, job)
    name = turns.read_from(host)
    row = hosts.locked(connection, name)
    answer = budget.ask(row, job, now=now, until=until, pace=pace, queues=queues)
    if row is None:
        hosts.add(connection, name, {"next_slot": now, "free_at": now, **answer.row})
    elif answer.row:
        hosts.change(connection, name, answer.row)
    if answer.granted or answer.due is not None:
        return Turn(answer.granted, answer.due)
    # nobody knows when a read ends: those who wait for it come back one after the other
    wanted, line = [(host, now + turns.STEP)], [turns.waiting_for(host)]
    spread = turns.spread(wanted, line, hosts.next_slots(connection, line), turns.STEP)
    hosts.put(connection, spread)
    return Turn(False, spread.due[0])


def count_read(hosts: Hosts[C], connection: C, host: str, *, now: datetime, pace: Pace) -> None:
    """Count a page of a host as read at `now`, whether or not it might be."""
    name = turns.read_from(host)
    row = hosts.locked(connection, name)
    counted = budget.counted(row, now=now, pace=pace)
    hosts.add(connection, name, counted) if row is None else hosts.change(connection, name, counted)


def spare_reads(hosts: Hosts[C], connection: C, host: str, number: int, *, now: datetime, pace: Pace) -> None:
    """Let others have so many slots of a host that nobody needs any more."""
    name = turns.read_from(host)
    row = hosts.locked(connection, name)
    if row is not None:
        hosts.change(connection, name, budget.spared(row, number, now=now, pace=pace))


def ask(hosts: Hosts[C], connection: C, host: str, *, now: datetime, gap: timedelta) -> datetime | None:
    """None where a POST to a host might leave, else when to ask again."""
    row = hosts.locked(connection, host)
    free = now if row is None else turns.free_at(row, now)
    return None if free <= now + gap else _wait(hosts, connection, host, row, free, now=now, gap=gap)


def _wait(
    hosts: Hosts[C], connection: C, host: str, row: Any, free: datetime, *, now: datetime, gap: timedelta
) -> datetime:
    due, next_slot = turns.wait(row, free, now=now, gap=gap)
    if next_slot is not None:
        hosts.change(connection, host, {"next_slot": next_slot})
    return due


def finish(hosts: Hosts[C], connection: C, job: Job, *, rest: tuple[str, datetime] | None = None) -> None:
    """End the hold of a job; with `rest`, a host and a time, nothing is sent to that host before."""
    hosts.let_go(connection, turns.held_by(job))
    if rest is not None:
        hosts.rest(connection, *rest)
