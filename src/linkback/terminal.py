"""How results look on a terminal, and as JSON lines. The only owner of `rich`.

Rule: results go to stdout, everything else to stderr; `--json` is one ASCII object per line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

import click

from linkback.model import Backlink, Delivery, Endpoints, Mention, Outcome


def print_json(value: object) -> None:
    """One object on one line; ASCII, so that no locale can break it."""
    click.echo(json.dumps(value))


def say(text: str) -> None:
    """A line for the person who started the command."""
    click.echo(f"linkback: {text}", err=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """A table as wide as the terminal; on a pipe, as wide as its content."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, box=SIMPLE_HEAD, title=title or None, title_justify="left")
    for row in rows:
        # Text: a stranger's title is no markup
        drawn.add_row(*(Text(cell, overflow="fold") for cell in row))
    console = Console(file=sys.stdout, highlight=False)
    console.print(drawn) if console.is_terminal else Console(file=sys.stdout, width=200).print(drawn)


def show_endpoints(endpoints: Endpoints) -> None:
    """One line per protocol the page listens to."""
    for name, endpoint in endpoints.found.items():
        click.echo(f"{name:<12}{endpoint.url}  ({endpoint.via.value})")


def show_backlink(backlink: Backlink) -> None:
    """The proof and the description, one fact a line."""
    click.echo(f"linked: <{backlink.element}> {backlink.attribute}={backlink.href}")
    facts = {
        "title": backlink.title,
        "author": backlink.author.name,
        "excerpt": backlink.excerpt,
        "published": backlink.published.isoformat() if backlink.published else "",
        "kind": backlink.kind,
        "found at": backlink.final_url if backlink.final_url != backlink.source else "",
    }
    for name, value in facts.items():
        if value:
            click.echo(f"{name + ':':<11}{value}")


def show_delivery(delivery: Delivery) -> None:
    """How one delivery went, on one line."""
    way = f" by {delivery.protocol}" if delivery.protocol else ""
    code = f" [{delivery.code}]" if delivery.code is not None else ""
    detail = f": {delivery.detail}" if delivery.detail and delivery.outcome is not Outcome.SENT else ""
    click.echo(f"{delivery.outcome.value}{way} {delivery.target}{code}{detail}")


def show_mentions(mentions: Sequence[Mention]) -> None:
    """A table of mentions."""
    rows = [
        (
            mention.id,
            mention.status.value,
            "+".join(mention.protocols),
            mention.title,
            mention.source,
            mention.target,
            f"{mention.received:%Y-%m-%d %H:%M}",
        )
        for mention in mentions
    ]
    table(("id", "status", "protocols", "title", "source", "target", "received (UTC)"), rows)
