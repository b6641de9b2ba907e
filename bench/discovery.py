"""What it costs to find where a page listens: CPU for each page, of linkback, of peers and of the floor, in one run.

The floor is a search of each page's bytes for three words, up to the first of them that is there, and else for
references that may spell one; `same_answers` says that what is read in parts is what one pass over the whole page
gives. The peers read whole pages; such as read the first kilobytes only, or know one spelling of one protocol, are
near us or faster, and miss endpoints. Peers take one turn over the pages, the others the median of five. `make peers`
makes the environments of the peers.
"""

from __future__ import annotations

import sys

from corpus import corpus
from discovery_methods import METHODS, PEERS
from figure import ROOT, Figure, Goal, Kind, apart, arguments

sys.path.append(str(ROOT))
from tests.interop.environments import PEERS as ENVIRONMENTS
from tests.interop.environments import Unavailable

GOALS = (
    Goal("best_peer_to_linkback", "least", 50.0, "times faster than the best peer that reads the whole page"),
    Goal("linkback_to_floor", "most", 1.5, "times the floor, a search for three words"),
    Goal("same_answers", "least", 1.0, "share of pages with the answers of one pass over all of it"),
)


def python(method: str) -> str:
    """What runs a method: our interpreter, or that of a peer's environment; raises `Unavailable`."""
    return str(ENVIRONMENTS[PEERS[method]].find().python) if method in PEERS else sys.executable


def kind(method: str) -> Kind:
    """Whose a method is."""
    return "peer" if method in PEERS else "floor" if method == "floor" else "linkback"


def main() -> int:
    """Measure as the command line says."""
    given = arguments(__doc__, corpus=True).parse_args()
    figure = Figure("discovery", "Finding where a page listens", "ms CPU a page", GOALS)
    found: dict[str, list[dict[str, float]]] = {method: [] for method in METHODS}
    with corpus(given.corpus) as folder:
        for _ in range(given.rounds):
            for method, rounds in found.items():
                try:
                    rounds.append(apart("discovery_methods.py", method, folder, python=python(method)))
                except Unavailable as error:
                    print(f"{method}: {error}", file=sys.stderr)
    for method, rounds in found.items():
        if rounds:
            figure.row(method, kind(method), [each.pop("ms_a_page") for each in rounds], **rounds[-1])
    times = figure.values
    figure.ratios["linkback_to_floor"] = times["linkback"] / times["floor"]
    figure.ratios["same_answers"] = min(each["same_answers"] for each in found["linkback"])
    if peers := [times[method] for method in times if method in PEERS]:
        figure.ratios["best_peer_to_linkback"] = min(peers) / times["linkback"]
    return figure.end(check=given.check)


if __name__ == "__main__":
    sys.exit(main())
