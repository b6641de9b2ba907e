"""The tables, as Django's models.

Rule 1: tables, columns and keys are those of `linkback.store.schema`, which says where each comes from; data means the
        same, whichever store wrote it.
Rule 2: rows are written by the store only, whose transactions keep claims, mentions, deliveries and jobs in step.
        Whoever looks at them, the admin for one, reads; `Site.moderate` and the other verbs change.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from linkback.adapters.django.fields import CleanTextField, MomentField, PageTimeField, WordField
from linkback.web.shown import address


def _digest(**more: Any) -> Any:
    return WordField(max_length=64, **more)


class Claim(models.Model):
    """What a sender says, and what became of it."""

    public_id = WordField(max_length=64)
    site = CleanTextField()
    key = _digest()
    source_key = _digest(null=True)
    page = CleanTextField()
    received = MomentField()
    open = models.BooleanField()
    checked = MomentField(null=True)
    protocol = WordField(max_length=64)
    source = CleanTextField()
    target = CleanTextField()
    title = CleanTextField()
    excerpt = CleanTextField()
    blog_name = CleanTextField()
    endpoint = CleanTextField()
    state = WordField(max_length=16)
    reason = WordField(max_length=32, null=True)

    class Meta:
        db_table = "linkback_claims"
        constraints = (models.UniqueConstraint(fields=["public_id"], name="uq_linkback_claims_public_id"),)
        indexes = (
            models.Index(fields=["key", "open"], name="ix_linkback_claims_key"),
            models.Index(fields=["key", "protocol", "received", "id"], name="ix_linkback_claims_last"),
            models.Index(fields=["source_key", "open", "id"], name="ix_linkback_claims_source_key"),
        )

    def __str__(self) -> str:
        return f"{address(self.source)} → {address(self.target)}"


class Mention(models.Model):
    """A claim that was checked, and the word of the person who moderates it."""

    key = _digest()
    page_key = _digest()
    site = CleanTextField()
    site_key = _digest()
    received = MomentField()
    checked = MomentField()
    missing_since = MomentField(null=True)
    lost_since = MomentField(null=True)
    source = CleanTextField()
    target = CleanTextField()
    title = CleanTextField()
    author_name = CleanTextField()
    author_url = CleanTextField()
    author_photo = CleanTextField()
    excerpt = CleanTextField()
    published = PageTimeField(max_length=48, null=True)
    kind = WordField(max_length=32)
    final_url = CleanTextField()
    status = WordField(max_length=16)
    decided = models.BooleanField()
    decided_status = WordField(max_length=16, null=True)

    class Meta:
        db_table = "linkback_mentions"
        constraints = (models.UniqueConstraint(fields=["key"], name="uq_linkback_mentions_key"),)
        indexes = (
            models.Index(fields=["page_key", "status"], name="ix_linkback_mentions_page_key"),
            models.Index(fields=["site_key", "status"], name="ix_linkback_mentions_site_key"),
        )

    def __str__(self) -> str:
        return f"{address(self.source)} → {address(self.target)}"


class MentionProtocol(models.Model):
    """A protocol that announced a mention; `position` keeps the order of first announcement."""

    pk = models.CompositePrimaryKey("mention_id", "protocol")
    mention = models.ForeignKey(Mention, on_delete=models.CASCADE, related_name="protocols", db_index=False)
    position = models.IntegerField()
    protocol = WordField(max_length=64)

    class Meta:
        db_table = "linkback_mention_protocols"

    def __str__(self) -> str:
        return str(self.protocol)


class Post(models.Model):
    """A post of ours as it was last told."""

    key = _digest()
    site = CleanTextField()
    url = CleanTextField()
    content = _digest()
    changed = MomentField()
    comes_out = MomentField(null=True)
    gone = models.BooleanField()

    class Meta:
        db_table = "linkback_posts"
        constraints = (models.UniqueConstraint(fields=["key"], name="uq_linkback_posts_key"),)

    def __str__(self) -> str:
        return str(self.url)


class Delivery(models.Model):
    """One notification that we owe, or made, to one target."""

    key = _digest()
    source_key = _digest()
    site = CleanTextField()
    source = CleanTextField()
    target = CleanTextField()
    attempts = models.IntegerField()
    cause = WordField(max_length=16)
    told = WordField(max_length=64)
    revision = models.IntegerField()
    owed = MomentField(null=True)
    tried = MomentField(null=True)
    protocol = WordField(max_length=64, null=True)
    endpoint = CleanTextField(null=True)
    outcome = WordField(max_length=16)
    code = models.IntegerField(null=True)
    detail = CleanTextField()
    status_url = CleanTextField()
    again = models.IntegerField()

    class Meta:
        db_table = "linkback_deliveries"
        verbose_name_plural = "deliveries"
        constraints = (models.UniqueConstraint(fields=["key"], name="uq_linkback_deliveries_key"),)
        # the other store's name for it is too long for Django
        indexes = (models.Index(fields=["source_key"], name="ix_linkback_deliveries_source"),)

    def __str__(self) -> str:
        return f"{address(self.source)} → {address(self.target)}"


class Job(models.Model):
    """Work that is due; one without `due` waits for a person."""

    site = CleanTextField()
    site_key = _digest()
    kind = WordField(max_length=16)
    subject = _digest()
    due = MomentField(null=True)
    attempts = models.IntegerField()
    leases = models.IntegerField()
    leased_until = MomentField(null=True)

    class Meta:
        db_table = "linkback_jobs"
        constraints = (models.UniqueConstraint(fields=["kind", "subject"], name="uq_linkback_jobs_kind"),)
        indexes = (
            models.Index(fields=["due", "id"], name="ix_linkback_jobs_due"),
            models.Index(fields=["kind", "due", "id"], name="ix_linkback_jobs_kind"),
            models.Index(fields=["site_key", "due", "id"], name="ix_linkback_jobs_site_key"),
            models.Index(fields=["site_key", "kind", "due", "id"], name="ix_linkback_jobs_site_kind"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class Host(models.Model):
    """When the next POST to a host may leave, or its next page be read, and who has its turn."""

    key = WordField(max_length=64, primary_key=True)
    host = CleanTextField()
    next_slot = MomentField()
    free_at = MomentField()
    busy_until = MomentField(null=True)
    holder = WordField(max_length=32, null=True)

    class Meta:
        db_table = "linkback_hosts"
        indexes = (models.Index(fields=["holder"], name="ix_linkback_hosts_holder"),)

    def __str__(self) -> str:
        return str(self.host)
