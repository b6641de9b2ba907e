"""What an edit of a post means for the deliveries of its links. Decisions only.

Rule 1: a link that was told by a protocol without updates is never told again (protocols.md B-10, B-63).
Rule 2: who was told by a protocol with updates hears of every change, of the loss of the link and of the post's
        deletion, and by that protocol only (B-60 to B-64).
Rule 3: what nobody was told of ends where its link ends.
Rule 4: of many links some are told of, and the others recorded as withdrawn, with why. Who has a place keeps it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from linkback import urls
from linkback.model import ARRIVED, Cause, Delivery, Outcome

#: another version of the post may fare better
_ASKED_AGAIN = frozenset({Outcome.FAILED, Outcome.NO_ENDPOINT, Outcome.WITHDRAWN})
_WAITS = frozenset({Outcome.QUEUED, Outcome.FAILED})
_LOSSES = frozenset({Cause.REMOVED, Cause.DELETED})
#: of a loss: the other side took it, or answered that it shows no such link
_SETTLED = ARRIVED | {Outcome.REFUSED, Outcome.NO_ENDPOINT}


def too_many(known: Iterable[Delivery], targets: Sequence[str], most: int, most_a_host: int) -> dict[str, str]:
    """The links of a post that it does not tell of, as it has others, each with why.

    `known` are the deliveries recorded for it: whose link is still there goes on; the first of the others fill what is
    left of `most`, and of `most_a_host` for each host.
    """
    asked = {delivery.target for delivery in known if heard(delivery) or delivery.outcome is not Outcome.WITHDRAWN}
    placed = [target for target in targets if target in asked]
    told, hosts = len(placed), Counter(map(urls.host, placed))
    found = {}
    for target in targets:
        if target in asked:
            continue
        host = urls.host(target)
        if told >= most:
            found[target] = f"no more than {most:,} of a post's links are told"
        elif hosts[host] >= most_a_host:
            found[target] = f"no more than {most_a_host:,} of a post's links to {host} are told"
        else:
            told, hosts[host] = told + 1, hosts[host] + 1
    return found


def changes(
    source: str,
    known: Iterable[Delivery],
    targets: Iterable[str],
    updates: Collection[str],
    *,
    gone: bool = False,
    untold: Mapping[str, str] = {},
) -> list[Delivery]:
    """The deliveries of a post that are to be recorded anew: owed, or withdrawn; one that is new has no id.

    `known` are those recorded for it, `targets` the links it has now (none where it is `gone`), `updates` the names of
    the protocols by which a target may be told again, `untold` those links that are `too_many`.
    """
    before = {delivery.target: delivery for delivery in known}
    wanted = dict.fromkeys(() if gone else targets)
    linked = {target: before.get(target) or Delivery(source=source, target=target) for target in wanted}
    changed = [
        _withheld(old, untold[target]) if target in untold else _linked(old, updates) for target, old in linked.items()
    ]
    lost = Cause.DELETED if gone else Cause.REMOVED
    changed += [_unlinked(old, lost, updates) for target, old in before.items() if target not in wanted]
    return [delivery for delivery in changed if delivery is not None]


def _withheld(old: Delivery, why: str) -> Delivery | None:
    """What a link that is not told of is recorded as."""
    left = replace(old, outcome=Outcome.WITHDRAWN, detail=why, again=0)
    return None if left == old else left


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
