"""Commands for the mentions that a blog receives."""

from __future__ import annotations

import click

from linkback import urls
from linkback.cli import showing
from linkback.cli.codes import NO, OK
from linkback.cli.records import records
from linkback.errors import Reason
from linkback.model import UNSEEN, Status
from linkback.options import as_json, database, own_blog
from linkback.terminal import say

_STATUSES = click.Choice([status.value for status in Status])
_site = click.option("--site", metavar="URL", help="Only the mentions of this blog.")
_DECIDED = click.Choice([Status.APPROVED.value, Status.REJECTED.value, Status.SPAM.value])


@click.command("list")
@click.option("--target", metavar="URL", help="Only the mentions of this page.")
@click.option("--status", "statuses", multiple=True, type=_STATUSES, help="Only mentions with this status. Repeatable.")
@_site
@own_blog
@database
@as_json
def list_(
    target: str | None, statuses: tuple[str, ...], site: str | None, app: str, database: str, as_json: bool
) -> int:
    """List the mentions that were received."""
    page = urls.check_argument(target, Reason.TARGET_INVALID) if target else None
    with records(site, app, database) as found:
        mentions = found.mentions(page, statuses=[Status(status) for status in statuses] or None)
    if mentions:
        showing.show_mentions(mentions, as_json=as_json)
    else:
        say("no mentions")
    return OK


@click.command()
@click.argument("status", type=_DECIDED)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@_site
@own_blog
@database
@as_json
def moderate(status: str, ids: tuple[str, ...], site: str | None, app: str, database: str, as_json: bool) -> int:
    """Give mentions a STATUS that lasts: approved, rejected or spam."""
    code = OK
    with records(site, app, database) as found:
        for id in ids:
            mention = found.store.moderate(id, Status(status)) if found.has(id) else None
            if mention is None:
                say(f"there is no mention {id}")
                code = NO
            else:
                showing.show_mention(mention, as_json=as_json)
    return code


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@_site
@own_blog
@database
def recheck(ids: tuple[str, ...], site: str | None, app: str, database: str) -> int:
    """Have the sources of mentions looked at again, by whoever does the work of the blog.

    A mention that was taken away comes back if its source links again. What a person decided stands: one that is
    rejected or spam is not looked at.
    """
    from linkback.site import utcnow

    code = OK
    with records(site, app, database) as found:
        for id in ids:
            mention = found.store.mention(id) if found.has(id) else None
            if mention is None:
                say(f"there is no mention {id}")
            elif mention.status in UNSEEN:
                say(f"{id} is {mention.status}, and stays so: its source is not looked at; moderate it first")
            elif found.store.recheck(id, due=utcnow()):
                say(f"the source of {id} will be looked at again")
                continue
            else:
                say(f"the check of {id} is laid aside")
            code = NO
    return code
