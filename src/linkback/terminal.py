"""How results look on a terminal, and as JSON lines. The only owner of `rich`.

Rule 1: results go to stdout, everything else to stderr; JSON is one ASCII object per line.
Rule 2: what a stranger wrote is plain text before it is shown: a terminal obeys control characters.
Rule 3: a reader who leaves early stops the output, not the work.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

import click

from linkback.errors import LinkbackError
from linkback.model import Backlink, Delivery, Endpoints, Job, Mention, Outcome
from linkback.plaintext import collapse as _plain
from linkback.web import shapes

_PIPE_WIDTH = 200


class _PlainFormatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        return _plain(super().formatMessage(record))


def set_up(level: int) -> None:
    """Send the log to stderr, from `level` (of `logging`) up, and let no locale fail a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PlainFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=level)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def write(text: str, *, err: bool = False) -> None:
    """Print text of our own making, as it is; raises `LinkbackError` where it cannot be written."""
    try:
        click.echo(text, err=err)
    except OSError as error:
        _let_go(sys.stderr if err else sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise LinkbackError(f"cannot write: {error.strerror}") from error


def _let_go(stream: TextIO) -> None:
    # what is in its buffer would fail once more at exit
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say(text: str) -> None:
    """A line for the person who started the command."""
    write(f"linkback: {_plain(text)}", err=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """A table as wide as the terminal; on a pipe, as wide as its content, within reason."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, box=SIMPLE_HEAD, title=title or None, title_justify="left")
    for row in rows:
        # Text: a stranger's title is no markup
        drawn.add_row(*(Text(_plain(cell), overflow="fold") for cell in row))
    screen = Console(file=sys.stdout)
    # not drawn on the screen itself: that write must be ours to fail
    paper = io.TextIOWrapper(io.BytesIO(), encoding=screen.encoding, errors="replace")
    width = screen.width if screen.is_terminal else _PIPE_WIDTH
    Console(file=paper, force_terminal=screen.is_terminal, width=width, highlight=False).print(drawn)
    paper.seek(0)
    write(paper.read().removesuffix("\n"))


def _json(value: object) -> None:
    # ASCII, so that no locale can break it
    write(json.dumps(value))


def show_endpoints(endpoints: Endpoints, *, as_json: bool) -> None:
    """One line per protocol the page listens to."""
    if as_json:
        _json(shapes.endpoints_to_json(endpoints))
        return
    for name, endpoint in endpoints.found.items():
        write(f"{name:<12}{_plain(endpoint.url)}  ({endpoint.via.value})")


def show_backlink(backlink: Backlink, *, as_json: bool) -> None:
    """The proof and the description, one fact a line."""
    if as_json:
        _json(shapes.backlink_to_json(backlink))
        return
    write(_plain(f"linked: <{backlink.element}> {backlink.attribute}={backlink.href}"))
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
            write(f"{name + ':':<11}{_plain(value)}")


def show_not_linked(source: str, target: str, reason: str, detail: str, *, final_url: str, as_json: bool) -> None:
    """Why a page does not prove a claim; `final_url` is where it was read, "" where it was not."""
    if as_json:
        _json(shapes.not_linked_to_json(source, target, reason, detail, final_url=final_url))
    say(f"not linked ({reason}): {detail}")


def show_delivery(delivery: Delivery, *, as_json: bool) -> None:
    """How one delivery went, on one line."""
    if as_json:
        _json(shapes.delivery_to_json(delivery))
        return
    write(_plain(shapes.delivery_line(delivery)))


def show_deliveries(deliveries: Sequence[Delivery], *, as_json: bool) -> None:
    """A table of deliveries."""
    if as_json:
        for delivery in deliveries:
            show_delivery(delivery, as_json=True)
        return
    rows = [
        (one.outcome.value, one.protocol or "", one.source, one.target, str(one.attempts), one.detail)
        for one in deliveries
    ]
    table(("outcome", "protocol", "source", "target", "attempts", "detail"), rows)


def show_owed(delivery: Delivery, *, as_json: bool) -> None:
    """One delivery that would be owed, and why."""
    if as_json:
        _json(shapes.delivery_to_json(delivery))
        return
    why = "withdrawn" if delivery.outcome is Outcome.WITHDRAWN else delivery.cause.value
    write(_plain(f"{why} {delivery.target}"))


def show_job(job: Job, *, as_json: bool) -> None:
    """One job that waits for a person, on one line."""
    if as_json:
        _json(
            {"id": job.id, "kind": job.kind.value, "subject": job.subject, "attempts": job.attempts, "site": job.site}
        )
        return
    write(_plain(f"{job.id} {job.kind.value} {job.subject} {job.site} after {job.attempts} attempts"))


def show_mention(mention: Mention, *, as_json: bool) -> None:
    """Where one mention stands, on one line."""
    if as_json:
        _json(shapes.mention_to_json(mention))
        return
    write(_plain(f"{mention.id} {mention.status.value} {mention.source}"))


def show_mentions(mentions: Sequence[Mention], *, as_json: bool) -> None:
    """A table of mentions."""
    if as_json:
        for mention in mentions:
            show_mention(mention, as_json=True)
        return
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
