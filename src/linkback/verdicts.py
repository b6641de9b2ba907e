"""What the looks at a source mean: the mention that they prove, and how each claim that asked for them goes on.

Rule: a verdict is worked out of what was read and what was known before. Nothing is asked for it here, and `checks`
records it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from linkback import logs
from linkback.errors import Reason
from linkback.hooks import Loudness
from linkback.looks import Look, in_their_words, state_of
from linkback.model import Backlink, ClaimState, Job, Mention, Status
from linkback.policy import Policy, Retry, takes_away, wait_for
from linkback.protocols import Protocol
from linkback.receiver import Reading
from linkback.siblings import SECOND_LOOK
from linkback.store import ClaimRecord, Verdict

log = logs.named(__name__)

#: a claim whose source limits of our own keep us from waits no longer than that, whatever a policy has others wait
_LONGEST_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """The verdicts of one site, by its `policy`; `retry`, `protocols` and `inline` are as for `Checks`."""

    policy: Policy
    retry: Retry
    protocols: Mapping[str, Protocol]
    inline: bool
    loudness: Loudness = field(default_factory=Loudness)

    def of(self, job: Job, reading: Reading, looks: Sequence[Look], before: Mention | None, now: datetime) -> Verdict:
        """What becomes of each claim of a pair that was looked at, and of their mention, which was `before` them."""
        mention = self.mention(reading, looks, before, now)
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
            holds_edits=self.policy.moderate_edits,
            removed=any(record.state is ClaimState.DELETED for record in ended),
            again=min((again for again in nexts if again is not None), default=None),
        )

    def later(self, reading: Reading, records: Sequence[ClaimRecord], now: datetime) -> datetime | None:
        """When to look again at a source that a limit of our own kept us from: such a reading answers no claim.

        None where it was none, where the sender waits, and where all claims of the pair have waited for so long that
        it is a failure like any other.
        """
        if reading.retry_after is None or self.inline:
            return None
        age = now - max(record.received for record in records)
        wait = wait_for(reading.retry_after, age, min(self.policy.host_queue(), _LONGEST_KEPT))
        return None if wait is None else now + wait

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
            return replace(done, state=state_of(before, mention, holds_edits=self.policy.moderate_edits))
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

    def mention(self, reading: Reading, looks: Sequence[Look], before: Mention | None, now: datetime) -> Mention | None:
        """The mention that the looks prove, as the page describes itself; None where none of them does."""
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
