"""What it costs to verify a link and read all that its page says of itself, beside a peer's full receive, in one run.

CPU for each page, of pages that are asked about one of their own links: the mention that is shown in the end, with its
title, author, date, excerpt and kind. `make peers` makes the environment of the peer.
"""

from __future__ import annotations

import sys

from corpus import corpus
from figure import Figure, Goal, arguments
from peers import kind, measured
from verification import SCRIPT
from verification_methods import PEERS

OURS, PEER = "linkback, described", "webmentions, all it receives"
GOALS = (Goal("webmentions_to_linkback", "least", 5.0, "times faster than all that webmentions does to receive one"),)


def main() -> int:
    """Measure as the command line says."""
    given = arguments(__doc__, corpus=True).parse_args()
    figure = Figure("metadata", "Verifying a link, with all that its page says", "ms CPU a page", GOALS)
    with corpus(given.corpus) as folder:
        found = measured(SCRIPT, (OURS, PEER), PEERS, given.rounds, folder, "--linking")
    for method, rounds in found.items():
        figure.row(method, kind(method, PEERS), [each.pop("ms_a_page") for each in rounds], **rounds[-1])
    if PEER in figure.values:
        figure.ratios["webmentions_to_linkback"] = figure.values[PEER] / figure.values[OURS]
    return figure.end(check=given.check)


if __name__ == "__main__":
    sys.exit(main())
