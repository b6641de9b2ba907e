"""The admin: mentions to moderate, and what was received, sent and laid aside, to look at.

Rule: rows are shown and never written. A person's word on a mention goes through `Site.moderate`, so that it lasts; for
the same reason a mention cannot be deleted here: the next ping would bring it back, and a rejected one stays away.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.db import connections
from django.db.models.functions import Collate
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator

from linkback.adapters.django import blog, conf
from linkback.adapters.django.fields import CleanTextField
from linkback.adapters.django.models import Claim, Delivery, Job, Mention
from linkback.errors import StoreError
from linkback.model import UNSEEN, JobKind, Status
from linkback.plaintext import collapse
from linkback.protocols import BUILTIN
from linkback.site import utcnow
from linkback.web.shown import address, web

_LONGEST_SHOWN = 80
#: the columns of URLs that strangers choose
_ADDRESSES = frozenset({"source", "target", "author_url", "author_photo", "final_url", "endpoint", "status_url"})
_NOT_OURS = "gone, or of another site than LINKBACK['SITE']"
#: of MySQL and MariaDB alike
_ANY_CASE = "utf8mb4_unicode_520_ci"


def _compares_exactly() -> bool:
    return bool(connections[conf.read().using].vendor == "mysql")


#: the parts of a word that a line may be broken between, so that an address leaves the other columns on the page
_PIECES = re.compile(r"(?:https?://)?[^/?&=_-]{1,16}[/?&=_-]*|[/?&=_-]+")


def _short(text: str) -> SafeString:
    """A text for a cell of a list: cut where it is long, with the whole of it to point at."""
    text = collapse(text)
    cut = str(Truncator(text).chars(_LONGEST_SHOWN))
    words = (format_html_join(mark_safe("<wbr>"), "{}", zip(_PIECES.findall(word))) for word in cut.split())
    shown = format_html_join(" ", "{}", zip(words))
    return shown if cut == text else format_html('<span title="{}">{}</span>', text, shown)


def _words(text: str) -> SafeString:
    """A stranger's words: whichever way they are written, what stands beside them stays where it is."""
    return format_html("<bdi>{}</bdi>", _short(text))


def _link(url: str, shown: str) -> SafeString | str:
    """A stranger's URL to follow, told no more of us than a visit tells; text where it does not lead to the web."""
    href = web(url)
    if not href:
        return shown
    return format_html('<a href="{}" rel="nofollow ugc noopener noreferrer" target="_blank">{}</a>', href, shown)


@admin.display(description="source", ordering="source")
def source_link(row: Any) -> SafeString | str:
    """The page that links."""
    return _link(row.source, _short(address(row.source)))


@admin.display(description="target", ordering="target")
def target_link(row: Any) -> SafeString | str:
    """The page that is linked to."""
    return _link(row.target, _short(address(row.target)))


@admin.display(description="source")
def whole_source(row: Any) -> SafeString | str:
    """The page that links, its address uncut."""
    return _link(row.source, address(row.source))


@admin.display(description="target")
def whole_target(row: Any) -> SafeString | str:
    """The page that is linked to, its address uncut."""
    return _link(row.target, address(row.target))


class ReadOnly(admin.ModelAdmin):
    """Rows to look at: none is added, changed or deleted here; the actions need the permission to change."""

    show_full_result_count = False

    def get_queryset(self, request: Any) -> Any:
        """The rows of the database that the settings name."""
        return super().get_queryset(request).using(conf.read().using)

    def get_object(self, request: Any, object_id: str, from_field: str | None = None) -> Any:
        """A row to show, what strangers wrote in it as plain text: an older release may have kept more."""
        row = super().get_object(request, object_id, from_field)
        for field in row._meta.concrete_fields if row else ():
            if isinstance(field, CleanTextField) and (text := getattr(row, field.attname)):
                setattr(row, field.attname, address(text) if field.attname in _ADDRESSES else collapse(text))
        return row

    def get_search_fields(self, request: Any) -> list[str]:
        """What is searched, as `get_search_results` names it."""
        names = list(super().get_search_fields(request))
        return [f"{name}_in_any_case" for name in names] if _compares_exactly() else names

    def get_search_results(self, request: Any, queryset: Any, search_term: str) -> Any:
        """Rows by words in any case that the database knows: in MySQL our columns are exact, and so would it be."""
        if _compares_exactly():
            names = super().get_search_fields(request)
            queryset = queryset.alias(**{f"{name}_in_any_case": Collate(name, _ANY_CASE) for name in names})
        return super().get_search_results(request, queryset, search_term)

    def has_add_permission(self, request: Any) -> bool:
        """Nobody's."""
        return False

    def has_delete_permission(self, request: Any, obj: object = None) -> bool:
        """Nobody's."""
        return False

    def has_change_permission(self, request: Any, obj: object = None) -> bool:
        """Whoever may change may act on rows; a row itself is only shown."""
        return obj is None and bool(super().has_change_permission(request))

    def trouble(self, request: Any, error: StoreError, done: str) -> None:
        """Say that an action came to an end before it was through, and how far it came."""
        self.message_user(request, f"{error}; {done}: try the rest again", messages.ERROR)


class ProtocolFilter(admin.SimpleListFilter):
    """Mentions that one protocol announced."""

    title = "protocol"
    parameter_name = "protocol"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        """Those that linkback speaks."""
        return [(protocol.name, protocol.name) for protocol in BUILTIN]

    def queryset(self, request: Any, queryset: Any) -> Any:
        """The mentions of the chosen one."""
        return queryset.filter(protocols__protocol=self.value()) if self.value() else queryset


@admin.register(Mention)
class MentionAdmin(ReadOnly):
    """Mentions, newest first."""

    list_display = ("shown_title", "status", "kind", "announced_by", source_link, target_link, "received")
    list_filter = ("status", "kind", ProtocolFilter, "site", "received")
    search_fields = ("source", "target", "title", "author_name", "excerpt")
    ordering = ("-received", "-id")
    actions = ("approve", "reject", "mark_as_spam", "recheck")
    fields = (
        *("status", "decided", whole_source, whole_target, "title", "author_name", "author_url", "excerpt", "kind"),
        *("announced_by", "published", "received", "checked", "missing_since", "lost_since", "final_url", "site"),
    )
    readonly_fields = fields

    def get_queryset(self, request: Any) -> Any:
        """Mentions with the protocols that announced them."""
        return super().get_queryset(request).prefetch_related("protocols")

    @admin.display(description="title", ordering="title")
    def shown_title(self, row: Any) -> SafeString:
        """What the source page is called."""
        return _words(row.title or row.author_name or address(row.source))

    @admin.display(description="protocols")
    def announced_by(self, row: Any) -> str:
        """The protocols, in the order in which they announced it."""
        return ", ".join(each.protocol for each in sorted(row.protocols.all(), key=lambda each: each.position))

    @admin.action(description="Approve selected mentions", permissions=["change"])
    def approve(self, request: Any, queryset: Any) -> None:
        """Show them."""
        self._moderate(request, queryset, Status.APPROVED)

    @admin.action(description="Reject selected mentions", permissions=["change"])
    def reject(self, request: Any, queryset: Any) -> None:
        """Hide them for good."""
        self._moderate(request, queryset, Status.REJECTED)

    @admin.action(description="Mark selected mentions as spam", permissions=["change"])
    def mark_as_spam(self, request: Any, queryset: Any) -> None:
        """Hide them for good, as spam."""
        self._moderate(request, queryset, Status.SPAM)

    @admin.action(description="Look at the sources of selected mentions again", permissions=["change"])
    def recheck(self, request: Any, queryset: Any) -> None:
        """Have their sources fetched soon."""
        site = blog.site()

        def recheck(row: Any) -> str:
            if site.recheck(str(row.pk)):
                return ""
            if row.site == site.url and row.status in UNSEEN:
                return f"{row.status}, which a person decided and which stands: approve it first"
            if row.site == site.url and site.store.mention(str(row.pk)) is not None:
                return "set aside after failures: try its job again"
            return _NOT_OURS

        self._each(request, queryset, recheck, "to be looked at again")

    def _moderate(self, request: Any, queryset: Any, status: Status) -> None:
        def moderate(row: Any) -> str:
            return _NOT_OURS if blog.site().moderate(str(row.pk), status) is None else ""

        self._each(request, queryset, moderate, f"now {status.value}")

    def _each(self, request: Any, queryset: Any, do: Callable[[Any], str], outcome: str) -> None:
        """Do something with each row, and say what came of it; `do` gives why it did not, "" where it did."""
        done, left = 0, Counter[str]()
        try:
            for row in queryset:
                if why := do(row):
                    left[why] += 1
                else:
                    self.log_change(request, row, outcome)
                    done += 1
        except StoreError as error:
            self.trouble(request, error, f"{done} of {_number(len(queryset), 'mention')} {outcome}")
            return
        self.message_user(request, f"{_number(done, 'mention')} {outcome}", messages.SUCCESS)
        for why, number in left.items():
            self.message_user(request, f"{_number(number, 'mention')} left as before: {why}", messages.WARNING)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly):
    """What the blog tells others, newest first."""

    list_display = (source_link, target_link, "protocol", "outcome", "code", "shown_detail", "attempts", "tried")
    # a source is a link already
    list_display_links = ("outcome",)
    list_filter = ("outcome", "protocol", "cause", "site")
    search_fields = ("source", "target", "detail")
    ordering = ("-id",)
    actions = ("try_again",)

    @admin.display(description="detail")
    def shown_detail(self, row: Any) -> SafeString:
        """What the other side said."""
        return _words(row.detail)

    @admin.action(description="Try those again that were given up", permissions=["change"])
    def try_again(self, request: Any, queryset: Any) -> None:
        """Revive the jobs of deliveries that wait for a person."""
        _revive(self, request, kind=JobKind.DELIVER, subjects={str(row.pk) for row in queryset})


@admin.register(Job)
class JobAdmin(ReadOnly):
    """What is to be done; a job without a time waits for a person."""

    list_display = ("kind", "shown_subject", "due", "attempts", "leased_until", "site")
    list_filter = ("kind", ("due", admin.EmptyFieldListFilter), "site")
    ordering = ("due", "id")
    actions = ("try_again",)

    @admin.display(description="subject", ordering="subject")
    def shown_subject(self, row: Any) -> SafeString:
        """What it is about: the id of a delivery, the key of a pair."""
        return _short(row.subject)

    @admin.action(description="Try those again that were given up", permissions=["change"])
    def try_again(self, request: Any, queryset: Any) -> None:
        """Revive those that wait for a person."""
        _revive(self, request, ids={row.pk for row in queryset})


@admin.register(Claim)
class ClaimAdmin(ReadOnly):
    """What senders said, and what became of it."""

    list_display = ("protocol", source_link, target_link, "state", "reason", "received", "checked")
    list_filter = ("state", "reason", "protocol", "site")
    search_fields = ("source", "target", "public_id")
    ordering = ("-received", "-id")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _revive(
    model_admin: ReadOnly,
    request: Any,
    *,
    kind: JobKind | None = None,
    subjects: Iterable[str] = (),
    ids: Iterable[int] = (),
) -> None:
    """Have parked jobs tried again, by their ids or their subjects."""
    site, revived = blog.site(), 0
    try:
        for job in site.store.parked(site=site.url):
            if job.id in ids or (job.kind is kind and job.subject in subjects):
                revived += site.store.revive(job, due=utcnow())
    except StoreError as error:
        model_admin.trouble(request, error, f"{_number(revived, 'job')} to be tried again")
    else:
        model_admin.message_user(request, f"{_number(revived, 'job')} to be tried again", messages.SUCCESS)
    site.start()
