"""What follows from what was read: which claims a check answers, where a mention stands, how a delivery ends.

Rule: values in, values out. A row is whatever has its columns as attributes; what is given back is columns to write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from linkback import urls
from linkback.errors import StoreError
from linkback.model import ARRIVED, Cause, Claim, ClaimState, Delivery, Mention, Outcome, Status
from linkback.plaintext import collapse
from linkback.store import MOST_OPEN_CLAIMS, ClaimRecord, Verdict, rows
from linkback.store.rows import description, standing

#: what is told of a mention that everybody sees
_SHOWN = frozenset({ClaimState.SUCCESS, ClaimState.UPDATED, ClaimState.UNCHANGED})
_HIDDEN_FOR_GOOD = frozenset({Status.REJECTED.value, Status.SPAM.value})


def said_already(record: ClaimRecord, waiting: Sequence[ClaimRecord]) -> ClaimRecord | None:
    """The claim among those of its pair that wait which says the same."""
    # which part of the source links does not matter: the pair has one
    same = (other for other in waiting if _said(other) == _said(record))
    return next(same, None)


def _said(record: ClaimRecord) -> Claim:
    return replace(record.claim, source=urls.asked_for(record.claim.source))


def has_room(waiting: Sequence[ClaimRecord]) -> bool:
    """Whether another claim of their pair may wait with those."""
    return len(waiting) < MOST_OPEN_CLAIMS


def unanswered(waiting: Sequence[ClaimRecord], verdict: Verdict) -> datetime | None:
    """When the first claim came that joined the check and that its verdict does not answer; None without one."""
    answered = {_question(record) for record in verdict.claims}
    return next((record.received for record in waiting if _question(record) not in answered), None)


def joined_answers(waiting: Sequence[ClaimRecord], verdict: Verdict) -> list[tuple[str, ClaimRecord]]:
    """The ids of those that asked the same while the check ran, with the record that answers each."""
    known = {record.id for record in verdict.claims}
    answers = {_question(record): record for record in verdict.claims}
    return [
        (joined.id, answer)
        for joined in waiting
        if joined.id not in known and (answer := answers.get(_question(joined))) is not None
    ]


def _question(record: ClaimRecord) -> tuple[str, str, str, str]:
    """What two claims of one pair must share to have one answer: a protocol may count other links than another."""
    claim = record.claim
    return claim.protocol, urls.asked_for(claim.source), claim.target, claim.endpoint


def held(verdict: Verdict, status: str) -> Verdict:
    """A verdict as its claims are told it, given the status of the mention that it found: nobody sees a pending one."""
    if status != Status.PENDING.value:
        return verdict
    claims = [replace(each, state=ClaimState.PENDING) if each.state in _SHOWN else each for each in verdict.claims]
    return replace(verdict, claims=claims)


def is_stale(verdict: Verdict, row: Any) -> bool:
    """Whether a later check than this one has written the mention of a row."""
    looked = _looked(verdict)
    return looked is None or bool(looked < row.checked)


def _looked(verdict: Verdict) -> datetime | None:
    if verdict.mention is not None:
        return verdict.mention.checked
    return max((claim.checked for claim in verdict.claims if claim.checked is not None), default=None)


def lost(verdict: Verdict, row: Any) -> dict[str, Any]:
    """What changes of a mention whose link is gone."""
    looked = _looked(verdict)
    changes = {} if looked is None else {"checked": looked}
    if row.status == Status.REMOVED.value or (row.decided and row.status in _HIDDEN_FOR_GOOD):
        return changes
    return {
        "status": Status.REMOVED.value,
        "decided_status": row.status if row.decided else row.decided_status,
        **changes,
    }


def found(mention: Mention, row: Any, *, holds_edits: bool = False) -> dict[str, Any]:
    """What changes of a mention whose link was found again."""
    changes = {**description(mention), **_revival(row, mention.status)}
    shown = changes.get("status", row.status) == Status.APPROVED.value
    if holds_edits and shown and edited(rows.mention(row, ()), mention):
        return {**changes, "status": Status.PENDING.value, "decided": False, "decided_status": Status.PENDING.value}
    return changes


def edited(before: Mention, after: Mention) -> bool:
    """Whether a mention has other words for its readers; how they are spaced is not seen."""
    return _words(before) != _words(after)


def _words(mention: Mention) -> tuple[str, ...]:
    # the kind decides which of them are shown; a picture may change behind its URL, so to hold that would hold nothing
    author = mention.author
    return (mention.kind, *map(collapse, (mention.title, author.name, author.url, mention.excerpt)))


def _revival(row: Any, status: Status) -> dict[str, Any]:
    if row.status != Status.REMOVED.value:
        return {}
    if not row.decided:
        # an edit that was held is held still
        return {"status": row.decided_status or status.value}
    if row.decided_status is None:
        return {}  # a person removed it
    return {"status": row.decided_status, "decided_status": None}


def moderated(status: Status) -> dict[str, Any]:
    """What changes of a mention by the word of a person."""
    return {"status": status.value, "decided": True, "decided_status": None}


def over(seen: Sequence[Any], ended: Callable[[str], datetime | None]) -> tuple[list[Any], bool]:
    """The claims among these that ended by the time that is given for their site; and whether later ones may, too."""
    by = {site: ended(site) for site in {row.site for row in seen}}
    found = [row for row in seen if not row.open and _is_by(row.checked, by[row.site])]
    # numbers grow with time: after what came too late there is nothing
    return found, any(by[row.site] is None or _is_by(row.received, by[row.site]) for row in seen)


def lasts(claims: Iterable[Any]) -> set[int]:
    """The numbers of the claims among these after which none of the others is of their pair and protocol."""
    found: dict[tuple[str, str], tuple[datetime, int]] = {}
    for row in claims:
        pair, when = (row.key, row.protocol), (row.received, row.id)
        found[pair] = max(when, found.get(pair, when))
    return {id for _, id in found.values()}


def _is_by(time: datetime | None, limit: datetime | None) -> bool:
    return time is not None and limit is not None and time <= limit


def is_idle(row: Any, before: datetime) -> bool:
    """Whether the row of a host names no time after one, and so says nothing that no row would not."""
    return all(time is None or time <= before for time in (row.next_slot, row.free_at, row.busy_until))


def page_keys(pages: Collection[str]) -> Collection[str]:
    """The values of `urls.page_key`, as they are; raises `StoreError` where one is something else."""
    strange = next((page for page in pages if len(page) != 64 or "/" in page), None)
    if strange is not None:
        raise StoreError(f"mentions are looked up by urls.page_key, not by {strange!r}")
    return pages


def begun(protocol: str, endpoint: str, now: datetime) -> dict[str, Any]:
    """What is known of a delivery whose POST is about to leave."""
    return {
        "protocol": protocol,
        "endpoint": endpoint,
        "tried": now,
        "outcome": Outcome.UNKNOWN.value,
        "code": None,
        "detail": "its sending was begun",
        "status_url": "",
    }


def owed_from(row: Any, since: int) -> datetime | None:
    """From when the delivery of a row is owed that nobody has tried since; None where it is not.

    The row, None where there is none, is of a later revision than `since`.
    """
    waits = row is not None and (since > 0 or row.outcome == Outcome.QUEUED.value)
    return row.owed if waits else None


def ended(stored: Delivery, delivery: Delivery, *, late: bool) -> dict[str, Any]:
    """What the end of an attempt changes of a delivery; `late` says that the worker had lost its lease."""
    told = delivery.protocol or "" if delivery.outcome in ARRIVED else stored.told
    if stored.revision != delivery.revision:
        return _overtaken(stored, delivery)
    # one that is unknown stays so: another worker may have a POST of its own in flight
    if not late or stored.outcome is Outcome.QUEUED or delivery.outcome in ARRIVED:
        return {**standing(delivery), "told": told}
    return {}


def _overtaken(stored: Delivery, delivery: Delivery) -> dict[str, Any]:
    """What an attempt that told of the post as it was says of the delivery as it is owed now."""
    if stored.outcome is not Outcome.UNKNOWN or delivery.outcome is Outcome.UNKNOWN:
        return {}
    told = delivery.protocol if delivery.outcome in ARRIVED else delivery.told
    if told:
        return {"told": told, "outcome": Outcome.QUEUED.value, "detail": ""}
    if stored.cause is Cause.UPDATE:
        return {"told": "", "outcome": Outcome.QUEUED.value, "detail": "", "cause": Cause.NEW.value}
    return {"told": "", "outcome": Outcome.WITHDRAWN.value, "detail": "the link is gone"}
