"""Commands for the mentions that a blog receives."""

from __future__ import annotations

import click

from linkback import terminal, urls
from linkback.cli.codes import NO, OK
from linkback.errors import Reason
from linkback.model import Status
from linkback.options import as_json, database, stored
from linkback.terminal import say

_STATUSES = click.Choice([status.value for status in Status])
_DECIDED = click.Choice([Status.APPROVED.value, Status.REJECTED.value, Status.SPAM.value])


@click.command("list")
@click.option("--target", metavar="URL", help="Only the mentions of this page.")
@click.option("--status", "statuses", multiple=True, type=_STATUSES, help="Only mentions with this status. Repeatable.")
@click.option("--site", metavar="URL", help="Only the mentions of this blog.")
@database
@as_json
def list_(target: str | None, statuses: tuple[str, ...], site: str | None, database: str, as_json: bool) -> int:
    """List the mentions that were received."""
    from linkback.ownpages import OwnPages

    wanted = urls.check_argument(target, Reason.TARGET_INVALID) if target else None
    with stored(database) as store:
        mentions = store.mentions(
            site=OwnPages(site).url if site else None,
            statuses=[Status(status) for status in statuses] or None,
        )
    found = [mention for mention in mentions if wanted is None or urls.same_page(mention.target, wanted)]
    if found:
        terminal.show_mentions(found, as_json=as_json)
    else:
        say("no mentions")
    return OK


@click.command()
@click.argument("status", type=_DECIDED)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@database
@as_json
def moderate(status: str, ids: tuple[str, ...], database: str, as_json: bool) -> int:
    """Give mentions a STATUS that lasts: approved, rejected or spam."""
    code = OK
    with stored(database) as store:
        for id in ids:
            mention = store.moderate(id, Status(status))
            if mention is None:
                say(f"there is no mention {id}")
                code = NO
            else:
                terminal.show_mention(mention, as_json=as_json)
    return code


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@database
def recheck(ids: tuple[str, ...], database: str) -> int:
    """Have the sources of mentions looked at again, by whoever does the work of the blog.

    A mention that was taken away comes back if its source links again. What a person decided stands.
    """
    from linkback.site import utcnow

    code = OK
    with stored(database) as store:
        for id in ids:
            if store.recheck(id, due=utcnow()):
                say(f"the source of {id} will be looked at again")
            else:
                say(f"there is no mention {id}" if store.mention(id) is None else f"the check of {id} is laid aside")
                code = NO
    return code
