"""The command line.

Exit codes: 0 done; 1 done, but the answer is no; 2 wrong usage or configuration; 3 no endpoint found; 4 temporary
trouble, try again; 130 interrupted. With `--json` results are one object per line on stdout. Logs go to stderr.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import click

from linkback import __version__, errors, terminal
from linkback.errors import FetchError, LinkbackError, NoBacklink, Reason, Refused, SourceGone
from linkback.model import Delivery, JobKind, Outcome, Status
from linkback.options import as_json, database, fetcher, fetching
from linkback.plaintext import head
from linkback.terminal import say
from linkback.wire import Fetch

OK, NO, USAGE, NO_ENDPOINT, TEMPORARY, INTERRUPTED = 0, 1, 2, 3, 4, 130
_STATUSES = click.Choice([status.value for status in Status])
_ARRIVED = frozenset({Outcome.SENT, Outcome.ACCEPTED})
_DONE = _ARRIVED | {Outcome.NO_ENDPOINT}
_DECIDED = click.Choice([Status.APPROVED.value, Status.REJECTED.value, Status.SPAM.value])


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="linkback %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is done.")
def cli(verbose: bool) -> None:
    """Pingback, TrackBack and Webmention, both ways."""
    terminal.set_up(logging.INFO if verbose else logging.WARNING)


@cli.command()
@click.argument("url")
@as_json
@fetching
def discover(url: str, as_json: bool, networks: tuple[str, ...], ports: tuple[str, ...]) -> int:
    """Show where the page at URL listens."""
    from linkback import verbs

    endpoints = verbs.discover(url, fetch=fetcher(networks, ports))
    terminal.show_endpoints(endpoints, as_json=as_json)
    for rejected in endpoints.rejected:
        say(f"not used: {rejected.protocol} {rejected.url} ({rejected.via.value}): {rejected.why}")
    if not endpoints:
        say(f"{url} advertises no endpoint")
    return OK if endpoints else NO_ENDPOINT


@cli.command()
@click.argument("source")
@click.argument("target")
@as_json
@fetching
def verify(source: str, target: str, as_json: bool, networks: tuple[str, ...], ports: tuple[str, ...]) -> int:
    """Check that the page SOURCE links to TARGET."""
    from linkback import verbs

    try:
        backlink = verbs.verify(source, target, fetch=fetcher(networks, ports))
    except (NoBacklink, SourceGone) as error:
        read_at = error.final_url if isinstance(error, NoBacklink) else ""
        terminal.show_not_linked(source, target, error.reason.value, error.detail, final_url=read_at, as_json=as_json)
        return NO
    except FetchError as error:
        reason = Reason.SOURCE_UNREADABLE.value
        terminal.show_not_linked(source, target, reason, error.message, final_url="", as_json=as_json)
        return TEMPORARY if error.temporary else NO
    terminal.show_backlink(backlink, as_json=as_json)
    return OK


@cli.command()
@click.argument("source")
@click.argument("target")
@as_json
@fetching
def explain(source: str, target: str, as_json: bool, networks: tuple[str, ...], ports: tuple[str, ...]) -> int:
    """Show step by step what would happen if TARGET were told that SOURCE links to it. Sends nothing."""
    from linkback import explain as explaining
    from linkback import urls

    steps = explaining.steps(fetcher(networks, ports, contact=urls.origin(source)), source, target)
    for step in steps:
        for line in [json.dumps(explaining.to_json(step))] if as_json else explaining.lines(step):
            terminal.write(line)
    return {
        explaining.Conclusion.READY: OK,
        explaining.Conclusion.NOT_LINKED: NO,
        explaining.Conclusion.NO_ENDPOINT: NO_ENDPOINT,
        explaining.Conclusion.TEMPORARY: TEMPORARY,
    }[explaining.conclude(steps)]


@cli.command()
@click.argument("source")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@as_json
@fetching
def send(
    source: str, targets: tuple[str, ...], as_json: bool, networks: tuple[str, ...], ports: tuple[str, ...]
) -> int:
    """Tell each TARGET that SOURCE links to it; without TARGET, every page that SOURCE links to."""
    from linkback import urls, verbs

    source = urls.check_argument(source, Reason.SOURCE_INVALID)
    wanted = [_target(target) for target in targets]
    fetch = fetcher(networks, ports, contact=urls.origin(source))
    wanted = wanted or verbs.targets(source, fetch=fetch)
    if not wanted:
        say(f"{source} links to no other page")
    deliveries = []
    for target in wanted:
        deliveries.append(_send(source, target, fetch))
        terminal.show_delivery(deliveries[-1], as_json=as_json)
    return _code(deliveries)


def _target(text: str) -> str:
    """A target as it was given; with several, who gave them must learn which is wrong."""
    from linkback import urls

    try:
        return urls.check_argument(text, Reason.TARGET_INVALID)
    except Refused as refusal:
        raise Refused(refusal.reason, f"{head(text, 100)!r}: {refusal.detail}") from refusal


def _send(source: str, target: str, fetch: Fetch) -> Delivery:
    """One delivery; a link that no receiver would take as a URL is refused here, and the others go on."""
    from linkback import verbs

    try:
        return verbs.send(source, target, fetch=fetch)
    except Refused as refusal:
        return Delivery(source=source, target=target, outcome=Outcome.REFUSED, detail=refusal.detail)


@cli.command()
@click.argument("source")
@click.option("--site", metavar="URL", help="The blog that SOURCE is a post of; its host by default.")
@database
@as_json
@fetching
def publish(
    source: str, site: str | None, database: str, as_json: bool, networks: tuple[str, ...], ports: tuple[str, ...]
) -> int:
    """Tell every page that the post SOURCE links to, once.

    What failed for now is tried again by later runs: once after about a minute, once more after about ten.
    """
    from linkback import urls
    from linkback.jobs import External
    from linkback.site import Site

    source = urls.check_argument(source, Reason.SOURCE_INVALID)
    origin = urls.origin(source)
    fetch = fetcher(networks, ports, contact=origin)
    with Site(site or origin, store=database, fetch=fetch, runner=External()) as blog:
        before = set(blog.deliveries(source))
        blog.publish(source)
        # checks in the same store are for whoever knows the policy of the blog
        blog.drain(kind=JobKind.DELIVER)
        after = blog.deliveries(source)
    told = [delivery for delivery in after if delivery not in before or delivery.outcome not in _DONE]
    for delivery in told:
        terminal.show_delivery(delivery, as_json=as_json)
    if not told:
        say(_nothing_new(after))
    return _code(after)


def _nothing_new(deliveries: Sequence[Delivery]) -> str:
    if not deliveries:
        return "nothing to tell: the post links to no other page"
    arrived = sum(delivery.outcome in _ARRIVED for delivery in deliveries)
    return f"nothing new; linked pages told before: {arrived}, not listening: {len(deliveries) - arrived}"


def _code(deliveries: Sequence[Delivery]) -> int:
    """The exit code that sums up deliveries: temporary trouble only where nothing else can be said."""
    arrived = any(delivery.outcome in _ARRIVED for delivery in deliveries)
    if undone := [delivery for delivery in deliveries if delivery.outcome not in _DONE]:
        return TEMPORARY if not arrived and all(map(_may_yet_arrive, undone)) else NO
    return OK if arrived or not deliveries else NO_ENDPOINT


def _may_yet_arrive(delivery: Delivery) -> bool:
    """Whether another try is worth making, and is not one that `publish` gave up."""
    from linkback.policy import Retry

    tries_left = {
        Outcome.QUEUED: 1,
        Outcome.FAILED: len(Retry().delays) + 1 - delivery.attempts,
        Outcome.UNKNOWN: delivery.again + 1 - delivery.attempts,
    }
    return tries_left.get(delivery.outcome, 0) > 0


@cli.command("list")
@click.option("--target", metavar="URL", help="Only the mentions of this page.")
@click.option("--status", "statuses", multiple=True, type=_STATUSES, help="Only mentions with this status. Repeatable.")
@click.option("--site", metavar="URL", help="Only the mentions of this blog.")
@database
@as_json
def list_(target: str | None, statuses: tuple[str, ...], site: str | None, database: str, as_json: bool) -> int:
    """List the mentions that were received."""
    from linkback import urls
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


@cli.command()
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


@cli.command()
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


@cli.command()
@click.option("--keep", is_flag=True, help="Leave both blogs up, to look at, until interrupted.")
def demo(keep: bool) -> int:
    """Let two blogs on this machine tell each other about a link, by all three protocols."""
    from linkback.demo import run

    return OK if run(keep=keep) else NO


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; give its exit code. The installed `linkback` command is this."""
    try:
        code = cli.main(arguments, prog_name="linkback", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        terminal.write(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        say(" ".join(error.format_message().split()))
        return USAGE
    except (errors.ConfigurationError, errors.StoreError, Refused) as error:
        say(str(error))
        return USAGE
    except FetchError as error:
        say(str(error))
        return TEMPORARY if error.temporary else NO
    except LinkbackError as error:
        say(str(error))
        return NO
    return code if isinstance(code, int) else OK
