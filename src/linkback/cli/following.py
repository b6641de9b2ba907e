"""The part of `linkback publish` that reads a feed or sitemap of the blog."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from linkback import terminal
from linkback.cli.codes import NO, NO_ENDPOINT, OK, TEMPORARY, delivered
from linkback.model import Delivery, JobKind
from linkback.options import Command, fetcher
from linkback.plaintext import collapse
from linkback.terminal import say

if TYPE_CHECKING:
    from linkback.fetch import Fetcher
    from linkback.following import Followed
    from linkback.site import Site


@dataclass(frozen=True, slots=True)
class Options:
    """Which document is read, and which of its posts tell nobody."""

    feed: str = ""
    sitemap: str = ""
    remember: bool = False
    since: datetime | None = None

    @property
    def document(self) -> str:
        """A feed and a sitemap are read alike: which it is shows."""
        return self.feed or self.sitemap


@dataclass(frozen=True, slots=True)
class Door:
    """The options of whoever reads the web."""

    networks: tuple[str, ...]
    ports: tuple[str, ...]

    def for_pages(self, contact: str) -> Fetcher:
        """What reads posts and tells pages."""
        return fetcher(self.networks, self.ports, contact=contact)

    def for_documents(self, contact: str) -> Fetcher:
        """What reads feeds and sitemaps, which outgrow what is read of a page."""
        from linkback import feeds
        from linkback.fetch import Fetcher, Limits, introduction

        ports = Limits().ports | {int(port) for port in self.ports}
        limits = Limits(bytes=feeds.MOST_BYTES, seconds=40, ports=ports)
        return Fetcher(allow=self.networks, limits=limits, user_agent=introduction(contact))


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that `publish` has for a post and for a feed alike."""

    database: str
    dry_run: bool
    force: bool
    as_json: bool


def options(command: Command) -> Command:
    """The options of `publish` for feeds and sitemaps; the command gets them as `chosen`."""

    @functools.wraps(command)
    def chosen(feed: str, sitemap: str, remember: bool, since: datetime | None, **others: Any) -> Any:
        moment = since.replace(tzinfo=UTC) if since is not None else None
        return command(chosen=Options(feed, sitemap, remember, moment), **others)

    for option in reversed(
        (
            click.option("--feed", default="", metavar="URL|FILE", help="The posts of this Atom, RSS or JSON feed."),
            click.option("--sitemap", default="", metavar="URL|FILE", help="The pages of this sitemap."),
            click.option("--remember", is_flag=True, help="Have new posts there known, and tell nobody of them."),
            click.option(
                "--since",
                type=click.DateTime(["%Y-%m-%d"]),
                metavar="DATE",
                help="The same for new posts that came out before, or have no date.",
            ),
        )
    ):
        chosen = option(chosen)
    return chosen


def check(source: str, chosen: Options, *, force: bool) -> None:
    """Raise `UsageError` for options that contradict each other."""
    if sum(map(bool, (source, chosen.feed, chosen.sitemap))) != 1:
        raise click.UsageError("give one of SOURCE, --feed and --sitemap")
    if source and (chosen.remember or chosen.since):
        raise click.UsageError("--remember and --since are for --feed and --sitemap")
    if chosen.remember + force + (chosen.since is not None) > 1:
        raise click.UsageError("give at most one of --remember, --since and --force")


def publish(site: str | None, chosen: Options, door: Door, settings: Settings, *, patience: float) -> int:
    """Publish what is new in a document since it was read last, make what is due, and give the exit code."""
    from linkback import urls
    from linkback.following import follow
    from linkback.jobs import External
    from linkback.site import Site
    from linkback.store.sql import SqlStore
    from linkback.walk import is_file

    if site is None and is_file(chosen.document):
        raise click.UsageError("give the blog with --site: a file does not say which it is")
    url, dry_run = site or urls.origin(chosen.document), settings.dry_run
    fetch = door.for_pages(url)
    store = SqlStore.open(settings.database)
    with Site(url, store=store, fetch=fetch, runner=External()) as blog:
        before = {one.id: one for one in blog.deliveries()}
        found = follow(
            blog,
            store.feeds,
            chosen.document,
            fetch=door.for_documents(url),
            force=settings.force,
            remember=chosen.remember,
            since=chosen.since,
            dry_run=dry_run,
        )
        deliveries = found.owed if dry_run else _made(blog, before, patience)
    _show(deliveries, as_json=settings.as_json, owed=dry_run)
    _tell(found, dry_run=dry_run)
    return _code(found, () if dry_run else deliveries)


def _made(blog: Site, before: dict[str, Delivery], patience: float) -> list[Delivery]:
    """Make what is due; the deliveries to which something happened, and those that are still to be made."""
    # checks in the same store are for whoever knows the policy of the blog
    blog.drain(kind=JobKind.DELIVER, patience=patience)
    return [one for one in blog.deliveries() if one != before.get(one.id) or delivered([one]) == TEMPORARY]


def _show(deliveries: Iterable[Delivery], *, as_json: bool, owed: bool = False) -> None:
    """The deliveries, in words under the post that each is of."""
    by_source: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        by_source.setdefault(delivery.source, []).append(delivery)
    for source, its in by_source.items():
        if not as_json:
            terminal.write(f"{collapse(source)}:")
        for delivery in its:
            (terminal.show_owed if owed else terminal.show_delivery)(delivery, as_json=as_json)


def _tell(found: Followed, *, dry_run: bool) -> None:
    """What became of the posts, and each trouble, on stderr."""
    if found.skipped:
        more = f" and {len(found.skipped) - 1} more" if len(found.skipped) > 1 else ""
        say(f"not of this blog, so passed over: {found.skipped[0]}{more}")
    for trouble in found.troubles:
        say(f"{trouble.url}: {trouble.message}" + (" (to be tried again)" if trouble.temporary else ""))
    counts = [
        f"{len(urls)} {word}"
        for word, urls in (
            ("new", found.new),
            ("changed", found.changed),
            ("deleted", found.removed),
            ("only remembered", found.remembered),
        )
        if urls
    ]
    say(f"posts: {', '.join(counts) or 'nothing new'}" + (" (dry run)" if dry_run else ""))


def _code(found: Followed, deliveries: Sequence[Delivery]) -> int:
    """Temporary trouble first: the same command may do better soon."""
    codes = {delivered([one]) for one in deliveries} - {NO_ENDPOINT, OK}
    codes |= {TEMPORARY if trouble.temporary else NO for trouble in found.troubles}
    return TEMPORARY if TEMPORARY in codes else NO if codes else OK
