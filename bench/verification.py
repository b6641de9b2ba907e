"""What it costs to see whether a page links: CPU for each page, of linkback, of peers and of the floor, in one run.

Pages are asked about one of their own links to something else than a home page, wherever on them it stands, with the
evidence and without what the page says of itself; and about one that none has. The floor is a search of each page's
bytes for the longest word of the target's path and, where that is missing, for references that may spell it;
`same_answers` says that the short ways find what a look at every link finds. Peers take one turn over the pages, the
others the median of five. `make peers` makes the environments of the peers.
"""

from __future__ import annotations

import sys

from corpus import corpus
from figure import Figure, Goal, arguments
from peers import kind, measured
from verification_methods import PEERS

SCRIPT = "verification_methods.py"
METHODS = ("linkback", "whole pages", "floor", "webmention-tools", "webmentions", "indieweb-utils")
GOALS = (
    Goal("webmention_tools_to_linkback", "least", 50.0, "times faster than webmention-tools on a page that links"),
    Goal("webmentions_to_linkback", "least", 50.0, "times faster than webmentions on a page that links"),
    Goal("linkback_to_floor", "most", 4.0, "times the floor, a search for one word, on a page that links"),
    Goal("linkback_to_floor_absent", "most", 2.0, "times the floor on a page that does not link"),
    Goal("same_answers", "least", 1.0, "share of pages with the answers of a look at every link"),
)


def main() -> int:
    """Measure as the command line says."""
    given = arguments(__doc__, corpus=True).parse_args()
    figure = Figure("verification", "Seeing whether a page links", "ms CPU a page", GOALS)
    with corpus(given.corpus) as folder:
        linking = measured(SCRIPT, METHODS, PEERS, given.rounds, folder, "--linking")
        absent = measured(SCRIPT, METHODS, PEERS, given.rounds, folder)
    for words, found in (("", linking), (", no link", absent)):
        for method, rounds in found.items():
            times = [each.pop("ms_a_page") for each in rounds]
            figure.row(f"{method}{words}", kind(method, PEERS), times, **rounds[-1])
    values = figure.values
    figure.ratios["linkback_to_floor"] = values["linkback"] / values["floor"]
    figure.ratios["linkback_to_floor_absent"] = values["linkback, no link"] / values["floor, no link"]
    figure.ratios["same_answers"] = min(
        each["same_answers"] for found in (linking, absent) for each in found["linkback"]
    )
    for name, method in (
        ("webmention_tools_to_linkback", "webmention-tools"),
        ("webmentions_to_linkback", "webmentions"),
        ("webmentions_to_linkback_absent", "webmentions, no link"),
    ):
        if method in values:
            figure.ratios[name] = values[method] / values["linkback, no link" if "no link" in method else "linkback"]
    return figure.end(check=given.check)


if __name__ == "__main__":
    sys.exit(main())
