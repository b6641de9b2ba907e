"""What it costs to find where a page listens: CPU for each page, of linkback, of peers and of the floor, in one run.

Each method runs in a process of its own, in turn, several times over; `make peers` makes the environments of the peers.
Prints one JSON object for each method, and one with the ratios. The floor is a search of each page's bytes for three
words; `same_answers` says that what is read in parts is what one pass over the whole page gives. With `--check` it ends
with 1 where a ratio falls short of its goal.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]

from discovery_methods import METHODS, PEERS  # noqa: E402
from tests.interop.environments import PEERS as ENVIRONMENTS  # noqa: E402
from tests.interop.environments import Unavailable  # noqa: E402

#: figure, at least or at most, goal
GOALS = {"best_peer_to_linkback": ("least", 50.0), "linkback_to_floor": ("most", 1.5)}


def command(method: str) -> list[str]:
    """What runs a method: our interpreter, or that of a peer's environment; raises `Unavailable`."""
    if method not in PEERS:
        return [sys.executable, "-W", "ignore"]
    return [str(ENVIRONMENTS[PEERS[method]].find().python), "-W", "ignore"]


def measured(method: str, corpus: Path) -> dict[str, object]:
    """What a process of its own found of one method."""
    done = subprocess.run(
        [*command(method), str(HERE / "discovery_methods.py"), method, str(corpus)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def generated(folder: Path) -> Path:
    """A corpus where none is given: pages of a blog, a third of which listen."""
    from publish import post

    for number in range(60):
        head = '<link rel="pingback" href="/xmlrpc.php">' if number % 3 == 0 else ""
        page = post(number, links=40 + number, size=20_000 + 4_000 * number).replace("</head>", f"{head}</head>")
        (folder / f"{number:02}.html").write_text(page)
    return folder


def main() -> int:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, help="a folder of pages, *.html; generated ones by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="end with 1 where a goal is missed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = given.corpus or generated(Path(folder))
        found: dict[str, list[dict[str, object]]] = {}
        for _ in range(given.rounds):
            for method in METHODS:
                try:
                    found.setdefault(method, []).append(measured(method, corpus))
                except Unavailable as error:
                    print(f"{method}: {error}", file=sys.stderr)
    times = {}
    for method, rounds in found.items():
        if rounds:
            times[method] = statistics.median(float(str(each["ms_a_page"])) for each in rounds)
            print(json.dumps({**rounds[-1], "method": method, "ms_a_page": round(times[method], 4)}))
    peers = [times[method] for method in times if method in PEERS]
    figures = {"linkback_to_floor": times["linkback"] / times["floor"]}
    if peers:
        figures["best_peer_to_linkback"] = min(peers) / times["linkback"]
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))
    short = [
        name
        for name, value in figures.items()
        if (value < GOALS[name][1] if GOALS[name][0] == "least" else value > GOALS[name][1])
    ]
    for name in short:
        print(f"{name}: {figures[name]:.2f}, to be at {' '.join(map(str, GOALS[name]))}", file=sys.stderr)
    return 1 if given.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
