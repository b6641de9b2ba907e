"""What is looked at when a check is due, and what becomes of the claims and the mention that it is for.

Rule 1: a source is fetched once for all claims that wait for it, whichever pages of the site they name.
Rule 2: a mention is taken away only where no claim that announced it holds any more: who sends a claim is a stranger.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from linkback import desk, logs, upkeep, urls
from linkback.errors import LinkbackError, Reason, StoreError
from linkback.hooks import Hooks, Loudness, report, tell
from linkback.looks import Look, in_their_words, is_news, not_deleted, state_of
from linkback.model import Backlink, Claim, ClaimState, Job, Mention, Status, Turn
from linkback.ownpages import OwnPages
from linkback.page import Page
from linkback.policy import Policy, Retry, takes_away
from linkback.protocols import Protocol
from linkback.receiver import Reading, Trail, hurry, purpose, read_source
from linkback.siblings import SECOND_LOOK, Patience, Siblings
from linkback.store import ClaimRecord, Gathering, Pace, Sibling, Storage, Verdict
from linkback.wire import Fetch

log = logs.named(__name__)

#: a look that is late by so much is one of many, and its page has so many seconds to come: those behind it wait as long
_LATE, _HURRIED_SECONDS = timedelta(seconds=5), 4.0
#: what lies between the next looks of siblings, so that they do not all come at once
_APART = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
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
    loudness: Loudness = field(default_factory=Loudness)

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
        reading, looked = self._read(waiting[0].claim, hurried=self._must_hurry(job, began)), self.now()
        # those that came while it was fetched are answered by the same page
        joined, before = self.store.pair(job.subject)
        records = joined or waiting
        anew = bool({record.id for record in records} - {record.id for record in waiting})
        # before the end of the job, which holds the host: one of them that is begun elsewhere would read the page too
        if self._take_along(job, waiting[0], reading, began, looked):
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
                self._failed(sibling.job, error)

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

    def _failed(self, job: Job, error: Exception) -> None:
        report(log, f"{job.kind} {job.subject} failed", error)
        due = self.retry.due(job.attempts, self.now())
        self.give_up(job) if due is None else self.store.release(job, due=due)

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
        """Record what a page that was read now says of the claims of a pair, which has a place among its siblings."""
        looks = [Look(record, reading.find(record.claim)) for record in records]
        verdict = self._verdict(job, reading, looks, before, now)
        if verdict.removed and before is not None and self._still_linked(reading, records, before):
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
        # any link to the page will do: a claim for a fragment says nothing of the others
        records = [
            replace(record, claim=replace(record.claim, target=urls.without_fragment(record.claim.target)))
            for record in last
            if record is not None
        ]
        if before is None or not records:
            self.store.end(job)
            return
        if before.status in upkeep.UNSEEN:
            due = upkeep.due(self.policy, before, now)
            self.store.finish_check(job, Verdict(key=job.subject, page=records[0].page, claims=(), recheck=due))
            return
        source = records[0].claim.source
        until, pace = now + self.lease, self._pace(source)
        turn = self.store.begin_read(job, source, now=now, until=until, pace=pace, queues=False)
        if not self._granted(job, upkeep.no_hurry(turn, now)):
            return
        reading = self._read(records[0].claim)
        looks = [Look(record, reading.find(record.claim)) for record in records]
        found = mention = self._mention(reading, looks, before, now)
        removed = False
        if mention is None:
            mention, removed = upkeep.fails(before, [look.found for look in looks], now)
            log.info("no link to %s in %s any more: %s", before.target, before.source, looks[0].found)
        again = None if removed else upkeep.due(self.policy, mention, now)
        verdict = Verdict(key=job.subject, page=records[0].page, claims=(), mention=mention, removed=removed)
        self.store.finish_check(job, replace(verdict, recheck=again))
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
        """Whether others wait behind a look that is not the last: what is slow gets its whole time in a later one."""
        late = job.due is not None and now - job.due > _LATE
        return late and not self.inline and job.attempts <= len(self.retry.delays)

    def _read(self, claim: Claim, *, hurried: bool = False) -> Reading:
        page: Page | LinkbackError
        trail = Trail(hurry(self.fetch, _HURRIED_SECONDS) if hurried else self.fetch)
        try:
            page = read_source(trail, claim.source, purpose=purpose(claim.protocol, claim.target))
        except LinkbackError as error:
            page = error
        for url in trail.onward:
            self.store.count_read(url, now=self.now(), pace=self._pace(url))
        return Reading(page, self.pages, self.protocols, self.policy.excerpt_style, hurried=hurried)

    def _still_linked(self, reading: Reading, records: Sequence[ClaimRecord], before: Mention) -> bool:
        """Whether the source links to the page in any way that was ever announced.

        A webmention that names a fragment nobody links to says nothing of the page; and what a trackback proved by a
        link to its ping URL no other protocol can see.
        """
        last = (self.store.last_claim(records[0].key, protocol) for protocol in before.protocols)
        announced = [record.claim for record in (*records, *last) if record is not None]
        whole = (replace(claim, target=urls.without_fragment(claim.target)) for claim in announced)
        return any(isinstance(reading.find(claim), Backlink) for claim in whole)

    def _verdict(
        self, job: Job, reading: Reading, looks: Sequence[Look], before: Mention | None, now: datetime
    ) -> Verdict:
        mention = self._mention(reading, looks, before, now)
        nexts = [None if mention else self._next_look(look, job, now) for look in looks]
        ended = [
            self._end(look, before, mention, now) if again is None else self._wait(look, now)
            for look, again in zip(looks, nexts, strict=True)
        ]
        return Verdict(
            key=job.subject,
            page=looks[0].record.page,
            claims=ended,
            mention=mention,
            removed=any(record.state is ClaimState.DELETED for record in ended),
            again=min((again for again in nexts if again is not None), default=None),
        )

    def _next_look(self, look: Look, job: Job, now: datetime) -> datetime | None:
        """When to look again for what was not found; None where that was the last word (protocols.md D-25, D-27)."""
        reason, hope = look.failure
        if not hope or self.inline:
            return None
        if reason not in SECOND_LOOK:
            return self.retry.due(job.attempts, now)
        looked_twice = look.record.reason in SECOND_LOOK
        return None if looked_twice else now + timedelta(seconds=self.policy.second_look_seconds)

    def _end(self, look: Look, before: Mention | None, mention: Mention | None, now: datetime) -> ClaimRecord:
        reason, _ = look.failure
        done = replace(look.record, open=False, checked=now, reason=reason)
        if reason is None and mention is not None and self._turned_away(before, mention):
            return replace(done, state=ClaimState.FAILED, reason=Reason.BLOCKED)
        if reason is None and mention is not None:
            return replace(done, state=state_of(before, mention))
        claim = look.record.claim
        level = self.loudness.of(look.found, now)
        log.log(level, "no mention of %s by %s: %s", claim.target, claim.source, look.found)
        visible = mention is None and before is not None and before.status is not Status.REMOVED
        protocol = self.protocols.get(claim.protocol)
        asked = protocol is not None and protocol.updates
        taken = visible and asked and reason is not None and takes_away(reason, asked=asked)
        return replace(done, state=ClaimState.DELETED if taken else ClaimState.FAILED)

    def _wait(self, look: Look, now: datetime) -> ClaimRecord:
        """A claim that will be looked at again: not ended, whatever was found so far."""
        claim, (reason, _) = look.record.claim, look.failure
        level = self.loudness.of(look.found, now)
        log.log(level, "no mention of %s by %s yet: %s", claim.target, claim.source, look.found)
        return replace(look.record, state=ClaimState.QUEUED, reason=reason, checked=now, open=True)

    def _turned_away(self, before: Mention | None, mention: Mention) -> bool:
        """Whether a sender who waits is told that the policy takes this for spam (protocols.md C-43).

        The same again gets the same answer, whatever a moderator made of it, unless everybody may see it.
        """
        kept = before is not None and before.status in (Status.APPROVED, Status.PENDING)
        return self.inline and mention.status is Status.SPAM and not kept

    def _mention(
        self, reading: Reading, looks: Sequence[Look], before: Mention | None, now: datetime
    ) -> Mention | None:
        proven = [(look.record, look.found) for look in looks if isinstance(look.found, Backlink)]
        if not proven:
            return None
        record, found = proven[0]
        backlink = reading.describe(found)
        announced = tuple(dict.fromkeys(record.claim.protocol for record, _ in proven))
        known = before.protocols if before is not None else ()
        if all(self.protocols[name].describes_source for name in (*announced, *known) if name in self.protocols):
            backlink = in_their_words(record.claim, backlink)
        return Mention(
            id="",
            site=record.site,
            source=record.claim.source,
            target=record.claim.target,
            protocols=announced,
            status=self.policy.status(backlink),
            received=record.received,
            checked=now,
            title=backlink.title,
            author=backlink.author,
            excerpt=backlink.excerpt,
            published=backlink.published,
            kind=backlink.kind,
            final_url=backlink.final_url,
        )

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
