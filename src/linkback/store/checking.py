"""What is recorded of claims and of the checks that answer them.

Rule 1: while a claim is open its pair has a job; whoever ends the job closes the claims it was for.
Rule 2: what a stranger may say again and again is written down once, and a pair has only so many open claims.
Rule 3: a pair has one mention, whoever announced it and however often.
Rule 4: a check never changes a status that a person chose, save that a link which is gone is not shown; when it
        comes back, so does that status.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from linkback.model import Job, JobKind
from linkback.store import ClaimRecord, Sibling, Verdict, decisions, queue
from linkback.store.rows import progress
from linkback.store.tables import C, Claims, Mentions, Tables


def take(claims: Claims[C], connection: C, record: ClaimRecord) -> ClaimRecord | None:
    """Write a claim down unless it waits already, and give it as it is kept; None where too many others wait."""
    others = claims.waiting(connection, record.key)
    kept = decisions.said_already(record, others)
    if kept is not None:
        return kept
    if not decisions.has_room(others):
        return None
    claims.add(connection, record)
    return record


def others(tables: Tables[C], connection: C, keys: Collection[str], now: datetime) -> list[Sibling]:
    """The checks of some pairs that wait and that nobody holds at a time, each with its open claims."""
    # in this order: claims that are answered, or joined, after the jobs were read have those changed too
    free = tables.jobs.free(connection, JobKind.CHECK, sorted(keys), now) if keys else []
    claims = defaultdict(list)
    if free:
        for record in tables.claims.waiting_among(connection, [job.subject for job in free]):
            claims[record.key].append(record)
    return [Sibling(job, claims[job.subject]) for job in free]


def finish(tables: Tables[C], connection: C, job: Job, verdict: Verdict) -> None:
    """Record a verdict and end or postpone its job; a worker that lost its lease leaves what was found since alone."""
    queue.finish(tables.hosts, connection, job)
    # the pair's turn is ours, so nobody joins any more
    waiting = tables.claims.waiting(connection, verdict.key)
    unanswered = decisions.unanswered(waiting, verdict)
    again = verdict.again or unanswered
    # a look that ended in an answer is no dead worker: for claims that came since, the job begins anew
    anew = again if verdict.anew or (verdict.again is None and unanswered) else None
    last = None if anew else again
    if queue.end(tables.jobs, connection, job, last, parked=verdict.parked and not anew):
        verdict = decisions.held(verdict, _record(tables.mentions, connection, verdict, late=False))
        _settle(tables.claims, connection, verdict, waiting, again=again is not None or verdict.parked)
        following = anew or (verdict.recheck if again is None and not verdict.parked else None)
        if following is not None:
            queue.add(tables.jobs, connection, job.site, JobKind.CHECK, job.subject, following)
    else:
        verdict = decisions.held(verdict, _record(tables.mentions, connection, verdict, late=True))
        _settle_late(tables.claims, connection, verdict, waiting)


def _settle(claims: Claims[C], connection: C, verdict: Verdict, waiting: Sequence[ClaimRecord], *, again: bool) -> None:
    """Write the claims' new states, and answer those that asked the same while the check ran.

    `again` says that the pair's job goes on; otherwise none of its claims stays open.
    """
    for record in verdict.claims:
        _write(claims, connection, record.id, record, again=again)
    for id, answer in decisions.joined_answers(waiting, verdict):
        _write(claims, connection, id, answer, again=again)


def _settle_late(claims: Claims[C], connection: C, verdict: Verdict, waiting: Sequence[ClaimRecord]) -> None:
    """Write what a worker found that had lost its lease: only for claims that nobody has answered since."""
    still_open = {record.id for record in waiting}
    for record in verdict.claims:
        if record.id in still_open:
            # the job is another's now, and so is the right to close
            _write(claims, connection, record.id, record, again=True)


def _write(claims: Claims[C], connection: C, id: str, record: ClaimRecord, *, again: bool) -> None:
    claims.change(connection, id, {**progress(record), "open": record.open and again})


def _record(mentions: Mentions[C], connection: C, verdict: Verdict, *, late: bool) -> str:
    """Write what a check found of a pair: its mention, or that it is gone; the status of a mention that was found.

    `late` says that the worker had lost its lease: it does not overwrite what a later check found.
    """
    # a moderator may speak meanwhile, who takes no turn
    row = mentions.locked(connection, verdict.key)
    if late and row is not None and decisions.is_stale(verdict, row):
        return ""
    if verdict.removed and row is not None:
        mentions.change(connection, row.id, decisions.lost(verdict, row))
    if verdict.removed or verdict.mention is None:
        return ""
    if row is None:
        number, status = mentions.add(connection, verdict, verdict.mention), verdict.mention.status.value
    else:
        number, changes = row.id, decisions.found(verdict.mention, row, holds_edits=verdict.holds_edits)
        mentions.change(connection, number, changes)
        status = changes.get("status", row.status)
    mentions.unite(connection, number, verdict.mention.protocols)
    return status
