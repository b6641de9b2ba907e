"""Is a blog ready to receive? Its database, its pages and endpoints, its clock, its worker, step by step.

Rule 1: nothing is changed and nothing is sent: pages and endpoints are read, and the one write to the database meets
        no row.
Rule 2: the blog is looked at as a stranger sees it, by the sender's own discovery.
Rule 3: what went wrong is a step that says what to do, never an exception: also where the host's own code raised it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from linkback.doctor.clocks import compare
from linkback.doctor.records import describe_schema, look_at_database, look_at_work
from linkback.doctor.visits import NO_BLOG, Visit, Visitor, skipped
from linkback.explain import Step, Verdict
from linkback.ownpages import OwnPages
from linkback.site import utcnow
from linkback.store import Storage
from linkback.wire import Fetch

__all__ = ["Conclusion", "conclude", "describe_schema", "steps"]


class Conclusion(enum.Enum):
    """What all steps together say; warnings are no matter here."""

    WELL = "all well"
    WRONG = "something is wrong"
    NO_DATABASE = "the database cannot be used"
    TEMPORARY = "temporary trouble"


def steps(
    fetch: Fetch,
    blogs: Sequence[OwnPages],
    store: Storage | str,
    *,
    clock: Callable[[], datetime] = utcnow,
    pages: Sequence[str] = (),
    command: str = "linkback",
) -> list[Step]:
    """What there is to say of some blogs and the store they share: a `Step` for each thing that was looked at.

    The first is `database`, then `page`, `endpoints` and `reachable` for each blog (once, skipped, where there is
    none), then `clock`, `worker` and `parked`. `store` is an open one, or the URL of a database, which is opened only
    where that changes nothing. `pages` are URLs of posts: a blog is looked at there, three steps for each, in place of
    its own address. `command` is what the advice begins a command with, such as "flask linkback".
    """
    database, opened = look_at_database(store)
    try:
        visitor = Visitor(fetch, clock, command)
        looks = list(_looks(visitor, blogs, pages))
        found = [step for of_one, _ in looks for step in of_one] or skipped(NO_BLOG)
        visits = [visit for _, visit in looks if visit is not None]
        work = look_at_work(opened, blogs, clock(), command, usable=database.verdict is Verdict.YES)
        return [database, *found, compare(visits, opened, clock), *work]
    finally:
        if opened is not None and opened is not store:
            opened.close()


def _looks(
    visitor: Visitor, blogs: Sequence[OwnPages], pages: Sequence[str]
) -> Iterator[tuple[list[Step], Visit | None]]:
    """The steps of each blog, of its own address or of those pages that are its own, and those of nobody's pages."""
    whose = {page: next((blog for blog in blogs if blog.owns(page)), None) for page in pages}
    for blog in blogs:
        wanted = [page for page, its in whose.items() if its is blog]
        yield from (visitor.post(blog, page) for page in wanted) if wanted else [visitor.blog(blog)]
    for page in (page for page, its in whose.items() if its is None):
        why = f"{page} is no page of {' or '.join(blog.url for blog in blogs)}" if blogs else NO_BLOG
        yield [Step("page", Verdict.NO, why, {"page": page}), *skipped("it is no page of the blog")[1:]], None


def conclude(steps: Sequence[Step]) -> Conclusion:
    """The sum of all steps: what is wrong weighs more than trouble that may pass."""
    if any(step.name == "database" and step.verdict is Verdict.NO for step in steps):
        return Conclusion.NO_DATABASE
    verdicts = {step.verdict for step in steps}
    if Verdict.NO in verdicts:
        return Conclusion.WRONG
    return Conclusion.TEMPORARY if Verdict.LATER in verdicts else Conclusion.WELL
