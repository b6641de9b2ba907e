"""What a page made to hurt costs: CPU and memory over the start, for eleven shapes of 1 MiB, each read in four ways.

linkback looks for endpoints, for a link that is there, for one that is not, and for a link with all that the page says
of itself; its row has the worst of the four, and the peers' have their worst shape. The words that are looked for stand
at both ends of each page, so that no short cut helps. A peer is stopped after some seconds of CPU.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from discovery_methods import PEERS
from figure import Figure, Goal, apart, arguments
from peers import interpreter

GOALS = (
    Goal("worst_ms", "most", 150.0, "ms of CPU to find endpoints or a link, the worst of eleven shapes"),
    Goal("worst_mb", "most", 32.0, "MB over the start for that, the worst likewise"),
    Goal("metadata_ms", "most", 150.0, "ms of CPU with all that the page says of itself, the worst of eleven shapes"),
    Goal("metadata_mb", "most", 32.0, "MB over the start for that, the worst likewise"),
)
WAYS = ("discovery", "link there", "link absent", "with metadata")
SIZE = 1_048_576
LIMIT_SECONDS = 5
TARGET = b"https://bob.example/2024/05/two-pages-that-link"
_LINK = b'<a href="%s">a link</a>' % TARGET
#: the words that a search for endpoints or links would find, and no more
_WORDS = b"<p>pingback webmention trackback two-pages-that-link pingback-webmention</p>"
_HEAD = b"<html><body>" + _WORDS
_TAIL = b' <link rel=pingback href=/x>%s<link rel="webmention" href="/w">' % _WORDS
_PARAGRAPH = b'<p>Lorem ipsum <b>dolor</b> sit <a href="/t/x">amet</a>, consectetur adipiscing elit.</p>\n'


def pieces() -> dict[str, bytes]:
    """What each shape repeats; `%d` is counted up."""
    return {
        "paragraphs": _PARAGRAPH,
        "nested div": b"<div>",
        "nested p b": b"<p><b>",
        "links": b'<a href="https://h%d.example/p/%d">x</a>\n',
        "attributes of one link": b" a%d=1",
        "equal attributes of one link": b" a=1",
        "unclosed tags": b"<a <a <a ",
        "unclosed comments": b"<!--",
        "references": b"&amp;",
        "one long attribute": b"a",
        "near hits": b"<a rel=pingbackx href=y>",
    }


def shape(name: str, *, first: bool) -> bytes:
    """A page of a shape, its link at the end, or `first` where all the rest is to be read for its sake."""
    opening = {
        "attributes of one link": b"<a",
        "equal attributes of one link": b"<a",
        "one long attribute": b'<a href="',
    }
    head = _HEAD + (_LINK if first else b"") + opening.get(name, b"")
    tail = (b"" if first else _LINK) + _TAIL
    if "attributes" in name:
        tail = b" href=x rel=webmention>" + tail
    return head + b"".join(repeated(pieces()[name], SIZE - len(head) - len(tail))) + tail


def repeated(piece: bytes, room: int) -> Iterator[bytes]:
    """A piece, as often as there is room for it."""
    number = 0
    while True:
        each = piece % ((number,) * piece.count(b"%d")) if b"%d" in piece else piece
        room -= len(each)
        if room < 0:
            return
        yield each
        number += 1


def read(way: str, page: Path, python: str = sys.executable) -> dict[str, Any]:
    """One reading; one that was stopped is given the limit."""
    try:
        return apart("hostile_methods.py", way, page, python=python)
    except subprocess.CalledProcessError as error:
        if error.returncode != -signal.SIGXCPU:
            raise
        return {"ms": LIMIT_SECONDS * 1000.0, "mb": 0.0, "stopped": True}


def ours(figure: Figure, name: str, folder: Path, rounds: int) -> None:
    """The rows of one shape, and what it adds to the ratios."""
    for first in (False, True):
        (folder / f"{first}.html").write_bytes(shape(name, first=first))
    found = {way: [read(way, folder / f"{way == 'with metadata'}.html") for _ in range(rounds)] for way in WAYS}
    times = {way: statistics.median(each["ms"] for each in of_way) for way, of_way in found.items()}
    sizes = {way: max(each["mb"] for each in of_way) for way, of_way in found.items()}
    told = {way: round(taken, 1) for way, taken in times.items()}
    figure.row(name, "linkback", [max(times.values())], **told)
    told = {way: round(size, 1) for way, size in sizes.items()}
    figure.row(name, "linkback", [max(sizes.values())], unit="MB over the start", **told)
    for ratio, each in (("ms", times), ("mb", sizes)):
        *finding, describing = each.values()
        for goal, value in ((f"worst_{ratio}", max(finding)), (f"metadata_{ratio}", describing)):
            figure.ratios[goal] = max(value, figure.ratios.get(goal, 0.0))


def theirs(figure: Figure, folder: Path) -> None:
    """The rows of the peers: the worst of all shapes."""
    for peer, environment in PEERS.items():
        if (python := interpreter(environment, peer)) is None:
            continue
        found = {name: read(peer, folder / f"{name}.page", python) for name in pieces()}
        worst = max(found, key=lambda name: float(found[name]["ms"]))
        stopped = [name for name, each in found.items() if each.get("stopped")]
        told = {"worst": worst, "stopped": ", ".join(stopped) or "nowhere"}
        figure.row(peer, "peer", [found[worst]["ms"]], **told)
        figure.row(peer, "peer", [max(each["mb"] for each in found.values())], unit="MB over the start")


def main() -> int:
    """Measure as the command line says."""
    given = arguments(__doc__).parse_args()
    figure = Figure("hostile", "Hostile pages", "ms CPU", GOALS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for shaped in pieces():
            ours(figure, shaped, folder, given.rounds)
            (folder / f"{shaped}.page").write_bytes(shape(shaped, first=False))
        theirs(figure, folder)
    return figure.end(check=given.check)


if __name__ == "__main__":
    sys.exit(main())
