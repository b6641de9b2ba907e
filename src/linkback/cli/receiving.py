"""Commands for the mentions that a blog receives."""

from __future__ import annotations

import logging

import click

from linkback import terminal, urls
from linkback.cli.codes import NO, OK
from linkback.errors import Reason
from linkback.model import Status
from linkback.options import as_json, database, fetcher, fetching
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
    from linkback.store import open_store

    wanted = urls.check_argument(target, Reason.TARGET_INVALID) if target else None
    store = open_store(database, create=False)
    try:
        mentions = store.mentions(
            site=OwnPages(site).url if site else None,
            statuses=[Status(status) for status in statuses] or None,
        )
    finally:
        store.close()
    found = [mention for mention in mentions if wanted is None or urls.same_page(mention.target, wanted)]
    terminal.show_mentions(found, as_json=as_json)
    return OK


@click.command()
@click.argument("status", type=_DECIDED)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@database
@as_json
def moderate(status: str, ids: tuple[str, ...], database: str, as_json: bool) -> int:
    """Give mentions a STATUS that lasts: approved, rejected or spam."""
    from linkback.store import open_store

    store = open_store(database, create=False)
    code = OK
    try:
        for id in ids:
            mention = store.moderate(id, Status(status))
            if mention is None:
                say(f"there is no mention {id}")
                code = NO
            else:
                terminal.show_mention(mention, as_json=as_json)
    finally:
        store.close()
    return code


@click.command()
@click.option("--site", required=True, metavar="URL", envvar="LINKBACK_SITE", help="The blog that mentions are for.")
@database
@click.option("--bind", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option("--base", default="", metavar="URL", help="The public URL of the endpoints, where a proxy hides it.")
@click.option("--moderate", is_flag=True, help="Hold verified mentions until they are approved.")
@fetching
def serve(
    site: str, database: str, bind: str, base: str, moderate: bool, networks: tuple[str, ...], ports: tuple[str, ...]
) -> int:
    """Receive pingbacks, trackbacks and webmentions for a blog."""
    from linkback.adapters import server
    from linkback.adapters.wsgi import endpoints
    from linkback.policy import Policy
    from linkback.site import Site

    server.require()
    logging.getLogger("linkback").setLevel(logging.INFO)
    fetch = fetcher(networks, ports, contact=site)
    with Site(site, store=database, fetch=fetch, policy=Policy(moderate=moderate)) as blog:
        listening = server.Server(endpoints(blog, base=base), bind)
        blog.start()
        listening.run(lambda: say(f"listening on {listening.url} for {blog.url}"))
    return OK


@click.command()
@click.option("--keep", is_flag=True, help="Leave both blogs up, to look at, until interrupted.")
def demo(keep: bool) -> int:
    """Let two blogs on this machine tell each other about a link, by all three protocols."""
    from linkback.demo import run

    return OK if run(keep=keep) else NO
