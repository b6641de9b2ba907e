"""What deliveries came to, as an exit code."""

from __future__ import annotations

from collections.abc import Sequence

from linkback.cli.codes import NO, NO_ENDPOINT, OK, TEMPORARY
from linkback.model import ARRIVED, Delivery, Outcome

#: outcomes after which there is nothing left to do
DONE = ARRIVED | {Outcome.NO_ENDPOINT, Outcome.WITHDRAWN}


def delivered(deliveries: Sequence[Delivery]) -> int:
    """The exit code that sums up deliveries: temporary trouble only where nothing else can be said."""
    arrived = any(delivery.outcome in ARRIVED for delivery in deliveries)
    if undone := [delivery for delivery in deliveries if delivery.outcome not in DONE]:
        return TEMPORARY if not arrived and all(map(_may_yet_arrive, undone)) else NO
    return OK if arrived or not deliveries else NO_ENDPOINT


def _may_yet_arrive(delivery: Delivery) -> bool:
    """Whether another try is worth making, and is not one that `publish` gave up."""
    from linkback.policy import Retry

    tries_left = {
        Outcome.QUEUED: 1,
        Outcome.FAILED: len(Retry().delays) + 1 - delivery.attempts,
        Outcome.UNKNOWN: delivery.again + 1 - delivery.attempts,
    }
    return tries_left.get(delivery.outcome, 0) > 0
