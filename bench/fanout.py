"""What a post with fifty links costs until all of them are told: fifty hosts, each of which takes 200 ms for an answer.

Each page has 95 KB, the median of real ones, and says where webmentions go: a GET and a POST, so that 400 ms is the
limit where all of them are asked at once. linkback works as a site does by default, over a SQLite file that is on disk
after each step; peers keep no records. Those that tell one page after the other take up to a minute each: they are
asked with `--all`.
"""

from __future__ import annotations

import statistics
import sys

from fanout_farm import farm
from fanout_methods import METHODS, ONE_BY_ONE, PEERS
from figure import Figure, Goal, apart, arguments
from peers import kind, runs

DELAY, LINKS, SIZE = 0.2, 50, 95 * 1024
GOALS = (
    Goal("linkback_to_two_round_trips", "most", 1.4, "from due to all told, and a GET and a POST after it"),
    Goal("best_peer_to_linkback", "least", 10.0, "from start to all told"),
    Goal("best_peer_to_linkback_cpu", "least", 20.0, "CPU until all are told, of the peer that takes least"),
    Goal("linkback_megabytes", "most", 16.0, "most memory over that after import and opening the store"),
)


def main() -> int:
    """Measure as the command line says."""
    parser = arguments(__doc__)
    parser.add_argument("--links", type=int, default=LINKS)
    parser.add_argument("--all", action="store_true", help="ask also the peers that tell one page after the other")
    given = parser.parse_args()
    figure = Figure("fanout", "A post tells its links", "s", GOALS)
    found: dict[str, list[dict[str, float]]] = {}
    with farm(delay=DELAY, size=SIZE, links=given.links) as hosts:
        targets = [f"http://{hosts.host(number)}/post" for number in range(given.links)]
        for number in range(given.rounds):
            for method in METHODS:
                # what takes so long varies little
                if method in ONE_BY_ONE and not (given.all and number == 0):
                    continue
                if (python := runs(method, PEERS)) is None:
                    continue
                hosts.stats()
                taken = apart(
                    "fanout_methods.py", method, f"http://127.0.0.1:{hosts.port}/src", *targets, python=python
                )
                seen = hosts.stats()
                if seen.get("post") != given.links or (method == "linkback" and seen["most_post"] > 1):
                    raise AssertionError(f"{method}: {seen}")
                found.setdefault(method, []).append({**taken, **seen})
    report(figure, found)
    return figure.end(check=given.check)


def report(figure: Figure, found: dict[str, list[dict[str, float]]]) -> None:
    """Print the rows, and work out the ratios."""
    cpu, walls = {}, {}
    for method, rounds in found.items():
        cpu[method], memory = (statistics.median(each[name] for each in rounds) for name in ("cpu_ms", "megabytes"))
        more = {"cpu_ms": round(cpu[method], 1), "megabytes": round(memory, 1)}
        seen = {name: rounds[-1].get(name) for name in ("connections", "get", "post")}
        walls[method] = figure.row(method, kind(method, PEERS), [each["wall"] for each in rounds], **more, **seen)
        if method == "linkback":
            figure.ratios["linkback_to_two_round_trips"] = walls[method] / (2 * DELAY)
            figure.ratios["linkback_megabytes"] = memory
    if peers := [method for method in found if method in PEERS]:
        figure.ratios["best_peer_to_linkback"] = min(walls[peer] for peer in peers) / walls["linkback"]
        figure.ratios["best_peer_to_linkback_cpu"] = min(cpu[peer] for peer in peers) / cpu["linkback"]
    if "floor" in walls:
        figure.ratios["linkback_to_floor"] = walls["linkback"] / walls["floor"]


if __name__ == "__main__":
    sys.exit(main())
