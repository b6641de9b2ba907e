"""Commands that tell of the posts of a blog, and keep the records of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from linkback import urls
from linkback.cli import following, showing
from linkback.cli.codes import OK
from linkback.cli.outcomes import DONE, delivered
from linkback.cli.speaking import Voice, deliver
from linkback.errors import Reason
from linkback.model import ARRIVED, Delivery, Outcome
from linkback.options import as_json, database, fetching, own_blog
from linkback.terminal import say

if TYPE_CHECKING:
    from linkback.site import Site

_site = click.option("--site", metavar="URL", help="The blog; by default the host of SOURCE, or of the feed.")
_dry_run = click.option("--dry-run", is_flag=True, help="Show whom it would tell, and do nothing.")
_post_only = click.option(
    "--post-only/--all-links",
    default=None,
    help="Tell the links of the post alone, not those of the page's header, footer, sidebar and comments; or all."
    "  [default: all of SOURCE, the post's own with --feed and --sitemap]",
)


@click.command()
@click.argument("source", required=False, default="")
@following.options
@_site
@own_blog
@_dry_run
@click.option("--force", is_flag=True, help="Tell again although the post says what it said before.")
@_post_only
@database
@as_json
@fetching
def publish(
    source: str,
    chosen: following.Options,
    site: str | None,
    app: str,
    dry_run: bool,
    force: bool,
    post_only: bool | None,
    database: str,
    as_json: bool,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
) -> int:
    """Tell every page that the post SOURCE links to, once; after an edit, whom the edit concerns.

    A page that was told by webmention hears of each change, and that its link is gone. What failed for now is tried
    again by later runs: once after about a minute, once more after about ten.

    With --feed or --sitemap instead of SOURCE, do so for every post that is new or changed there since the last run,
    and tell of those that are deleted (their pages answer 410 Gone).
    """
    following.check(source, chosen, force=force)
    voice = Voice(site, app, database, networks, ports)
    if chosen.document:
        only = post_only is not False
        return following.publish(voice, chosen, dry_run=dry_run, force=force, post_only=only, as_json=as_json)
    url = urls.check_argument(source, Reason.SOURCE_INVALID)
    with voice.of(url, post_only=post_only is True) as blog:
        if dry_run:
            return _would_tell(blog.publish(url, force=force, dry_run=True), as_json=as_json)
        before = blog.deliveries(url)
        blog.publish(url, force=force)
        return _tell(blog, url, before, as_json=as_json)


@click.command()
@click.argument("source")
@_site
@own_blog
@_dry_run
@database
@as_json
@fetching
def unpublish(
    source: str,
    site: str | None,
    app: str,
    dry_run: bool,
    database: str,
    as_json: bool,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
) -> int:
    """Tell every page that was told of the post SOURCE by webmention that it is deleted.

    SOURCE must answer 410 Gone first, or say so in its head: <meta http-equiv="status" content="410 Gone">.
    """
    url = urls.check_argument(source, Reason.SOURCE_INVALID)
    with Voice(site, app, database, networks, ports).of(url, post_only=False) as blog:
        if dry_run:
            return _would_tell(blog.unpublish(url, check=True, dry_run=True), as_json=as_json)
        before = blog.deliveries(url)
        blog.unpublish(url, check=True)
        return _tell(blog, url, before, as_json=as_json)


def _would_tell(owed: Sequence[Delivery], *, as_json: bool) -> int:
    for delivery in owed:
        showing.show_owed(delivery, as_json=as_json)
    if not owed:
        say("nothing to tell")
    return OK


def _tell(blog: Site, url: str, before: Sequence[Delivery], *, as_json: bool) -> int:
    """Make what is due, show what it came to, and give the exit code."""
    deliver(blog)
    after = blog.deliveries(url)
    for delivery in (told := [one for one in after if one not in before or one.outcome not in DONE]):
        showing.show_delivery(delivery, as_json=as_json)
    if not told:
        say(_nothing_new(after))
    return delivered(after)


def _nothing_new(deliveries: Sequence[Delivery]) -> str:
    linked = [delivery for delivery in deliveries if delivery.outcome is not Outcome.WITHDRAWN]
    if not linked:
        return "nothing to tell: the post links to no other page"
    arrived = sum(delivery.outcome in ARRIVED for delivery in linked)
    return f"nothing new; linked pages told before: {arrived}, not listening: {len(linked) - arrived}"
