"""The records of a blog: whether they can be written, whether somebody does what is due, what waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from linkback.errors import StoreError
from linkback.explain import Fact, Step, Verdict
from linkback.model import Job, JobKind
from linkback.ownpages import OwnPages
from linkback.store import Backlog, Storage, open_store

#: how long a due job may lie before it is odd, and before it is wrong
_LATE, _TOO_LATE = timedelta(seconds=60), timedelta(minutes=5)


def describe_schema(revision: str) -> str:
    """How the schema of a database stands to ours, and what to do about it."""
    from linkback.store.schema import SCHEMA_REVISION

    if revision == SCHEMA_REVISION:
        return f"its schema is {revision}, the newest"
    from linkback.store.migrations import knows  # slow to import, and seldom needed

    if knows(revision):
        return f"its schema {revision} is older than {SCHEMA_REVISION}: run linkback db upgrade"
    return f"its schema {revision} is newer than {SCHEMA_REVISION}: update linkback"


def look_at_database(store: Storage | str) -> tuple[Step, Storage | None]:
    """The step `database`, and the store where it can be read."""
    if not isinstance(store, str):
        # a store of the host's own may have no name
        return _writable(store, f"{getattr(store, 'name', 'it')} is open", {}), store
    from linkback.store import engine
    from linkback.store.schema import SCHEMA_REVISION

    try:
        revision = engine.current(store)
        if revision is None:
            why = "it holds no tables of linkback: serve, worker and publish make them, or is it another database?"
            return Step("database", Verdict.NO, why), None
        facts: dict[str, Fact] = {"schema": revision, "newest": SCHEMA_REVISION}
        if revision != SCHEMA_REVISION:
            return Step("database", Verdict.NO, describe_schema(revision), facts), None
        opened = open_store(store, create=False)
    except StoreError as error:
        return Step("database", Verdict.NO, str(error)), None
    return _writable(opened, f"{engine.read_url(store).name}: {describe_schema(revision)}", facts), opened


def _writable(store: Storage, summary: str, facts: dict[str, Fact]) -> Step:
    # no job has that number, so this is a whole writing transaction that meets no row
    nobody = Job(0, JobKind.CHECK, "", 0)
    try:
        store.release(nobody, due=None)
    except StoreError as error:
        return Step("database", Verdict.NO, f"it cannot be written to: {error}", facts)
    return Step("database", Verdict.YES, f"{summary}, and it can be written to", facts)


def look_at_work(
    store: Storage | None, blogs: Sequence[OwnPages], now: datetime, command: str, *, usable: bool
) -> tuple[Step, Step]:
    """The steps `worker` and `parked`; `usable` is what was found of the store before, `command` is for the advice."""
    if store is None:
        why = "the database cannot be used"
        return Step("worker", Verdict.SKIPPED, why), Step("parked", Verdict.SKIPPED, why)
    try:
        backlogs = [store.backlog(now, site=site) for site in (dict.fromkeys(blog.url for blog in blogs) or (None,))]
    except StoreError as error:
        why = "the backlog could not be read"
        # what is wrong with a database is said once
        worker = Step("worker", Verdict.NO, str(error)) if usable else Step("worker", Verdict.SKIPPED, why)
        return worker, Step("parked", Verdict.SKIPPED, why)
    return _worker(backlogs, now, command), _parked(sum(backlog.parked for backlog in backlogs), command)


def _worker(backlogs: Sequence[Backlog], now: datetime, command: str) -> Step:
    due = sum(backlog.due for backlog in backlogs)
    oldest = min((backlog.oldest for backlog in backlogs if backlog.oldest is not None), default=None)
    if oldest is None:
        return Step("worker", Verdict.YES, "no job is due", {"due": 0})
    age = now - oldest
    facts: dict[str, Fact] = {"due": due, "oldest_seconds": round(age.total_seconds())}
    waits = f"{_jobs(due)} due, the oldest for {_lasting(age)}"
    if age > _TOO_LATE:
        why = f"{waits}: no worker seems to be running; keep {command} worker running, or have cron run {command} drain"
        return Step("worker", Verdict.NO, why, facts)
    if age > _LATE:
        return Step("worker", Verdict.WARN, f"{waits}: the worker is slow, or there is none", facts)
    return Step("worker", Verdict.YES, waits, facts)


def _jobs(number: int) -> str:
    return "1 job is" if number == 1 else f"{number} jobs are"


def _lasting(age: timedelta) -> str:
    minutes, seconds = divmod(round(age.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    named = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    first = next((place for place, (number, _) in enumerate(named) if number), len(named) - 1)
    return " ".join(f"{number} {unit}" for number, unit in named[first : first + 2] if number) or "0 s"


def _parked(number: int, command: str) -> Step:
    if not number:
        return Step("parked", Verdict.YES, "no job waits for a person", {"parked": 0})
    why = f"{number} waiting for a person: {command} jobs lists them, {command} revive has them tried again"
    return Step("parked", Verdict.WARN, why, {"parked": number})
