"""Commands that ask and tell about one link, and keep no records."""

from __future__ import annotations

import json

import click

from linkback import terminal
from linkback.cli.codes import NO, NO_ENDPOINT, OK, TEMPORARY
from linkback.cli.outcomes import delivered
from linkback.errors import FetchError, NoBacklink, Reason, Refused, SourceGone
from linkback.model import Delivery, Outcome
from linkback.options import as_json, fetcher, fetching
from linkback.plaintext import head
from linkback.terminal import say
from linkback.wire import Fetch


@click.command()
@click.argument("url")
@as_json
@fetching
def discover(url: str, as_json: bool, networks: tuple[str, ...], ports: tuple[str, ...]) -> int:
    """Show where the page at URL listens."""
    from linkback import verbs

    endpoints = verbs.discover(url, fetch=fetcher(networks, ports))
    # only now: it would hold the request up by a tenth (bench/startup.py)
    from linkback.cli import showing

    showing.show_endpoints(endpoints, as_json=as_json)
    for rejected in endpoints.rejected:
        say(f"not used: {rejected.protocol} {rejected.url} ({rejected.via.value}): {rejected.why}")
    if not endpoints:
        say(f"{url} advertises no endpoint")
    return OK if endpoints else NO_ENDPOINT


@click.command()
@click.argument("source")
@click.argument("target")
@as_json
@fetching
def verify(source: str, target: str, as_json: bool, networks: tuple[str, ...], ports: tuple[str, ...]) -> int:
    """Check that the page SOURCE links to TARGET."""
    from linkback import verbs
    from linkback.cli import showing

    try:
        backlink = verbs.verify(source, target, fetch=fetcher(networks, ports))
    except (NoBacklink, SourceGone) as error:
        read_at = error.final_url if isinstance(error, NoBacklink) else ""
        showing.show_not_linked(source, target, error.reason.value, error.detail, final_url=read_at, as_json=as_json)
        return NO
    except FetchError as error:
        reason = Reason.SOURCE_UNREADABLE.value
        showing.show_not_linked(source, target, reason, error.message, final_url="", as_json=as_json)
        return TEMPORARY if error.temporary else NO
    showing.show_backlink(backlink, as_json=as_json)
    return OK


@click.command()
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


@click.command()
@click.argument("source")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@as_json
@fetching
def send(
    source: str, targets: tuple[str, ...], as_json: bool, networks: tuple[str, ...], ports: tuple[str, ...]
) -> int:
    """Tell each TARGET that SOURCE links to it; without TARGET, every page that SOURCE links to."""
    from linkback import urls, verbs
    from linkback.cli import showing

    source = urls.check_argument(source, Reason.SOURCE_INVALID)
    wanted = [_target(target) for target in targets]
    fetch = fetcher(networks, ports, contact=urls.origin(source))
    wanted = wanted or verbs.targets(source, fetch=fetch)
    if not wanted:
        say(f"{source} links to no other page")
    deliveries = []
    for target in wanted:
        deliveries.append(_send(source, target, fetch))
        showing.show_delivery(deliveries[-1], as_json=as_json)
    return delivered(deliveries)


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
