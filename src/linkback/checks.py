"""What is looked at when a check is due, and what becomes of the claims and the mention that it is for.

Rule 1: a source is fetched once for all claims that wait for it, whichever pages of the site they name.
Rule 2: a mention is taken away only where no claim that announced it holds any more: who sends a claim is a stranger.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from linkback import desk, domains, logs, upkeep, urls
from linkback.errors import LinkbackError, Reason, StoreError
from linkback.glance import Glance
from linkback.hooks import Hooks, tell
from linkback.hops import Admission, asking
from linkback.looks import Look, is_news, not_deleted, state_of
from linkback.model import UNSEEN, Backlink, Claim, ClaimState, Job, Mention, Status, Turn
from linkback.ownpages import OwnPages
from linkback.page import Page
from linkback.policy import Policy, Retry
from linkback.protocols import Protocol
from linkback.receiver import Reading, Trail, hurry, purpose, read_source
from linkback.siblings import Patience, Siblings
from linkback.store import ClaimRecord, Gathering, Pace, Sibling, Storage, Verdict
from linkback.verdicts import Verdicts
from linkback.wire import Fetch
from linkback.work import LATE, put_off

log = logs.named(__name__)

#: where a look is late, and more than so many others are due, its page has so many seconds to come: all that are behind
#: it wait as long
_CROWD, _HURRIED_SECONDS = 20, 4.0
#: what lies between the next looks of siblings, so that they do not all come at once
_APART = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Checks:
    """Checks the claims for the pages of one site, and gives up those that cannot be checked.

    `inline` says that the sender waits for the check: what it finds is the last word. `lease` is how long a job is
    held.
    """

    pages: OwnPages
    store: Storage
    fetch: Fetch
    policy: Policy
    retry: Retry
    protocols: dict[str, Protocol]
    now: Callable[[], datetime]
    lease: timedelta
    hooks: Hooks = field(default_factory=Hooks)
    inline: bool = False

    @cached_property
    def _verdicts(self) -> Verdicts:
        return Verdicts(policy=self.policy, retry=self.retry, protocols=self.protocols, inline=self.inline)

    @cached_property
    def admission(self) -> Admission:
        """Which URLs are read for a claim: the one that it names, and those that redirects lead to."""
        return Admission(pages=self.pages, policy=self.policy, inline=self.inline)

    @cached_property
    def _crowded(self) -> Glance[bool]:
        return Glance(False, clock=lambda: self.now().timestamp())

    def check(self, job: Job) -> None:
        """Fetch the source of a pair's claims once, look for each backlink, record what was found.

        So it is done for other pairs of the site, too, whose claims wait for the same source (`siblings`).

        Raises `StoreError`, with nothing recorded, and an exception where the host's `resolve` failed.
        """
        # at the desk nobody waits for a database server
        with desk.seat() if getattr(self.store, "in_process", False) else contextlib.nullcontext():
            self._check(job)

    def _check(self, job: Job) -> None:
        began = self.now()
        waiting, turn = self.store.begin_check(job, now=began, until=began + self.lease, pace=self._pace)
        if not waiting:
            self._look_again(job)
            return
        if not self._granted(job, turn):
            return
        # a source has many spellings, and a stranger may have chosen one that its server does not know
        first = next((each for each in waiting if _is_usual(each.claim.source)), waiting[0])
        reading, looked = self._read(first, hurried=self._must_hurry(job, began)), self.now()
        # those that came while it was fetched are answered by the same page
        joined, before = self.store.pair(job.subject)
        known = {record.id for record in waiting}
        records = [each for each in joined if each.id in known or reading.is_of(each.claim.source)] or waiting
        anew = bool({record.id for record in records} - known)
        # before the end of the job, which holds the host: one of them that is begun elsewhere would read the page too
        if self._take_along(job, first, reading, began, looked):
            # a moderator may have spoken meanwhile
            before = self.store.mention_for(job.subject)
        self._conclude(job, reading, records, before, looked, anew=anew)

    def _take_along(self, job: Job, record: ClaimRecord, reading: Reading, began: datetime, looked: datetime) -> int:
        """Answer what else waits for a source that was read; how many checks. Who waits inline waits for his own.

        A page that was given less than its time, and did not come, is nobody's last look.
        """
        if self.inline or not isinstance(self.store, Gathering):
            return 0

        def answer(sibling: Sibling, number: int) -> None:
            before = self.store.mention_for(sibling.job.subject)
            try:
                self._conclude(sibling.job, reading.anew(), sibling.claims, before, looked, place=number)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 -- it is logged, and no fault of the others
                due = self.retry.due(sibling.job.attempts, self.now())
                put_off(self.store, sibling.job, error, due=due, give_up=self.give_up)

        gathering = self.store
        taken = Siblings(
            store=self.store,
            gathering=gathering,
            job=job,
            record=record,
            began=began,
            lease=self.lease,
            now=self.now,
            patience=Patience(policy=self.policy, retry=self.retry, last=not (reading.hurried and reading.failed)),
            answer=answer,
        ).take_along()
        if taken:
            source = record.claim.source
            gathering.spare_reads(source, taken, now=self.now(), pace=self._pace(source))
        return taken

    def _conclude(
        self,
        job: Job,
        reading: Reading,
        records: Sequence[ClaimRecord],
        before: Mention | None,
        now: datetime,
        *,
        anew: bool = False,
        place: int = 0,
    ) -> None:
        """Record what a page that was read now says of the claims of a pair, which has a place among its siblings.

        One that a limit of our own kept us from says nothing: they are put off, and no attempt was made.
        """
        if (later := self._verdicts.later(reading, records, now)) is not None:
            self._put_off(job, reading, records[0].claim, later + place * _APART)
            return
        looks = [Look(record, reading.find(record.claim)) for record in records]
        verdict = self._verdicts.of(job, reading, looks, before, now)
        if verdict.removed and before is not None and self._may_still_link(reading, records, before):
            verdict = replace(verdict, removed=False, claims=[not_deleted(record) for record in verdict.claims])
        again, recheck = verdict.again, self._recheck(verdict, before, now)
        # one that looks again does it for all who wait by then; who looks again in a month does it alone
        again = None if again is None else again + place * _APART
        recheck = None if recheck is None else recheck + place * timedelta(seconds=self.policy.host_seconds)
        self.store.finish_check(job, replace(verdict, again=again, recheck=recheck, anew=anew))
        if verdict.mention is not None:
            self._tell(job.subject, verdict.mention, before)
        if verdict.removed:
            self._tell_removed(job.subject, before)

    def _put_off(self, job: Job, reading: Reading, claim: Claim, due: datetime) -> None:
        """Give a job back whose source was not read, by a limit of our own, uncounted."""
        log.info("no look at %s for %s before %s: %s", claim.source, claim.target, due, reading.find(claim))
        self.store.release(job, due=due, counted=False)

    def _recheck(self, verdict: Verdict, before: Mention | None, now: datetime) -> datetime | None:
        """When to look again at the mention that a check leaves; soon where it did not see the link."""
        if verdict.removed:
            return None
        due = upkeep.due(self.policy, verdict.mention or before, now)
        return due if due is None or verdict.mention is not None else now + upkeep.GRACE

    def _pace(self, source: str) -> Pace:
        """How fast the host of a source is read."""
        return Pace(self.policy.host_gap(source), self.policy.host_burst, self.policy.host_queue())

    def _granted(self, job: Job, turn: Turn) -> bool:
        """Whether it is the turn of a source's host, so that one slow host holds one worker; put off where not."""
        if not turn.granted and turn.due is not None:
            self.store.release(job, due=turn.due, counted=False)
        return turn.granted

    def _look_again(self, job: Job) -> None:
        """See whether a mention that nobody announced anew still holds (protocols.md D-41 to D-43, D-46)."""
        before, now = self.store.mention_for(job.subject), self.now()
        last = [] if before is None else [self.store.last_claim(job.subject, name) for name in before.protocols]
        if before is None or not (records := [record for each in last for record in _as_ever(each, before)]):
            self.store.end(job)
            return
        if before.status in UNSEEN:
            due = upkeep.due(self.policy, before, now)
            self.store.finish_check(job, Verdict(key=job.subject, page=records[0].page, claims=(), recheck=due))
            return
        source = records[0].claim.source
        until, pace = now + self.lease, self._pace(source)
        turn = self.store.begin_read(job, source, now=now, until=until, pace=pace, queues=False)
        if not self._granted(job, upkeep.no_hurry(turn, now)):
            return
        reading = self._read(records[0])
        if reading.retry_after is not None:
            self._put_off(job, reading, records[0].claim, upkeep.later(reading.retry_after, now))
            return
        looks = [Look(record, reading.find(record.claim)) for record in records]
        found = mention = self._verdicts.mention(reading, looks, before, now)
        removed = False
        if mention is None:
            mention, removed = upkeep.fails(before, [look.found for look in looks], now)
            log.info("no link to %s in %s any more: %s", before.target, before.source, looks[0].found)
        again = None if removed else upkeep.due(self.policy, mention, now)
        verdict = Verdict(key=job.subject, page=records[0].page, claims=(), mention=mention, removed=removed)
        holds_edits = self.policy.moderate_edits
        self.store.finish_check(job, replace(verdict, recheck=again, holds_edits=holds_edits))
        if found is not None and state_of(before, found) in (ClaimState.UPDATED, ClaimState.SUCCESS):
            self._tell(job.subject, found, before)
        if removed:
            self._tell_removed(job.subject, before)

    def give_up(self, job: Job) -> None:
        """Lay aside a job that cannot be done; its claims have failed until a person has it tried again."""
        now = self.now()
        records = [
            replace(record, state=ClaimState.FAILED, reason=Reason.INTERNAL, checked=now)
            for record in self.store.open_claims(job.subject)
        ]
        page = records[0].page if records else ""
        self.store.finish_check(job, Verdict(key=job.subject, page=page, claims=records, parked=True))

    def _must_hurry(self, job: Job, now: datetime) -> bool:
        """Whether many wait behind a look that is not the last: what is slow gets its whole time in a later one.

        Whose they are does not matter: one worker may do the work of many sites. Who comes once an hour finds each look
        late, and few of them.
        """
        late = job.due is not None and now - job.due > LATE
        if not late or self.inline or job.attempts > len(self.retry.delays):
            return False
        return self._crowded.of(lambda: len(self.store.due(now, limit=_CROWD + 1)) > _CROWD)

    def _read(self, record: ClaimRecord, *, hurried: bool = False) -> Reading:
        page: Page | LinkbackError
        claim, fetch = record.claim, hurry(self.fetch, _HURRIED_SECONDS) if hurried else self.fetch
        objection = self.admission.objection(claim, mentioned=lambda: self.store.mention_for(record.key) is not None)
        trail = Trail(asking(fetch, objection))
        try:
            page = read_source(trail, claim.source, purpose=purpose(claim.protocol, claim.target))
        except LinkbackError as error:
            page = error
        for url in trail.onward:
            # where others lead is bounded by the `Fetch`; here it would leave nothing to those who name a host
            if domains.registrable(url) == domains.registrable(claim.source):
                self.store.count_read(url, now=self.now(), pace=self._pace(url))
        asked, style = urls.asked_for(claim.source), self.policy.excerpt_style
        return Reading(page, self.pages, self.protocols, style, asked_for=asked, hurried=hurried)

    def _may_still_link(self, reading: Reading, records: Sequence[ClaimRecord], before: Mention) -> bool:
        """Whether the source links to the page in any way that was ever announced, or may, as another URL was read.

        A webmention that names a fragment nobody links to says nothing of the page; and what a trackback proved by a
        link to its ping URL no other protocol can see.
        """
        if not reading.is_of(before.source):
            return True
        last = [self.store.last_claim(records[0].key, protocol) for protocol in before.protocols]
        ever = (record for each in (*records, *last) for record in _as_ever(each, before))
        return any(isinstance(reading.find(record.claim), Backlink) for record in ever)

    def _tell(self, key: str, found: Mention, before: Mention | None) -> None:
        """Tell of a mention that is new or changed: a host that publishes what it shows would else go on for ever."""
        log.info("%s mentions %s", found.source, found.target)
        after = self.store.mention_for(key) if self.hooks.mention is not None else None
        if after is not None and is_news(before, after):
            tell(self.hooks.mention, after)

    def _tell_removed(self, key: str, before: Mention | None) -> None:
        """Tell of a mention that a check took away; one that a moderator had hidden is left as it is."""
        if self.hooks.removed is None or before is None or before.status is Status.REMOVED:
            return
        after = self.store.mention_for(key)
        if after is not None and after.status is Status.REMOVED:
            tell(self.hooks.removed, after)


def _is_usual(source: str) -> bool:
    """Whether a source is spelled as nearly everybody spells it."""
    return urls.asked_for(source) == urls.canonical(source)


def _as_ever(record: ClaimRecord | None, before: Mention) -> list[ClaimRecord]:
    """A claim as questions about the mention that it announced, whose source and page have other spellings too.

    Any link to the page will do: a claim for a fragment says nothing of the others.
    """
    if record is None:
        return []
    targets = dict.fromkeys(urls.without_fragment(target) for target in (record.claim.target, before.target))
    return [replace(record, claim=replace(record.claim, source=before.source, target=target)) for target in targets]
