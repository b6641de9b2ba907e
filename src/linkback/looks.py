"""What one look at a source says of the claims that asked for it.

Rule: values in, values out; `checks` records them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from linkback.errors import Reason
from linkback.model import UNSEEN, Backlink, Claim, ClaimState, Mention, Status
from linkback.policy import judge
from linkback.store import ClaimRecord
from linkback.store.decisions import edited

_DESCRIPTION = ("title", "author", "excerpt", "published", "kind", "final_url")


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the source found for one claim."""

    record: ClaimRecord
    found: Backlink | Exception

    @property
    def failure(self) -> tuple[Reason | None, bool]:
        """Why it was no backlink (None where it was one), and whether another look may end differently."""
        return judge(self.found) if isinstance(self.found, Exception) else (None, False)


def not_deleted(record: ClaimRecord) -> ClaimRecord:
    """The claim, failed where its mention was to be taken away but stays."""
    return replace(record, state=ClaimState.FAILED) if record.state is ClaimState.DELETED else record


def state_of(before: Mention | None, mention: Mention, *, holds_edits: bool = False) -> ClaimState:
    """What a proven claim is told: held, new, changed or as it was (protocols.md C-78).

    One that a moderator rejected is answered as if nobody had spoken yet: the answer tells nothing of that.
    """
    if holds_edits and before is not None and (edited(before, mention) or before.status in UNSEEN):
        return ClaimState.PENDING
    if before is None or before.status is Status.REMOVED:
        return ClaimState.PENDING if mention.status is Status.PENDING else ClaimState.SUCCESS
    if before.status is Status.PENDING or (before.status in UNSEEN and mention.status is Status.PENDING):
        return ClaimState.PENDING
    changed = any(getattr(before, name) != getattr(mention, name) for name in _DESCRIPTION)
    return ClaimState.UPDATED if changed else ClaimState.UNCHANGED


def is_news(before: Mention | None, mention: Mention) -> bool:
    """Whether a mention is new, or other than it was but for when it was looked at."""
    if before is None:
        return True
    return mention != replace(
        before, checked=mention.checked, missing_since=mention.missing_since, lost_since=mention.lost_since
    )


def in_their_words(claim: Claim, backlink: Backlink) -> Backlink:
    """A backlink described as its trackback described it (protocols.md E-3); the page fills what was left out."""
    return replace(
        backlink,
        title=claim.title if claim.title and claim.title != claim.source else backlink.title,
        excerpt=claim.excerpt or backlink.excerpt,
        author=backlink.author if backlink.author.name else replace(backlink.author, name=claim.blog_name),
    )
