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
from figure import Figure, Goal, arguments
from peers import kind, measured

GOALS = (
    Goal("best_peer_to_linkback", "least", 50.0, "times faster than the best peer that reads the whole page"),
    Goal("linkback_to_floor", "most", 1.5, "times the floor, a search for three words"),
    Goal("same_answers", "least", 1.0, "share of pages with the answers of one pass over all of it"),
)


def main() -> int:
    """Measure as the command line says."""
    given = arguments(__doc__, corpus=True).parse_args()
    figure = Figure("discovery", "Finding where a page listens", "ms CPU a page", GOALS)
    with corpus(given.corpus) as folder:
        found = measured("discovery_methods.py", METHODS, PEERS, given.rounds, folder)
    for method, rounds in found.items():
        figure.row(method, kind(method, PEERS), [each.pop("ms_a_page") for each in rounds], **rounds[-1])
    times = figure.values
    figure.ratios["linkback_to_floor"] = times["linkback"] / times["floor"]
    figure.ratios["same_answers"] = min(each["same_answers"] for each in found["linkback"])
    if peers := [times[method] for method in times if method in PEERS]:
        figure.ratios["best_peer_to_linkback"] = min(peers) / times["linkback"]
    return figure.end(check=given.check)


if __name__ == "__main__":
    sys.exit(main())
