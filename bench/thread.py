"""What a page view costs that shows the thread of a post, 100 mentions, as ever more mentions are stored.

Fills stores of 1e4, 1e5 and 1e6 mentions, on SQLite and, where LINKBACK_TEST_POSTGRES names a server, on PostgreSQL;
then reads posts of each in turn, by linkback, by the peer that keeps mentions in a database, and by the bare driver.

Rule 1: `y` is of different posts in turn, so that neither we nor the database have just seen them, but in files that
the system has in memory, as it has those of blogs that are read. `y_first` is the pass before, from the disk where the
system has let go of the files, which is its own affair; `y_again` is one post again and again.
Rule 2: what is flat is the median of `y`, from the smallest store to the largest. `p99` is shown and held to nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from figure import Figure, Goal, Kind, apart, arguments, significant
from peers import interpreter
from scale_server import schema
from thread_store import fill

SIZES = (10_000, 100_000, 1_000_000)
#: the most by which a median may grow that is called flat
FLAT = 1.5
#: what a peer without an index is spared
_MOST_OF_PEER = 100_000


@dataclass(frozen=True)
class Line:
    """What is drawn as one line: a method, on one database."""

    says: str
    kind: Kind
    database: str
    method: str
    most: int | None = None
    python: str | None = None

    @property
    def name(self) -> str:
        """What its row is called."""
        return f"{self.says}, {self.database}"


def ours(database: str) -> list[Line]:
    """The lines that every database has."""
    return [
        Line("linkback, read", "linkback", database, "linkback"),
        Line("linkback, read and render", "linkback", database, "page"),
        Line("driver, one SELECT", "floor", database, "floor"),
    ]


def peers(database: str) -> Iterator[Line]:
    """The peer that can be measured here."""
    if (python := interpreter("webmentions")) is not None:
        yield Line("webmentions, read", "peer", database, "webmentions", most=_MOST_OF_PEER, python=python)


class Times:
    """What was measured of each line and size, round by round."""

    def __init__(self) -> None:
        self._found: dict[tuple[Line, int], list[dict[str, list[float]]]] = {}

    def measure(self, line: Line, url: str, size: int, number: int) -> None:
        """Another round."""
        python = line.python or sys.executable
        took = apart("thread_methods.py", line.method, url, size, number, python=python)
        self._found.setdefault((line, size), []).append(took)

    def of(self, line: Line, size: int, when: str = "turn") -> list[list[float]]:
        """Milliseconds, round by round."""
        return [took[when] for took in self._found[line, size]]


@contextlib.contextmanager
def stores(sizes: list[int]) -> Iterator[dict[str, dict[int, str]]]:
    """The URL of a filled store of each size, by database; all of them are gone at the end."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="linkback-thread-"))
        urls = {"SQLite": {size: f"sqlite:///{folder}/{size}.db" for size in sizes}}
        if server := os.environ.get("LINKBACK_TEST_POSTGRES"):
            urls["PostgreSQL"] = {size: stack.enter_context(schema(server)) for size in sizes}
        else:
            print("LINKBACK_TEST_POSTGRES names no server: without PostgreSQL", file=sys.stderr)
        for each in urls.values():
            for size, url in each.items():
                fill(url, size)
        # what was filled in is not written while it is read
        os.sync()
        yield urls


def middle(rounds: list[list[float]]) -> float:
    """The median of the rounds' medians."""
    return statistics.median(map(statistics.median, rounds))


def p99(rounds: list[list[float]]) -> float:
    """What one in a hundred exceeds, of all rounds."""
    return statistics.quantiles(itertools.chain(*rounds), n=100, method="inclusive")[-1]


def growth(sizes: list[int], line: str) -> str:
    """What the ratio of a line's ends is called: "growth_1e4_to_1e6, …"."""
    ends = (f"{size:.0e}".replace("e+0", "e") for size in (sizes[0], sizes[-1]))
    return f"growth_{'_to_'.join(ends)}, {line}"


def report(figure: Figure, line: Line, times: Times, sizes: list[int]) -> None:
    """Print a line's row, and note how it grew."""
    y = {when: [middle(times.of(line, size, when)) for size in sizes] for when in ("turn", "first", "again")}
    figure.row(
        line.name,
        line.kind,
        map(statistics.median, times.of(line, sizes[-1])),
        database=line.database,
        x=sizes,
        x_label="mentions stored",
        y=[*map(significant, y["turn"])],
        p99=[significant(p99(times.of(line, size))) for size in sizes],
        y_first=[*map(significant, y["first"])],
        y_again=[*map(significant, y["again"])],
    )
    figure.ratios[growth(sizes, line.name)] = y["turn"][-1] / y["turn"][0]


def main() -> int:
    """Fill, measure, compare."""
    parser = arguments(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many mentions are stored, in hundreds")
    given = parser.parse_args()
    sizes = sorted(given.sizes)
    with stores(sizes) as urls:
        lines = [line for database in urls for line in ours(database)] + [*peers("SQLite")]
        measured = {line: [size for size in sizes if size <= (line.most or size)] for line in lines}
        times = Times()
        for number in range(given.rounds):
            for size in sizes:
                for line in lines:
                    if size in measured[line]:
                        times.measure(line, urls[line.database][size], size, number)
    says = f"a thread, from {sizes[0]:,} mentions stored to {sizes[-1]:,}"
    held = [line for line in lines if line.kind == "linkback"]
    goals = [Goal(growth(sizes, line.name), "most", FLAT, f"{line.name}: {says}") for line in held]
    figure = Figure("thread", "The thread of a post with 100 mentions", "ms", goals)
    for line in lines:
        if measured[line]:
            report(figure, line, times, measured[line])
    for name in urls:
        figure.ratios[f"linkback_to_driver, {name}"] = (
            figure.values[f"linkback, read, {name}"] / figure.values[f"driver, one SELECT, {name}"]
        )
    return figure.end(check=given.check)


if __name__ == "__main__":
    sys.exit(main())
