"""What a row says as a value of ours, and a value as columns; the same for every store.

A row is whatever has its columns as attributes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from linkback import urls
from linkback.errors import Reason
from linkback.model import (
    Author,
    Cause,
    Claim,
    ClaimState,
    Delivery,
    Job,
    JobKind,
    Mention,
    Outcome,
    Status,
)
from linkback.store import ClaimRecord, Verdict
from linkback.store.keys import digest


def said(record: ClaimRecord) -> dict[str, Any]:
    """The columns of a claim that was just taken."""
    claim = record.claim
    return {
        "public_id": record.id,
        "site": record.site,
        "key": record.key,
        "source_key": source_key(record),
        "page": record.page,
        "received": record.received,
        "protocol": claim.protocol,
        "source": claim.source,
        "target": claim.target,
        "title": claim.title,
        "excerpt": claim.excerpt,
        "blog_name": claim.blog_name,
        "endpoint": claim.endpoint,
        **progress(record),
    }


def source_key(record: ClaimRecord) -> str:
    """The name of a claim's source on its site, the same however the source is spelled."""
    source = record.claim.source
    return digest(record.site, urls.canonical(source) or source)


def progress(record: ClaimRecord) -> dict[str, Any]:
    """The columns that tell what became of a claim."""
    return {
        "state": record.state.value,
        "reason": None if record.reason is None else record.reason.value,
        "open": record.open,
        "checked": record.checked,
    }


def claim_record(row: Any) -> ClaimRecord:
    """The claim of a row."""
    return ClaimRecord(
        id=row.public_id,
        site=row.site,
        key=row.key,
        page=row.page,
        claim=Claim(
            protocol=row.protocol,
            source=row.source,
            target=row.target,
            title=row.title,
            excerpt=row.excerpt,
            blog_name=row.blog_name,
            endpoint=row.endpoint,
        ),
        received=row.received,
        state=ClaimState(row.state),
        reason=None if row.reason is None else Reason(row.reason),
        open=row.open,
        checked=row.checked,
    )


def found(verdict: Verdict, mention: Mention) -> dict[str, Any]:
    """The columns of a mention that was just found for the first time."""
    return {
        "key": verdict.key,
        "page_key": urls.page_key(mention.site, verdict.page),
        "site": mention.site,
        "site_key": digest(mention.site),
        "source": mention.source,
        "target": mention.target,
        "received": mention.received,
        "status": mention.status.value,
        "decided": False,
        **description(mention),
    }


def description(mention: Mention) -> dict[str, Any]:
    """The columns of a mention that every check writes."""
    return {
        "title": mention.title,
        "author_name": mention.author.name,
        "author_url": mention.author.url,
        "author_photo": mention.author.photo,
        "excerpt": mention.excerpt,
        "published": mention.published,
        "kind": mention.kind,
        "final_url": mention.final_url,
        "checked": mention.checked,
        "missing_since": mention.missing_since,
        "lost_since": mention.lost_since,
    }


def mention(row: Any, protocols: tuple[str, ...]) -> Mention:
    """The mention of a row and of those that tell its protocols."""
    return Mention(
        id=str(row.id),
        site=row.site,
        source=row.source,
        target=row.target,
        protocols=protocols,
        status=Status(row.status),
        received=row.received,
        checked=row.checked,
        title=row.title,
        author=Author(row.author_name, row.author_url, row.author_photo),
        excerpt=row.excerpt,
        published=row.published,
        kind=row.kind,
        final_url=row.final_url,
        missing_since=row.missing_since,
        lost_since=row.lost_since,
    )


def owed(site: str, delivery: Delivery, now: datetime) -> dict[str, Any]:
    """The columns of a delivery that is owed for the first time."""
    return {
        "key": digest(site, delivery.source, delivery.target),
        "source_key": digest(delivery.source),
        "site": site,
        "source": delivery.source,
        "target": delivery.target,
        "owed": now,
        **standing(delivery),
    }


def standing(delivery: Delivery) -> dict[str, Any]:
    """The columns that tell where a delivery stands."""
    return {
        "protocol": delivery.protocol,
        "endpoint": delivery.endpoint,
        "outcome": delivery.outcome.value,
        "code": delivery.code,
        "detail": delivery.detail,
        "status_url": delivery.status_url,
        "attempts": delivery.attempts,
        "again": delivery.again,
        "cause": delivery.cause.value,
        "told": delivery.told,
        "revision": delivery.revision,
    }


def delivery(row: Any) -> Delivery:
    """The delivery of a row."""
    return Delivery(
        source=row.source,
        target=row.target,
        protocol=row.protocol,
        endpoint=row.endpoint,
        outcome=Outcome(row.outcome),
        code=row.code,
        detail=row.detail,
        status_url=row.status_url,
        attempts=row.attempts,
        again=row.again,
        id=str(row.id),
        cause=Cause(row.cause),
        told=row.told,
        revision=row.revision,
        owed=row.owed,
    )


def job(row: Any, *, leased: bool = False) -> Job:
    """The job of a row, as it is or, with `leased`, as it becomes by the lease that is being taken."""
    more = 1 if leased else 0
    abandoned = leased and row.leased_until is not None
    lease = row.leases + more
    return Job(row.id, JobKind(row.kind), row.subject, row.attempts + more, lease, row.site, abandoned, row.due)
