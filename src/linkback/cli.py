"""The command line.

Exit codes: 0 done; 1 done, but the answer is no; 2 wrong usage or configuration; 3 no endpoint found; 4 temporary
trouble, try again; 130 interrupted. With `--json` results are one object per line on stdout. Logs go to stderr.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from linkback import __version__
from linkback.errors import ConfigurationError, FetchError, LinkbackError, NoBacklink, Refused, SourceGone, StoreError
from linkback.model import Delivery, Outcome, Status
from linkback.store import DEFAULT_STORE
from linkback.terminal import print_json, say, show_backlink, show_delivery, show_endpoints, show_mentions
from linkback.web import mentions as shape

if TYPE_CHECKING:
    from linkback.fetch import Fetcher

OK, NO, USAGE, NO_ENDPOINT, TEMPORARY, INTERRUPTED = 0, 1, 2, 3, 4, 130
_STATUSES = click.Choice([status.value for status in Status])
_DECIDED = click.Choice([Status.APPROVED.value, Status.REJECTED.value, Status.SPAM.value])

Command = Callable[..., Any]


def _split(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Options add up; a variable of the environment lists its values with commas."""
    return tuple(part.strip() for item in value for part in item.split(",") if part.strip())


def fetching(command: Command) -> Command:
    """Options of every command that reads the web."""
    networks = click.option(
        "--allow-network",
        "networks",
        multiple=True,
        metavar="CIDR",
        envvar="LINKBACK_ALLOW_NETWORKS",
        callback=_split,
        help="Talk to this private network too, such as 127.0.0.0/8. Repeatable.",
    )
    ports = click.option(
        "--allow-port",
        "ports",
        multiple=True,
        metavar="PORT",
        envvar="LINKBACK_ALLOW_PORTS",
        callback=_split,
        help="Talk to this port on public addresses too. Repeatable.",
    )
    return networks(ports(command))


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
database = click.option(
    "--database",
    default=DEFAULT_STORE,
    show_default=True,
    metavar="URL",
    envvar="LINKBACK_DATABASE",
    help="Where the records are kept.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="linkback %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is done.")
def cli(verbose: bool) -> None:
    """Pingback, TrackBack and Webmention, both ways."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )


@cli.command()
@click.argument("url")
@as_json
@fetching
def discover(url: str, as_json: bool, networks: tuple[str, ...], ports: tuple[str, ...]) -> int:
    """Show where the page at URL listens."""
    from linkback import verbs

    endpoints = verbs.discover(url, fetch=_fetcher(networks, ports))
    if as_json:
        print_json(shape.endpoints_to_json(endpoints))
    else:
        show_endpoints(endpoints)
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
        backlink = verbs.verify(source, target, fetch=_fetcher(networks, ports))
    except (NoBacklink, SourceGone) as error:
        return _not_linked(source, target, error.reason.value, error.detail, as_json=as_json)
    except FetchError as error:
        code = _not_linked(source, target, "source-unreadable", error.message, as_json=as_json)
        return TEMPORARY if error.temporary else code
    if as_json:
        print_json(shape.backlink_to_json(backlink))
    else:
        show_backlink(backlink)
    return OK


def _not_linked(source: str, target: str, reason: str, detail: str, *, as_json: bool) -> int:
    if as_json:
        print_json(shape.not_linked_to_json(source, target, reason, detail))
    say(f"not linked ({reason}): {detail}")
    return NO


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

    fetch = _fetcher(networks, ports, contact=urls.origin(source))
    wanted = list(targets) or verbs.targets(source, fetch=fetch)
    if not wanted:
        say(f"{source} links to no other page")
    return _report((verbs.send(source, target, fetch=fetch) for target in wanted), as_json=as_json)


@cli.command()
@click.argument("source")
@click.option("--site", metavar="URL", help="The blog that SOURCE is a post of; its host by default.")
@database
@as_json
@fetching
def publish(
    source: str,
    site: str | None,
    database: str,
    as_json: bool,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
) -> int:
    """Tell every page that the post SOURCE links to, once; what failed is tried again by the next run."""
    from linkback import urls
    from linkback.errors import Reason
    from linkback.jobs import External
    from linkback.site import Site

    source = urls.check_argument(source, Reason.SOURCE_INVALID)
    origin = urls.origin(source)
    fetch = _fetcher(networks, ports, contact=origin)
    with Site(site or origin, store=database, fetch=fetch, runner=External()) as blog:
        before = {delivery.id: delivery for delivery in blog.deliveries(source)}
        blog.publish(source)
        blog.drain()
        now = [delivery for delivery in blog.deliveries(source) if delivery != before.get(delivery.id)]
        if not now:
            say(f"nothing new: {len(before)} linked pages were told before")
    return _report(now, as_json=as_json)


def _report(deliveries: Iterable[Delivery], *, as_json: bool) -> int:
    """Print deliveries as they are made; give the exit code that sums them up."""
    outcomes = []
    for delivery in deliveries:
        print_json(shape.delivery_to_json(delivery)) if as_json else show_delivery(delivery)
        outcomes.append(delivery.outcome)
    tried = [outcome for outcome in outcomes if outcome is not Outcome.NO_ENDPOINT]
    if not tried:
        return NO_ENDPOINT if outcomes else OK
    if all(outcome in (Outcome.SENT, Outcome.ACCEPTED) for outcome in tried):
        return OK
    return TEMPORARY if all(outcome in (Outcome.FAILED, Outcome.UNKNOWN) for outcome in tried) else NO


@cli.command("list")
@click.option("--target", metavar="URL", help="Only the mentions of this page.")
@click.option("--status", "statuses", multiple=True, type=_STATUSES, help="Only mentions with this status. Repeatable.")
@click.option("--site", metavar="URL", help="Only the mentions of this blog.")
@database
@as_json
def list_(target: str | None, statuses: tuple[str, ...], site: str | None, database: str, as_json: bool) -> int:
    """List the mentions that were received."""
    from linkback import urls
    from linkback.errors import Reason
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
    if not as_json:
        show_mentions(found)
        return OK
    for mention in found:
        print_json(shape.mention_to_json(mention))
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
            elif as_json:
                print_json(shape.mention_to_json(mention))
            else:
                click.echo(f"{mention.id} {mention.status.value} {mention.source}")
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
    site: str,
    database: str,
    bind: str,
    base: str,
    moderate: bool,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
) -> int:
    """Receive pingbacks, trackbacks and webmentions for a blog."""
    from linkback.adapters.server import Server
    from linkback.adapters.wsgi import endpoints
    from linkback.policy import Policy
    from linkback.site import Site

    logging.getLogger("linkback").setLevel(logging.INFO)
    fetch = _fetcher(networks, ports, contact=site)
    with Site(site, store=database, fetch=fetch, policy=Policy(moderate=moderate)) as blog:
        server = Server(endpoints(blog, base=base), bind)
        blog.start()
        server.run(lambda: say(f"listening on {server.url} for {blog.url}"))
    return OK


@cli.command()
@click.option("--keep", is_flag=True, help="Leave both blogs up, to look at, until interrupted.")
def demo(keep: bool) -> int:
    """Let two blogs on this machine tell each other about a link, by all three protocols."""
    from linkback.demo import run

    return OK if run(keep=keep) else NO


def _fetcher(networks: tuple[str, ...], ports: tuple[str, ...], *, contact: str = "") -> Fetcher:
    from linkback.fetch import Fetcher, Limits, introduction

    defaults = Limits()
    if not all(port.isascii() and port.isdigit() and 0 < int(port) < 65536 for port in ports):
        raise ConfigurationError(f"a port is a number from 1 to 65535, not {', '.join(ports)}")
    limits = Limits(ports=defaults.ports | {int(port) for port in ports}) if ports else defaults
    return Fetcher(allow=networks, limits=limits, user_agent=introduction(contact))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; give its exit code. The installed `linkback` command is this."""
    try:
        code = cli.main(arguments, prog_name="linkback", standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        say(" ".join(error.format_message().split()))
        return USAGE
    except (ConfigurationError, StoreError, Refused) as error:
        say(str(error))
        return USAGE
    except FetchError as error:
        say(str(error))
        return TEMPORARY if error.temporary else NO
    except LinkbackError as error:
        say(str(error))
        return NO
    except BrokenPipeError:
        # whoever read our output has seen enough
        sys.stderr.close()
        return OK
    return code if isinstance(code, int) else OK
