"""What is written to a terminal: text, JSON lines, tables. The only owner of `rich`.

Rule 1: results go to stdout, everything else to stderr; JSON is one ASCII object per line.
Rule 2: what a stranger wrote is plain text before it is shown: a terminal obeys control characters.
Rule 3: a reader who leaves early stops the output, not the work.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

import click

from linkback.errors import LinkbackError
from linkback.plaintext import collapse as _plain

_PIPE_WIDTH = 200


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


def write_json(value: object) -> None:
    """Print a value as one line of JSON."""
    # ASCII, so that no locale can break it
    write(json.dumps(value))
