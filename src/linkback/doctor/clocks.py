"""Our clock beside those of others: leases and retries go by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from linkback.doctor.visits import Visit
from linkback.errors import StoreError
from linkback.explain import Fact, Step, Verdict
from linkback.store import Storage
from linkback.wire import Response

#: how far two clocks may be apart
_CLOCKS_APART = timedelta(seconds=60)


def compare(visits: Sequence[Visit], store: Storage | None, clock: Callable[[], datetime]) -> Step:
    """The step `clock`: ours beside those of the blogs' servers and of the database's."""
    apart: dict[str, timedelta] = {}
    for visit in visits:
        if (theirs := _time_of(visit.page.response)) is not None:
            apart[visit.endpoints.url] = _distance(theirs, visit.asked, visit.answered)
    if store is not None:
        try:
            asked, theirs = clock(), store.server_time()
        except StoreError:
            return Step("clock", Verdict.SKIPPED, "the clock of the database could not be read")
        if theirs is not None:
            apart["the database"] = _distance(theirs, asked, clock())
    if not apart:
        return Step("clock", Verdict.SKIPPED, "there is no other clock to compare ours with")
    facts: dict[str, Fact] = {
        "apart": tuple(f"{whose}: {distance.total_seconds():.0f} s" for whose, distance in apart.items())
    }
    whose, most = max(apart.items(), key=lambda item: item[1])
    if most > _CLOCKS_APART:
        why = f"our clock and that of {whose} are {most.total_seconds():.0f} s apart: which of the two is wrong?"
        return Step("clock", Verdict.WARN, why, facts)
    return Step("clock", Verdict.YES, "it agrees with the others", facts)


def _distance(theirs: datetime, asked: datetime, answered: datetime) -> timedelta:
    """How far their time lies outside of the moment in which they told it."""
    return max(asked - theirs, theirs - answered, timedelta(0))


def _time_of(response: Response) -> datetime | None:
    """The present by the server that answered; an answer from a cache is older by its `Age`."""
    try:
        date = parsedate_to_datetime(response.header("Date"))
        age = timedelta(seconds=int(response.header("Age", "0")))
    except (ValueError, OverflowError):
        return None
    return date + age if date.tzinfo else None
