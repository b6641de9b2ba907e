"""What a server made to hurt takes from whoever fetches a page with 2 seconds to spare: wall time and memory.

Seven ways of answering that never come to their end, on loopback. A peer fetches by its own function, or as it calls
requests, with a timeout of 2 seconds; one that goes on regardless is stopped after 8, or at a gigabyte.
"""

from __future__ import annotations

import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from figure import Figure, Goal, apart, arguments
from peers import interpreter
from transport_methods import DEADLINE_SECONDS, PEERS
from transport_server import WAYS, path, serving

GOALS = (
    Goal("ms_over_deadline", "most", 100.0, "ms over the deadline, the worst of all ways"),
    Goal("worst_mb", "most", 5.0, "MB over the start, the worst of all ways"),
)


def ours(figure: Figure, server: str, rounds: int) -> None:
    """The rows and ratios of linkback."""
    latest, largest = 0.0, 0.0
    for way in WAYS:
        found = [apart("transport_methods.py", "linkback", server + path(way)) for _ in range(rounds)]
        size = max(each["mb"] for each in found)
        cpu = statistics.median(each["cpu_ms"] for each in found)
        figure.row(f"linkback, {way}", "linkback", [each["ms"] for each in found], cpu_ms=round(cpu, 1))
        figure.row(f"linkback, {way}", "linkback", [size], unit="MB over the start")
        latest, largest = max(latest, *(each["ms"] for each in found)), max(largest, size)
    figure.ratios["ms_over_deadline"] = max(0.0, latest - DEADLINE_SECONDS * 1000)
    figure.ratios["worst_mb"] = largest


def theirs(figure: Figure, server: str, peer: str) -> None:
    """The rows of a peer; its fetches, most of which wait, run side by side."""
    if (python := interpreter(PEERS[peer], peer)) is None:
        return

    def measured(way: str) -> dict[str, Any]:
        return apart("transport_methods.py", peer, server + path(way), python=python)

    with ThreadPoolExecutor(len(WAYS)) as pool:
        found = dict(zip(WAYS, pool.map(measured, WAYS), strict=True))
    worst = max(found, key=lambda way: float(found[way]["ms"]))
    stopped = ", ".join(way for way in WAYS if found[way]["stopped"])
    figure.row(peer, "peer", [found[worst]["ms"]], stopped=stopped or "nowhere")
    largest = max(found, key=lambda way: float(found[way]["mb"]))
    figure.row(peer, "peer", [found[largest]["mb"]], unit="MB over the start", by=largest)


def main() -> int:
    """Measure as the command line says."""
    given = arguments(__doc__).parse_args()
    figure = Figure("transport", "Hostile servers", "ms", GOALS)
    with serving() as server:
        ours(figure, server, given.rounds)
        for peer in PEERS:
            theirs(figure, server, peer)
    return figure.end(check=given.check)


if __name__ == "__main__":
    sys.exit(main())
