"""Is a blog ready to receive? Its database, its pages and endpoints, its clock, its worker, step by step.

Rule 1: nothing is changed and nothing is sent: pages and endpoints are read, and the one write to the database meets
        no row.
Rule 2: the blog is looked at as a stranger sees it, by the sender's own discovery.
Rule 3: what went wrong is a step that says what to do, never an exception.
"""

from __future__ import annotations

import enum
import errno
import itertools
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from linkback import sender, urls
from linkback.errors import BadStatus, Blocked, FetchError, Refused, StoreError, TimedOut
from linkback.explain import Fact, Step, Verdict
from linkback.model import Endpoints, Job, JobKind
from linkback.ownpages import OwnPages
from linkback.page import Page
from linkback.protocols import BUILTIN
from linkback.site import utcnow
from linkback.store import Backlog, Storage, open_store
from linkback.wire import Fetch, Response

#: how far two clocks may be apart
_CLOCKS_APART = timedelta(seconds=60)
#: how long a due job may lie before it is odd, and before it is wrong
_LATE, _TOO_LATE = timedelta(seconds=60), timedelta(minutes=5)
#: how many posts are looked at where the blog's own address advertises nothing
_MOST_POSTS = 3
_GONE = frozenset({404, 410})
_TURNED_AWAY = frozenset({401, 403, 407, 451})
_NETWORK_TROUBLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
#: the worst first
_GRAVITY = (Verdict.NO, Verdict.LATER, Verdict.WARN, Verdict.YES)


class Conclusion(enum.Enum):
    """What all steps together say; warnings are no matter here."""

    WELL = "all well"
    WRONG = "something is wrong"
    NO_DATABASE = "the database cannot be used"
    TEMPORARY = "temporary trouble"


@dataclass(frozen=True, slots=True)
class _Visit:
    """A page as it was read, between two looks at our clock."""

    page: Page
    endpoints: Endpoints
    asked: datetime
    answered: datetime


def steps(
    fetch: Fetch, blogs: Sequence[OwnPages], store: Storage | str, *, clock: Callable[[], datetime] = utcnow
) -> list[Step]:
    """What there is to say of some blogs and the store they share: a `Step` for each thing that was looked at.

    The first is `database`, then `page`, `endpoints` and `reachable` for each blog (once, skipped, where there is
    none), then `clock`, `worker` and `parked`. `store` is an open one, or the URL of a database, which is opened only
    where that changes nothing.
    """
    database, opened = _database(store)
    try:
        looks = [_blog(fetch, blog, clock) for blog in blogs]
        found = [step for blog_steps, _ in looks for step in blog_steps] or _skipped_blog("no blog was named")
        visits = [visit for _, visit in looks if visit is not None]
        return [database, *found, _clocks(visits, opened, clock), *_work(opened, blogs, clock())]
    finally:
        if opened is not None and opened is not store:
            opened.close()


def conclude(steps: Sequence[Step]) -> Conclusion:
    """The sum of all steps: what is wrong weighs more than trouble that may pass."""
    if any(step.name == "database" and step.verdict is Verdict.NO for step in steps):
        return Conclusion.NO_DATABASE
    verdicts = {step.verdict for step in steps}
    if Verdict.NO in verdicts:
        return Conclusion.WRONG
    return Conclusion.TEMPORARY if Verdict.LATER in verdicts else Conclusion.WELL


def describe_schema(revision: str) -> str:
    """How the schema of a database stands to ours, and what to do about it."""
    from linkback.store.schema import SCHEMA_REVISION

    if revision == SCHEMA_REVISION:
        return f"its schema is {revision}, the newest"
    from linkback.store.migrations import knows  # slow to import, and seldom needed

    if knows(revision):
        return f"its schema {revision} is older than {SCHEMA_REVISION}: run linkback db upgrade"
    return f"its schema {revision} is newer than {SCHEMA_REVISION}: update linkback"


def _database(store: Storage | str) -> tuple[Step, Storage | None]:
    """Whether the records can be read and written, and the store where they can be read."""
    if not isinstance(store, str):
        return _writable(store, "it is open", {}), store
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
    return _writable(opened, describe_schema(revision), facts), opened


def _writable(store: Storage, summary: str, facts: dict[str, Fact]) -> Step:
    # no job has that number, so this is a whole writing transaction that meets no row
    nobody = Job(0, JobKind.CHECK, "", 0)
    try:
        store.release(nobody, due=None)
    except StoreError as error:
        return Step("database", Verdict.NO, f"it cannot be written to: {error}", facts)
    return Step("database", Verdict.YES, f"{summary}, and it can be written to", facts)


def _blog(fetch: Fetch, blog: OwnPages, clock: Callable[[], datetime]) -> tuple[list[Step], _Visit | None]:
    try:
        visit = _visit(fetch, blog.url, clock)
    except FetchError as error:
        page = Step("page", _verdict(error), f"{blog.url}: {_words(error)}", {"site": blog.url})
        return [page, *_skipped_blog("the page could not be read")[1:]], None
    response = visit.page.response
    facts: dict[str, Fact] = {"site": blog.url, "status": response.status, "redirects": response.redirects}
    page = Step("page", Verdict.YES, f"{blog.url} answers", facts)
    if not blog.owns(response.url):
        why = f"{blog.url} leads to {response.url}, which is no page of this blog: is its address right?"
        page = Step("page", Verdict.WARN, why, facts)
    advertising = _advertising(fetch, blog, visit, clock)
    return [page, _advertised(blog, advertising), _reachable(fetch, advertising.endpoints)], visit


def _skipped_blog(why: str) -> list[Step]:
    return [Step(name, Verdict.SKIPPED, why) for name in ("page", "endpoints", "reachable")]


def _visit(fetch: Fetch, url: str, clock: Callable[[], datetime]) -> _Visit:
    asked = clock()
    endpoints, response = sender.look(fetch, url, BUILTIN)
    return _Visit(Page(response), endpoints, asked, clock())


def _advertising(fetch: Fetch, blog: OwnPages, home: _Visit, clock: Callable[[], datetime]) -> _Visit:
    """A page that advertises endpoints: the blog's own address, or one of the first posts it links to."""
    if home.endpoints:
        return home
    for url in itertools.islice(_posts(blog, home.page), _MOST_POSTS):
        try:
            visit = _visit(fetch, url, clock)
        except FetchError:
            continue
        if visit.endpoints:
            return visit
    return home


def _posts(blog: OwnPages, home: Page) -> Iterator[str]:
    seen = {blog.url, urls.without_fragment(home.url)}
    for link in home.links():
        url = urls.without_fragment(link.url)
        if url not in seen and _is_post(blog, url):
            yield url
        seen.add(url)


def _is_post(blog: OwnPages, url: str) -> bool:
    try:
        blog.find(url)
    except Refused:
        return False
    return True


def _advertised(blog: OwnPages, visit: _Visit) -> Step:
    endpoints = visit.endpoints
    facts: dict[str, Fact] = {
        "page": endpoints.url,
        "found": tuple(f"{name} {each.url} ({each.via.value})" for name, each in endpoints.found.items()),
        "rejected": tuple(f"{no.protocol} {no.url} ({no.via.value}): {no.why}" for no in endpoints.rejected),
    }
    if not endpoints:
        why = f"{endpoints.url} advertises no endpoint, so nobody knows where to send"
        return Step("endpoints", Verdict.NO, why, facts)
    strangers = [each.url for each in endpoints.found.values() if not _is_ours(blog, each.url)]
    if strangers:
        why = f"not on the blog's own host: {', '.join(strangers)}; what is sent there may not come here"
        return Step("endpoints", Verdict.WARN, why, facts)
    return Step("endpoints", Verdict.YES, f"{endpoints.url} advertises {', '.join(endpoints.found)}", facts)


def _is_ours(blog: OwnPages, url: str) -> bool:
    return urls.host(url).removeprefix("www.") in blog.hosts


def _reachable(fetch: Fetch, endpoints: Endpoints) -> Step:
    """Whether each endpoint answers; to a GET an endpoint may say what it likes, but not that it is not there."""
    if not endpoints:
        return Step("reachable", Verdict.SKIPPED, "there is no endpoint to reach")
    tried = {name: _try(fetch, each.url) for name, each in endpoints.found.items()}
    worst = min((verdict for verdict, _ in tried.values()), key=_GRAVITY.index)
    facts: dict[str, Fact] = {
        "answers": tuple(f"{name} {endpoints.found[name].url}: {words}" for name, (_, words) in tried.items())
    }
    if worst is Verdict.YES:
        return Step("reachable", worst, "every endpoint answers", facts)
    trouble = [f"{name}: {words}" for name, (verdict, words) in tried.items() if verdict is not Verdict.YES]
    return Step("reachable", worst, "; ".join(trouble), facts)


def _try(fetch: Fetch, url: str) -> tuple[Verdict, str]:
    try:
        status = fetch.get(url, purpose="checking the endpoint").status
    except FetchError as error:
        return _verdict(error), _words(error)
    if status in _GONE:
        return Verdict.NO, f"it answered {status}: nothing listens there"
    if status >= 500:
        return Verdict.NO, f"it answered {status}: what listens there is broken, or the proxy before it finds nobody"
    if status in BadStatus.TEMPORARY:
        return Verdict.LATER, f"it answered {status}"
    if status in _TURNED_AWAY:
        return Verdict.WARN, f"it answered {status}: are strangers turned away?"
    return Verdict.YES, f"it answered {status}"


def _verdict(error: FetchError) -> Verdict:
    """Trouble on the way may pass; a server that refuses or fails is what we were asked to find."""
    cause = error.__cause__
    on_the_way = (
        isinstance(error, TimedOut)
        or (isinstance(error, BadStatus) and error.status in BadStatus.TEMPORARY)
        or (isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_AGAIN)
        or (isinstance(cause, OSError) and cause.errno in _NETWORK_TROUBLE)
    )
    return Verdict.LATER if on_the_way else Verdict.NO


def _words(error: FetchError) -> str:
    private = "; where that is meant, --allow-network or --allow-port opens it"
    return f"{error.message}{private if isinstance(error, Blocked) else ''}"


def _clocks(visits: Sequence[_Visit], store: Storage | None, clock: Callable[[], datetime]) -> Step:
    """Our clock beside those of the blogs' servers and of the database's: leases and retries go by it."""
    apart: dict[str, timedelta] = {}
    for visit in visits:
        if (theirs := _time_of(visit.page.response)) is not None:
            apart[visit.endpoints.url] = _distance(theirs, visit.asked, visit.answered)
    if store is not None:
        try:
            asked, theirs = clock(), store.server_time()
        except StoreError as error:
            return Step("clock", Verdict.SKIPPED, str(error))
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


def _work(store: Storage | None, blogs: Sequence[OwnPages], now: datetime) -> tuple[Step, Step]:
    """Whether somebody does what is due, and what waits for a person."""
    if store is None:
        why = "the database cannot be used"
        return Step("worker", Verdict.SKIPPED, why), Step("parked", Verdict.SKIPPED, why)
    try:
        backlogs = [store.backlog(now, site=site) for site in (dict.fromkeys(blog.url for blog in blogs) or (None,))]
    except StoreError as error:
        return Step("worker", Verdict.NO, str(error)), Step("parked", Verdict.SKIPPED, "the backlog could not be read")
    return _worker(backlogs, now), _parked(sum(backlog.parked for backlog in backlogs))


def _worker(backlogs: Sequence[Backlog], now: datetime) -> Step:
    due = sum(backlog.due for backlog in backlogs)
    oldest = min((backlog.oldest for backlog in backlogs if backlog.oldest is not None), default=None)
    if oldest is None:
        return Step("worker", Verdict.YES, "no job is due", {"due": 0})
    age = now - oldest
    facts: dict[str, Fact] = {"due": due, "oldest_seconds": round(age.total_seconds())}
    waits = f"{_jobs(due)} due, the oldest for {_lasting(age)}"
    if age > _TOO_LATE:
        why = f"{waits}: no worker seems to be running (serve, worker, or drain from cron)"
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


def _parked(number: int) -> Step:
    if not number:
        return Step("parked", Verdict.YES, "no job waits for a person", {"parked": 0})
    why = f"{number} waiting for a person: linkback jobs lists them, linkback revive has them tried again"
    return Step("parked", Verdict.WARN, why, {"parked": number})
