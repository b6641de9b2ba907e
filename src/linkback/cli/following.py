"""The part of `linkback publish` that reads a feed or sitemap of the blog."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from linkback import terminal
from linkback.cli import showing
from linkback.cli.codes import NO, NO_ENDPOINT, OK, TEMPORARY
from linkback.cli.outcomes import delivered
from linkback.cli.speaking import Voice, deliver
from linkback.errors import ConfigurationError
from linkback.model import Delivery
from linkback.options import Command, lent, which_app
from linkback.plaintext import collapse
from linkback.terminal import say

if TYPE_CHECKING:
    from linkback.following import Followed
    from linkback.site import Site
    from linkback.store.feeds import Feeds


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


def publish(voice: Voice, chosen: Options, *, dry_run: bool, force: bool, post_only: bool, as_json: bool) -> int:
    """Publish what is new in a document since it was read last, make what is due, and give the exit code."""
    from linkback.following import follow

    with _blog(voice, chosen.document, post_only=post_only) as blog:
        before = {one.id: one for one in blog.deliveries()}
        found = follow(
            blog,
            _memory(blog),
            chosen.document,
            force=force,
            remember=chosen.remember,
            since=chosen.since,
            dry_run=dry_run,
        )
        if found.foreign:
            raise click.UsageError(_foreign(found, chosen.document, blog.url))
        deliveries = found.owed if dry_run else _made(blog, before)
    _show(deliveries, as_json=as_json, owed=dry_run)
    _tell(found, dry_run=dry_run)
    return _code(found, () if dry_run else deliveries)


@contextlib.contextmanager
def _blog(voice: Voice, document: str, *, post_only: bool) -> Iterator[Site]:
    """The blog that a document lists the posts of."""
    from linkback.walk import is_file

    url = "" if is_file(document) else document
    own = lent() is not None or which_app(voice.app, "site", "database")
    if not (url or voice.site or own):
        raise click.UsageError("give the blog with --site: a file does not say which it is")
    with voice.of(url, post_only=post_only) as blog:
        yield blog


def _memory(blog: Site) -> Feeds:
    from linkback.store.sql import SqlStore

    if not isinstance(blog.store, SqlStore):
        kept = type(blog.store).__name__
        raise ConfigurationError(f"what feeds and sitemaps said is kept in a SQL database only, not in a {kept}")
    return blog.store.feeds


def _foreign(found: Followed, document: str, site: str) -> str:
    entries = "its only entry is not" if len(found.skipped) == 1 else f"none of its {len(found.skipped):,} entries is"
    return f"{document}: {entries} of {site}, but {found.skipped[0]} is there: is the blog's address right (--site)?"


def _made(blog: Site, before: dict[str, Delivery]) -> list[Delivery]:
    """Make what is due; the deliveries to which something happened, and those that are still to be made."""
    deliver(blog)
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
            (showing.show_owed if owed else showing.show_delivery)(delivery, as_json=as_json)


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
