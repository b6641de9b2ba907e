"""From a post to its deliveries.

Rule: what is owed is recorded before anything is sent, and a failure is a row that says why, never an exception on
the publish path.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from linkback import sender, urls
from linkback.errors import Reason
from linkback.model import Claim, Delivery, Job, Outcome
from linkback.page import Page
from linkback.policy import Retry
from linkback.protocols import Protocol
from linkback.receiver import read_source
from linkback.store import Storage
from linkback.wire import Fetch, Response

log = logging.getLogger(__name__)

#: an answer like "no link there" may come from a cache or a race; asking sooner would meet the same (B-39)
_SECOND_ASK_SECONDS = 60.0
_ARRIVED = frozenset({Outcome.SENT, Outcome.ACCEPTED})


class _Overtaken(Exception):
    """Another worker has the job by now; what it sends must not be sent twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Owes deliveries for the posts of one site, and makes them.

    `lease` is how long a job is held from each of its POSTs on.
    """

    site: str
    name: str
    store: Storage
    fetch: Fetch
    retry: Retry
    protocols: Sequence[Protocol]
    now: Callable[[], datetime]
    lease: timedelta

    def publish(self, url: str, html: str | bytes | None = None, *, connection: object = None) -> list[Delivery]:
        """Owe a delivery to every page that a post links to and that was not told yet; give the new ones."""
        source = urls.check_argument(url, Reason.SOURCE_INVALID)
        page = read_source(self.fetch, source) if html is None else _given(source, html)
        owed = [Delivery(source=source, target=target) for target in sender.targets(page, source)]
        return self.store.add_deliveries(self.site, owed, due=self.now(), connection=connection)

    def deliver(self, job: Job) -> None:
        """Make one delivery and record how it ended."""
        owed = self._owed(job)
        if owed is None:
            return
        try:
            tried = replace(self._attempt(job, owed), id=owed.id, attempts=job.attempts)
        except _Overtaken:
            log.warning("the delivery to %s took too long, and is another worker's now", owed.target)
            return
        again = self._again(tried)
        done = _still_unknown(owed, tried, again=again is not None) if owed.outcome is Outcome.UNKNOWN else tried
        log.info("%s to %s: %s %s", done.protocol, done.target, done.outcome, done.detail)
        self.store.finish_delivery(job, done, again=again)

    def give_up(self, job: Job) -> None:
        """End a delivery that cannot be made."""
        owed = self._owed(job)
        if owed is None:
            return
        outcome = Outcome.UNKNOWN if owed.outcome is Outcome.UNKNOWN else Outcome.FAILED
        ended = replace(owed, outcome=outcome, detail="an internal error, see the log", attempts=job.attempts, again=0)
        self.store.finish_delivery(job, ended)

    def _owed(self, job: Job) -> Delivery | None:
        """The delivery to make; None, and the job has ended, where there is none or it arrived already.

        A worker that was too slow to keep the job may have brought that news.
        """
        owed = self.store.delivery(job.subject)
        if owed is None:
            log.warning("job %d is for a delivery that no longer exists", job.id)
        if owed is None or owed.outcome in _ARRIVED:
            self.store.end(job)
            return None
        return owed

    def _attempt(self, job: Job, owed: Delivery) -> Delivery:
        """One try. What may have arrived before is told again in the same language only, if that takes a repeat.

        Otherwise a receiver could list it twice (protocols.md B-11).
        """
        protocols = self.protocols
        if owed.outcome is Outcome.UNKNOWN:
            protocols = [protocol for protocol in protocols if protocol.name == owed.protocol and protocol.repeatable]
            if not protocols:
                return replace(owed, detail="interrupted while it was sent", again=0)
        return sender.deliver(
            self.fetch,
            Claim("", owed.source, owed.target, blog_name=self.name),
            protocols,
            before_post=partial(self._begin_post, job),
        )

    def _begin_post(self, job: Job, protocol: str, endpoint: str) -> None:
        if not self.store.begin_post(job, protocol, endpoint, until=self.now() + self.lease):
            raise _Overtaken

    def _again(self, done: Delivery) -> datetime | None:
        now = self.now()
        if done.outcome is Outcome.FAILED:
            return self.retry.due(done.attempts, now, at_least=float(done.retry_after or 0))
        if done.attempts <= done.again:
            return now + timedelta(seconds=max(_SECOND_ASK_SECONDS, float(done.retry_after or 0)))
        return None


def _still_unknown(owed: Delivery, tried: Delivery, *, again: bool) -> Delivery:
    """What is known of a delivery that may have arrived before: no more than that, until its receiver answers.

    As long as it is unknown, no other language is tried (protocols.md B-11).
    """
    refused = tried.outcome is Outcome.REFUSED and tried.protocol is not None and tried.code is not None
    if tried.outcome in (*_ARRIVED, Outcome.UNKNOWN) or refused:
        return tried
    more = tried.attempts if again else 0
    return replace(owed, detail=f"it may have arrived; then {tried.detail}", attempts=tried.attempts, again=more)


def _given(url: str, html: str | bytes) -> Page:
    if isinstance(html, str):
        headers, body = (("Content-Type", "text/html; charset=utf-8"),), html.encode("utf-8", "replace")
    else:
        # bytes say themselves what they are encoded in
        headers, body = (("Content-Type", "text/html"),), html
    return Page(Response(200, headers, body, url))
