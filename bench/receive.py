"""Durable receive through the served app: pings a second, each answered when its commit is on the disk, in one run.

The floor is an empty WSGI application on the same server with as many threads. `one commit` is the same app with a
transaction for each ping. All three protocols take turns, each ping names a source of its own, and at the end what was
accepted is counted in the database. The checks of the sources are another process's work, as with `serve --no-work`.
PostgreSQL is measured where LINKBACK_TEST_POSTGRES names one, or this machine has one.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figure import HERE, ROOT, Figure, Goal, Kind, apart, arguments
from receive_served import TARGET
from scale_server import schema, server
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from linkback.errors import StoreError
from linkback.store.engine import read_url

GOALS = (
    Goal("of_empty", "least", 0.45, "of the pings that an empty application answers"),
    Goal("to_one_commit", "least", 2.5, "times the pings of one commit each"),
    Goal("p99_ms", "most", 60.0, "ms for 99 of 100 answers"),
    Goal("kept", "least", 1.0, "of the pings that were accepted are in the database, and all were accepted"),
)
METHODS: dict[str, Kind] = {"empty": "floor", "linkback": "linkback", "one commit": "linkback"}
_COUNT = text(
    "SELECT COUNT(*) FROM linkback_claims JOIN linkback_jobs ON linkback_jobs.subject = linkback_claims.key"
    " WHERE linkback_claims.open"
)


def measured(method: str, database: str, seconds: float, connections: int) -> dict[str, Any]:
    """One method's answers: how many a second, how late, and how many of those accepted are kept."""
    command = [sys.executable, "-W", "ignore", str(HERE / "receive_served.py"), method, database]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        load = ("receive_load.py", url, TARGET, "--seconds", seconds, "--connections", connections)
        found = apart(*load)
        process.terminate()
        cpu = json.loads(process.stdout.readline())["cpu"]
        process.wait()
    finally:
        process.kill()
    if method != "empty":
        engine = read_url(database).engine(patient=False)
        with engine.connect() as connection:
            rows = connection.scalar(_COUNT) or 0
        engine.dispose()
        found["kept"] = 0.0 if found["others"] or rows != found["taken"] else 1.0
    found["cpu_us"] = round(cpu / found["all"] * 1e6)
    return found


@contextlib.contextmanager
def place(folder: Path | None) -> Iterator[str]:
    """The URL of an empty database on the disk to measure, gone afterwards."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        yield f"sqlite:///{Path(made).absolute()}/linkback.db"


def rounds_of(given: Any) -> dict[str, list[dict[str, Any]]]:
    """What each method did in each round, in turn."""
    found: dict[str, list[dict[str, Any]]] = {}
    for _ in range(given.rounds):
        for method in METHODS:
            with place(given.folder) as database:
                found.setdefault(method, []).append(measured(method, database, given.seconds, given.connections))
        try:
            with schema(server()) as database:
                more = measured("linkback", database, given.seconds, given.connections)
                found.setdefault("linkback, PostgreSQL", []).append(more)
        except (SQLAlchemyError, StoreError) as error:
            print(f"PostgreSQL: {' '.join(str(error).split())[:150]}", file=sys.stderr)
    return found


def main() -> int:
    """Measure as the command line says."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each is measured, after its warm-up")
    parser.add_argument("--connections", type=int, default=64, help="how many senders wait for answers at once")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; that of temporary files by default")
    given = parser.parse_args()
    figure = Figure("receive", "Durable receive through the served app", "pings a second", GOALS)
    found = rounds_of(given)
    for method, rounds in found.items():
        waits = {
            name: sorted(each[name] for each in rounds)[len(rounds) // 2] for name in ("p50_ms", "p99_ms", "cpu_us")
        }
        figure.row(method, METHODS.get(method, "linkback"), [each["a_second"] for each in rounds], **waits)
        if method == "linkback":
            figure.ratios["p99_ms"] = waits["p99_ms"]
    figure.ratios["of_empty"] = figure.values["linkback"] / figure.values["empty"]
    figure.ratios["to_one_commit"] = figure.values["linkback"] / figure.values["one commit"]
    figure.ratios["kept"] = min(each["kept"] for rounds in found.values() for each in rounds if "kept" in each)
    if postgres := figure.values.get("linkback, PostgreSQL"):
        figure.ratios["postgres_of_empty"] = postgres / figure.values["empty"]
    return figure.end(check=given.check)


if __name__ == "__main__":
    sys.exit(main())
