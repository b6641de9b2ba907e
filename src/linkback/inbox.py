"""From a claim to a mention.

Rule 1: a claim is judged without the network and recorded together with its job; only then is it answered or checked.
Rule 2: nothing is a mention before its source was fetched and links to us (`checks`).
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from linkback import urls
from linkback.checks import Checks
from linkback.errors import Reason, Refused
from linkback.model import Claim, Status
from linkback.protocols import Protocol, as_advertised
from linkback.store import ClaimRecord
from linkback.throttle import Throttle

#: how far the clocks of those who share a store may be apart
_CLOCKS_APART = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox(Checks):
    """Receives claims for the pages of one site, and checks them.

    Where it is `inline` the check is due at once, or as soon as its source's host may be read.
    """

    throttle: Throttle = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "throttle", Throttle(self.policy, self.store, self.pages.url))

    def receive(self, claim: Claim, *, client: str = "") -> ClaimRecord:
        """Record a claim and the job to check it; one that says the same as an open one is that one.

        `client` is the address of whoever sent it, "" where that is unknown. Raises `Refused` for what can be told
        without the network (protocols.md C-8, C-40, C-72), `StoreError` where it could not be recorded, and what
        `resolve` raises.
        """
        self.throttle.hear(client)
        protocol = self.protocols.get(claim.protocol)
        if protocol is None:
            raise Refused(Reason.BAD_ARGUMENTS, f"this site does not speak {claim.protocol!r}")
        source = urls.without_directive(urls.check_argument(claim.source, Reason.SOURCE_INVALID))
        target = urls.check_argument(claim.target, Reason.TARGET_INVALID)
        page = self.pages.find(target)
        if urls.same_page(source, target) or self.pages.means_same(urls.without_fragment(source), page):
            raise Refused(Reason.SAME_PAGE, "source and target are one page")
        # a trackback without a title has its source for one
        title = source if claim.title == claim.source else claim.title
        endpoint = as_advertised(claim.endpoint, target, page)
        claim = replace(claim, source=source, target=target, title=title, endpoint=endpoint)
        key = urls.pair_key(self.pages.url, source, page)
        self.admission.admit(claim, mentioned=lambda: self.store.mention_for(key) is not None)
        claim = replace(claim, vouch="") if claim.vouch else claim
        now = self.now()
        record = ClaimRecord(
            id=secrets.token_urlsafe(16), site=self.pages.url, key=key, page=page, claim=claim, received=now
        )
        return self.throttle.keep(record, lambda: self._keep(record, protocol, now), client=client)

    def _keep(self, record: ClaimRecord, protocol: Protocol, now: datetime) -> ClaimRecord:
        """The claim as it is kept: recorded, or the open one that says the same."""
        settled = now if self.inline else now + timedelta(seconds=self.policy.settle_seconds)
        pace = self._pace(record.claim.source)
        if self.store.add_first(record, due=settled, pace=pace):
            return record
        rested = self._rested(record.key, protocol, now)
        kept = self.store.add_claim(record, due=max(rested, settled), pace=pace)
        if kept is None:
            detail = "too many claims of this pair wait for its check"
            raise Refused(Reason.TOO_OFTEN, detail, retry_after=self.policy.pair_seconds)
        return kept

    def _rested(self, key: str, protocol: Protocol, now: datetime) -> datetime:
        """When the source may be fetched for this pair again; raises `Refused` for a repeat that is not taken at all.

        A repeated webmention asks for another look (C-79) and is told to wait for it; the other protocols said it once
        (C-42) and, unless the look is inline, do not hear of the wait: an earlier failure is checked again (C-41).
        """
        mention = None if protocol.updates else self.store.mention_for(key)
        # Only what everybody can see is called a duplicate: the answer tells nothing of what a moderator did.
        if mention is not None and mention.status is Status.APPROVED and protocol.name in mention.protocols:
            raise Refused(Reason.DUPLICATE, "this link is already registered")
        last = self.store.last_claim(key, protocol.name)
        if last is None:
            return now
        # one that was never checked has a job, which is not put off by this: the earlier time holds; and nothing was
        # checked at a time that is to come
        checked = last.checked if last.checked is not None and last.checked - now < _CLOCKS_APART else None
        rested = (checked or now) + timedelta(seconds=self.policy.pair_seconds)
        if (protocol.updates or self.inline) and checked is not None and rested > now:
            wait = math.ceil((rested - now).total_seconds())
            raise Refused(Reason.TOO_OFTEN, "the source of this pair was fetched just now", retry_after=wait)
        return rested
