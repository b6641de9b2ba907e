"""What it costs to see whether a page links: CPU for each page, of linkback, of peers and of the floor, in one run.

Pages are asked about one of their own links to something else than a home page, wherever on them it stands, with the
evidence and without what the page says of itself; and about one that none has. The floor is a search of each page's
bytes for the longest word of the target's path and, where that is missing, for references that may spell it;
`same_answers` says that the short ways find what a look at every link finds. Peers take one turn over the pages, the
others the median of five. `make peers` makes the environments of the peers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from corpus import corpus
from figure import ROOT, Figure, Goal, Kind, apart, arguments
from verification_methods import PEERS

sys.path.append(str(ROOT))
from tests.interop.environments import PEERS as ENVIRONMENTS
from tests.interop.environments import Unavailable

METHODS = ("linkback", "whole pages", "floor", "webmention-tools", "webmentions", "indieweb-utils")
GOALS = (
    Goal("webmention_tools_to_linkback", "least", 50.0, "times faster than webmention-tools on a page that links"),
    Goal("webmentions_to_linkback", "least", 50.0, "times faster than webmentions on a page that links"),
    Goal("linkback_to_floor", "most", 4.0, "times the floor, a search for one word, on a page that links"),
    Goal("linkback_to_floor_absent", "most", 2.0, "times the floor on a page that does not link"),
    Goal("same_answers", "least", 1.0, "share of pages with the answers of a look at every link"),
)


def python(method: str) -> str:
    """What runs a method: our interpreter, or that of a peer's environment; raises `Unavailable`."""
    return str(ENVIRONMENTS[PEERS[method]].find().python) if method in PEERS else sys.executable


def kind(method: str) -> Kind:
    """Whose a method is."""
    return "peer" if method in PEERS else "floor" if method == "floor" else "linkback"


def measured(methods: tuple[str, ...], folder: Path, rounds: int, *options: str) -> dict[str, list[dict[str, float]]]:
    """What each method's processes print, in turn; those without an environment are left out, with a word."""
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for method in methods:
            try:
                done = apart("verification_methods.py", method, folder, *options, python=python(method))
            except Unavailable as error:
                print(f"{method}: {error}", file=sys.stderr)
            else:
                found.setdefault(method, []).append(done)
    return found


def main() -> int:
    """Measure as the command line says."""
    given = arguments(__doc__, corpus=True).parse_args()
    figure = Figure("verification", "Seeing whether a page links", "ms CPU a page", GOALS)
    with corpus(given.corpus) as folder:
        linking = measured(METHODS, folder, given.rounds, "--linking")
        absent = measured(METHODS, folder, given.rounds)
    for words, found in (("", linking), (", no link", absent)):
        for method, rounds in found.items():
            figure.row(f"{method}{words}", kind(method), [each.pop("ms_a_page") for each in rounds], **rounds[-1])
    times = figure.values
    figure.ratios["linkback_to_floor"] = times["linkback"] / times["floor"]
    figure.ratios["linkback_to_floor_absent"] = times["linkback, no link"] / times["floor, no link"]
    figure.ratios["same_answers"] = min(
        each["same_answers"] for found in (linking, absent) for each in found["linkback"]
    )
    for name, method in (
        ("webmention_tools_to_linkback", "webmention-tools"),
        ("webmentions_to_linkback", "webmentions"),
        ("webmentions_to_linkback_absent", "webmentions, no link"),
    ):
        if method in times:
            figure.ratios[name] = times[method] / times["linkback, no link" if "no link" in method else "linkback"]
    return figure.end(check=given.check)


if __name__ == "__main__":
    sys.exit(main())
