"""What an edit of a post means for the deliveries of its links. Decisions only.

Rule 1: a link that was told by a protocol without updates is never told again (protocols.md B-10, B-63).
Rule 2: who was told by a protocol with updates hears of every change, of the loss of the link and of the post's
        deletion, and by that protocol only (B-60 to B-64).
Rule 3: what nobody was told of ends where its link ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from linkback.model import ARRIVED, Cause, Delivery, Outcome

#: another version of the post may fare better
_ASKED_AGAIN = frozenset({Outcome.FAILED, Outcome.NO_ENDPOINT, Outcome.WITHDRAWN})
_WAITS = frozenset({Outcome.QUEUED, Outcome.FAILED})
_LOSSES = frozenset({Cause.REMOVED, Cause.DELETED})
#: of a loss: the other side took it, or answered that it shows no such link
_SETTLED = ARRIVED | {Outcome.REFUSED, Outcome.NO_ENDPOINT}


def changes(
    source: str, known: Iterable[Delivery], targets: Iterable[str], updates: Collection[str], *, gone: bool = False
) -> list[Delivery]:
    """The deliveries of a post that are to be recorded anew: owed, or withdrawn; one that is new has no id.

    `known` are those recorded for it, `targets` the links it has now (none where it is `gone`), `updates` the names of
    the protocols by which a target may be told again.
    """
    before = {delivery.target: delivery for delivery in known}
    wanted = dict.fromkeys(() if gone else targets)
    changed = [_linked(before.get(target) or Delivery(source=source, target=target), updates) for target in wanted]
    lost = Cause.DELETED if gone else Cause.REMOVED
    changed += [_unlinked(old, lost, updates) for target, old in before.items() if target not in wanted]
    return [delivery for delivery in changed if delivery is not None]


def _linked(old: Delivery, updates: Collection[str]) -> Delivery | None:
    """What a link that is there owes."""
    if not old.id:
        return old
    told = heard(old)
    if told:
        if told not in updates or (old.outcome is Outcome.QUEUED and old.cause is Cause.UPDATE):
            return None
        return _owed(old, Cause.UPDATE, told)
    # what one protocol without updates refused is that receiver's word on this link (B-9, B-49)
    final = old.outcome is Outcome.REFUSED and old.protocol is not None and old.protocol not in updates
    if old.outcome in _ASKED_AGAIN or (old.outcome is Outcome.REFUSED and not final):
        return _owed(old, Cause.NEW, "")
    return None


def _unlinked(old: Delivery, lost: Cause, updates: Collection[str]) -> Delivery | None:
    """What a link that is not there any more owes."""
    told = heard(old)
    if told not in updates:
        waits = old.outcome in _WAITS or (old.outcome is Outcome.REFUSED and old.attempts <= old.again)
        return replace(old, outcome=Outcome.WITHDRAWN, detail="the link is gone", again=0) if waits else None
    settled = old.cause in _LOSSES and old.outcome in _SETTLED
    waits = old.cause is lost and old.outcome is Outcome.QUEUED
    return None if settled or waits else _owed(old, lost, told)


def heard(delivery: Delivery) -> str:
    """The protocol by which the target heard of the source, or may have heard; "" where it did not."""
    return delivery.told or (delivery.protocol or "" if delivery.outcome is Outcome.UNKNOWN else "")


def _owed(old: Delivery, cause: Cause, told: str) -> Delivery:
    # what may have arrived stays unknown: it tells by which protocol alone it may be told again (B-11)
    outcome = old.outcome if old.outcome is Outcome.UNKNOWN else Outcome.QUEUED
    return replace(old, cause=cause, told=told, outcome=outcome, code=None, detail="", attempts=0, again=0)
