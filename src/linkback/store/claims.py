"""What senders said, and what became of it.

Rule 1: while a claim is open its pair has a job; whoever ends the job closes the claims it was for.
Rule 2: what a stranger may say again and again is written down once, and a pair has only so many open claims.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Row, Select, insert, select, update

from linkback.errors import Reason
from linkback.model import Claim, ClaimState
from linkback.store import MOST_OPEN_CLAIMS, ClaimRecord, Verdict
from linkback.store.schema import claims


def take(connection: Connection, record: ClaimRecord) -> ClaimRecord | None:
    """Write a claim down unless it waits already, and give it as it is kept; None where too many others wait."""
    others = waiting(connection, record.key)
    # how the source is spelled does not matter: the pair has one
    same = (other for other in others if replace(other.claim, source="") == replace(record.claim, source=""))
    if (kept := next(same, None)) is not None:
        return kept
    if len(others) >= MOST_OPEN_CLAIMS:
        return None
    _add(connection, record)
    return record


def _add(connection: Connection, record: ClaimRecord) -> None:
    claim = record.claim
    connection.execute(
        insert(claims).values(
            public_id=record.id,
            site=record.site,
            key=record.key,
            page=record.page,
            received=record.received,
            protocol=claim.protocol,
            source=claim.source,
            target=claim.target,
            title=claim.title,
            excerpt=claim.excerpt,
            blog_name=claim.blog_name,
            endpoint=claim.endpoint,
            **_progress(record),
        )
    )


def find(connection: Connection, id: str) -> ClaimRecord | None:
    """The claim of that public id."""
    # ids come from strangers, some databases hold no NUL and no lone surrogate, and some do not see a space at the end
    if not (id.isascii() and id.isprintable()):
        return None
    found = _first(connection, select(claims).where(claims.c.public_id == id))
    return found if found is None or found.id == id else None


def waiting(connection: Connection, key: str) -> list[ClaimRecord]:
    """A pair's open claims, oldest first."""
    statement = select(claims).where(claims.c.key == key, claims.c.open).order_by(claims.c.received, claims.c.id)
    return [_record(row) for row in connection.execute(statement)]


def last(connection: Connection, key: str, protocol: str) -> ClaimRecord | None:
    """A pair's newest claim by one protocol."""
    same = select(claims).where(claims.c.key == key, claims.c.protocol == protocol)
    return _first(connection, same.order_by(claims.c.received.desc(), claims.c.id.desc()).limit(1))


def unanswered(connection: Connection, verdict: Verdict) -> datetime | None:
    """When the first claim came that joined the check and that its verdict does not answer; None without one."""
    answers = {_question(record) for record in verdict.claims}
    return next(
        (record.received for record in waiting(connection, verdict.key) if _question(record) not in answers), None
    )


def settle(connection: Connection, verdict: Verdict, *, again: bool) -> None:
    """Write the claims' new states, and answer those that asked the same while the check ran.

    `again` says that the pair's job goes on; otherwise none of its claims stays open.
    """
    for record in verdict.claims:
        _write(connection, record.id, record, again=again)
    known = {record.id for record in verdict.claims}
    answers = {_question(record): record for record in verdict.claims}
    for joined in waiting(connection, verdict.key):
        answer = answers.get(_question(joined))
        if answer is not None and joined.id not in known:
            _write(connection, joined.id, answer, again=again)


def _question(record: ClaimRecord) -> tuple[str, str, str]:
    """What two claims of one pair must share to have one answer: a protocol may count other links than another."""
    return record.claim.protocol, record.claim.target, record.claim.endpoint


def settle_late(connection: Connection, verdict: Verdict) -> None:
    """Write what a worker found that had lost its lease: only for claims that nobody has answered since."""
    still_open = {record.id for record in waiting(connection, verdict.key)}
    for record in verdict.claims:
        if record.id in still_open:
            # the job is another's now, and so is the right to close
            _write(connection, record.id, record, again=True)


def _write(connection: Connection, id: str, record: ClaimRecord, *, again: bool) -> None:
    values = _progress(record)
    values["open"] = record.open and again
    connection.execute(update(claims).where(claims.c.public_id == id).values(**values))


def _progress(record: ClaimRecord) -> dict[str, object]:
    return {
        "state": record.state.value,
        "reason": None if record.reason is None else record.reason.value,
        "open": record.open,
        "checked": record.checked,
    }


def _first(connection: Connection, statement: Select[*tuple[object, ...]]) -> ClaimRecord | None:
    row = connection.execute(statement).first()
    return None if row is None else _record(row)


def _record(row: Row[*tuple[object, ...]]) -> ClaimRecord:
    return ClaimRecord(
        id=row.public_id,
        site=row.site,
        key=row.key,
        page=row.page,
        claim=Claim(
            protocol=row.protocol,
            source=row.source,
            target=row.target,
            title=row.title,
            excerpt=row.excerpt,
            blog_name=row.blog_name,
            endpoint=row.endpoint,
        ),
        received=row.received,
        state=ClaimState(row.state),
        reason=None if row.reason is None else Reason(row.reason),
        open=row.open,
        checked=row.checked,
    )
