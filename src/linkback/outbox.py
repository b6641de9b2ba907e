"""From a post to its deliveries.

Rule: what is owed is recorded before anything is sent, and a failure is a row that says why, never an exception on
the publish path.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, partial

from linkback import content, owing, sender, urls
from linkback.discoveries import Discoveries
from linkback.errors import FetchError, LinkbackError, Reason, Refused, SourceGone
from linkback.model import ARRIVED, Cause, Claim, Delivery, Endpoints, Job, Outcome
from linkback.ownpages import OwnPages
from linkback.page import Page
from linkback.policy import Outgoing, Retry
from linkback.protocols import Protocol
from linkback.receiver import read_source
from linkback.store import Edit, Storage
from linkback.wire import Fetch, Response

log = logging.getLogger(__name__)

#: an answer like "no link there" may come from a cache or a race; asking sooner would meet the same (B-39)
_SECOND_ASK_SECONDS = 60.0
#: an answer that an endpoint is none; from memory, it may have moved since (B-38, B-53)
_STALE = frozenset({404, 405, 410, 501, -32601})
#: a host that asks for more has its next turn then all the same
_MOST_REST = 48 * 3600


class _Overtaken(Exception):
    """Another worker has the job by now; what it sends must not be sent twice."""


class _Later(Exception):
    """The POST may not leave yet; the job is due again at a time."""

    def __init__(self, due: datetime) -> None:
        super().__init__(due)
        self.due = due


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """Owes deliveries for the posts of one site, and makes them.

    `lease` is how long a job is held from each of its POSTs on; `pause` lets this thread wait some seconds.
    """

    pages: OwnPages
    name: str
    store: Storage
    fetch: Fetch
    outgoing: Outgoing
    retry: Retry
    protocols: Sequence[Protocol]
    now: Callable[[], datetime]
    pause: Callable[[float], None]
    lease: timedelta

    @cached_property
    def _discoveries(self) -> Discoveries:
        return Discoveries(self.fetch, self.protocols, self.now)

    @cached_property
    def _updates(self) -> frozenset[str]:
        return frozenset(protocol.name for protocol in self.protocols if protocol.updates)

    @property
    def _gap(self) -> timedelta:
        return timedelta(seconds=self.outgoing.host_seconds)

    def publish(
        self,
        url: str,
        html: str | bytes | None = None,
        *,
        at: datetime | None = None,
        force: bool = False,
        dry_run: bool = False,
        connection: object = None,
    ) -> list[Delivery]:
        """Record a post as it is now, and give the deliveries that this owes (protocols.md B-60, B-61, B-63)."""
        source = self._own(url)
        if html is None and at is not None:
            raise Refused(Reason.BAD_ARGUMENTS, "a post that is to come out later cannot be fetched: give its html")
        page = read_source(self.fetch, source) if html is None else self._given(source, html)
        targets = sender.targets(page, source, self.outgoing)
        if len(targets) > self.outgoing.most_links:
            detail = f"the post links to {len(targets):,} pages; {self.outgoing.most_links:,} are told at most"
            raise Refused(Reason.TOO_LARGE, detail)
        edit = self._edit(source, targets=targets, content=content.digest(page, targets))
        later = at if at is not None and at > edit.now else None
        return self.store.record_edit(replace(edit, at=later, force=force, dry=dry_run), connection=connection)

    def unpublish(
        self, url: str, *, check: bool = False, dry_run: bool = False, connection: object = None
    ) -> list[Delivery]:
        """Record that a post is deleted, and give the deliveries that this owes (protocols.md B-62)."""
        source = self._own(url)
        if check and (still := self._still_there(source)):
            raise Refused(Reason.BAD_ARGUMENTS, f"{still}: it must answer 410 Gone first")
        edit = self._edit(source, gone=True)
        return self.store.record_edit(replace(edit, dry=dry_run), connection=connection)

    def _own(self, url: str) -> str:
        source = urls.check_argument(url, Reason.SOURCE_INVALID)
        if not self.pages.owns(source):
            raise Refused(Reason.SOURCE_INVALID, f"{source} is no page of {self.pages.url}")
        return source

    def _given(self, url: str, html: str | bytes) -> Page:
        if isinstance(html, str):
            headers, body = (("Content-Type", "text/html; charset=utf-8"),), html.encode("utf-8", "replace")
        else:
            # bytes say themselves what they are encoded in
            headers, body = (("Content-Type", "text/html"),), html
        if len(body) > self.outgoing.most_bytes:
            detail = f"the post has {len(body):,} bytes; {self.outgoing.most_bytes:,} are read at most"
            raise Refused(Reason.TOO_LARGE, detail)
        return Page(Response(200, headers, body, url))

    def _edit(self, source: str, *, targets: Sequence[str] = (), content: str = "", gone: bool = False) -> Edit:
        return Edit(
            site=self.pages.url,
            source=source,
            targets=targets,
            content=content,
            now=self.now(),
            gone=gone,
            updates=self._updates,
            gap=self._gap,
        )

    def deliver(self, job: Job) -> None:
        """Make one delivery and record how it ended."""
        owed = self._owed(job)
        if owed is None:
            return
        try:
            attempt = self._attempt(job, owed)
        except _Overtaken:
            log.warning("the delivery to %s took too long, and is another worker's now", owed.target)
            return
        except _Later as later:
            self.store.release(job, due=later.due, counted=False)
            return
        tried = replace(
            attempt, id=owed.id, cause=owed.cause, told=owed.told, revision=owed.revision, attempts=job.attempts
        )
        again = self._again(tried)
        done = _still_unknown(owed, tried, again=again is not None) if owed.outcome is Outcome.UNKNOWN else tried
        log.info("%s to %s: %s %s", done.protocol, done.target, done.outcome, done.detail)
        rest = self.now() + timedelta(seconds=min(tried.retry_after, _MOST_REST)) if tried.retry_after else None
        self.store.finish_delivery(job, done, again=again, rest=rest)

    def give_up(self, job: Job) -> None:
        """Lay aside a delivery that cannot be made, until a person has it tried again."""
        owed = self._owed(job)
        if owed is None:
            return
        outcome = Outcome.UNKNOWN if owed.outcome is Outcome.UNKNOWN else Outcome.FAILED
        ended = replace(owed, outcome=outcome, detail="an internal error, see the log", attempts=job.attempts, again=0)
        self.store.finish_delivery(job, ended, parked=True)

    def _owed(self, job: Job) -> Delivery | None:
        """The delivery to make; None, and the job has ended, where there is none, or it needs no making any more.

        A worker that was too slow to keep the job may have brought news that it arrived.
        """
        owed = self.store.delivery(job.subject)
        if owed is None:
            log.warning("job %d is for a delivery that no longer exists", job.id)
        if owed is None or owed.outcome in ARRIVED or owed.outcome is Outcome.WITHDRAWN:
            self.store.end(job)
            return None
        return owed

    def _attempt(self, job: Job, owed: Delivery) -> Delivery:
        """One try.

        Who was told before hears again in the same language only (B-64). So does, once, who may have been told, if that
        language takes a repeat; otherwise a receiver could list the source twice (protocols.md B-11).
        """
        protocols, told = self.protocols, owing.heard(owed)
        if told:
            protocols = [each for each in protocols if each.name == told and (each.updates or each.repeatable)]
            if not protocols:
                return replace(owed, detail="interrupted while it was sent", again=0)
        if owed.cause is Cause.DELETED and (still := self._still_there(owed.source)):
            return replace(owed, outcome=Outcome.FAILED, detail=f"{still}: it must answer 410 Gone first")
        claim = Claim("", owed.source, owed.target, blog_name=self.name)
        recalled = self._discoveries.recall(owed.target) if owed.cause is Cause.NEW else None
        find = self._discoveries.look if recalled is None else self._discoveries.find
        begin = partial(self._begin_post, job, owed)
        done = sender.deliver(self.fetch, claim, protocols, before_post=begin, find=find)
        if recalled is None or done.code not in _STALE or not self._moved(owed.target, recalled):
            return done
        return sender.deliver(self.fetch, claim, protocols, before_post=begin, find=self._discoveries.find)

    def _moved(self, target: str, before: Endpoints) -> bool:
        """Whether the endpoints of a page, looked up anew, are others than those remembered."""
        try:
            return self._discoveries.look(target).found != before.found
        except FetchError:
            return False

    def _still_there(self, source: str) -> str:
        """Why a post does not count as deleted; "" where it says that it is (protocols.md B-62, D-26)."""
        try:
            page = read_source(self.fetch, source)
        except SourceGone as gone:
            return "" if gone.reason is Reason.SOURCE_GONE else gone.detail
        except LinkbackError as error:
            return f"the post cannot be read ({error})"
        return "" if page.says_gone else f"the post answers {page.response.status}"

    def _begin_post(self, job: Job, owed: Delivery, protocol: str, endpoint: str) -> None:
        while True:
            now = self.now()
            turn = self.store.begin_post(job, owed, protocol, endpoint, now=now, until=now + self.lease, gap=self._gap)
            if turn.granted:
                return
            if turn.due is None:
                raise _Overtaken
            if not now < turn.due <= now + self._gap:
                raise _Later(turn.due)
            self.pause((turn.due - now).total_seconds())

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
    if tried.outcome in (*ARRIVED, Outcome.UNKNOWN) or refused:
        return tried
    more = tried.attempts if again else 0
    return replace(owed, detail=f"it may have arrived; then {tried.detail}", attempts=tried.attempts, again=more)
