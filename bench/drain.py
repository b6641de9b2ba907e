"""How fast due checks are worked off: sources on 500 hosts, each of which takes 50 ms for an answer, as a worker finds
them who was away for a while.

Every check reads its source, finds the link, describes the page and records the mention; on SQLite each step is on disk
before the next. The pages have 4 KB and no microformats: what it costs to describe a page that has some, or is longer,
is another figure. No host may be asked for two pages at once, and all must have become mentions.

One process is held to the figure. More of them on PostgreSQL need cores of their own, so their rows for 50 ms say what
this machine has; whether they keep each other from working shows where they wait: with sources that take a second
and 8 threads each, so few that no core is busy, two processes must do twice the work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from drain_worker import BLOG
from fanout_farm import Farm, farm
from figure import HERE, Figure, Goal, arguments
from scale_server import schema, server
from sqlalchemy.exc import OperationalError

from linkback import Claim, Site
from linkback.errors import LinkbackError
from linkback.jobs import External
from linkback.policy import Policy
from linkback.site import utcnow

HOSTS, SIZE, DELAY = 500, 4_000, 0.05
#: where workers wait and do not compute: seconds for an answer, threads and checks of each process
SLOW_DELAY, SLOW_THREADS, SLOW_CHECKS = 1.0, 8, 64
TARGET = f"{BLOG}/post"
GOALS = (
    Goal("checks_a_second", "least", 300.0, "of one process over SQLite"),
    Goal("processes_4_to_1", "least", 3.6, "checks a second of four processes on PostgreSQL to one's, where they wait"),
)


def fill(store: str, hosts: Farm, checks: int) -> None:
    """Receive claims for sources on all hosts in turn, and leave their checks due."""
    with Site(BLOG, store=store, policy=Policy(settle_seconds=0, site_seconds=0), runner=External()) as site:
        claims = [
            Claim("webmention", f"http://{hosts.host(number % HOSTS)}/note/{number}", TARGET)
            for number in range(checks)
        ]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(site.receive, claims))


def drained(store: str, processes: int, threads: int) -> tuple[float, float, int]:
    """Have processes work until nothing is due: the seconds, those of CPU, and the mentions that were made."""
    command = [sys.executable, str(HERE / "drain_worker.py"), store, str(threads)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    with Site(BLOG, store=store, runner=External()) as site:
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()
        start = time.monotonic()
        _tell(workers)
        while (due := site.store.next_due()) is not None and due < utcnow() + timedelta(days=1):
            time.sleep(0.1)
        _tell(workers)
    found = [json.loads(worker.communicate()[0]) for worker in workers]
    return (
        max(each["last"] for each in found) - start,
        sum(each["cpu"] for each in found),
        sum(each["made"] for each in found),
    )


def _tell(workers: Sequence[subprocess.Popen[str]]) -> None:
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()


def measured(store: str, checks: int, *, delay: float = DELAY, processes: int = 1, threads: int = 0) -> dict[str, Any]:
    """Fill a store, have processes drain it, and see that nothing is missing."""
    with farm(delay=delay, size=SIZE, target=TARGET) as hosts:
        fill(store, hosts, checks)
        seconds, cpu, made = drained(store, processes, threads)
        seen = hosts.stats()
    with Site(BLOG, store=store, runner=External()) as site:
        mentions = len(site.mentions())
    if not mentions == made == checks:
        raise AssertionError(f"{checks} checks made {made} mentions, of which {mentions} are there")
    if seen["most_get"] > 1:
        raise AssertionError(f"a host was asked for {seen['most_get']} pages at once")
    return {
        "rate": checks / seconds,
        "cpu_ms": round(cpu / checks * 1000, 2),
        "checks": checks,
        "most_a_host": seen["most_get"],
    }


def row(figure: Figure, method: str, rounds: Sequence[dict[str, Any]]) -> float:
    """Print what some rounds found; gives the rate."""
    return figure.row(method, "linkback", [each.pop("rate") for each in rounds], **rounds[-1])


def main() -> int:
    """Measure as the command line says."""
    parser = arguments(__doc__, rounds=1)
    parser.add_argument("--checks", type=int, default=2_000, help="how many are due; 10000 for the whole figure")
    given = parser.parse_args()
    figure = Figure("drain", "Working off a backlog of checks", "checks a second", GOALS)
    with tempfile.TemporaryDirectory() as folder:
        alone = [measured(f"sqlite:///{folder}/{number}.db", given.checks) for number in range(given.rounds)]
    figure.ratios["checks_a_second"] = row(figure, "linkback, SQLite", alone)
    rates = {}
    try:
        for processes in (1, 2, 4):
            with schema(server()) as store:
                row(
                    figure,
                    f"linkback, PostgreSQL, processes: {processes}",
                    [measured(store, given.checks // 2, processes=processes)],
                )
            with schema(server()) as store:
                load = {"delay": SLOW_DELAY, "processes": processes, "threads": SLOW_THREADS}
                waiting = measured(store, SLOW_CHECKS * processes, **load)
            rates[processes] = row(figure, f"linkback, PostgreSQL, slow sources, processes: {processes}", [waiting])
    except (OperationalError, LinkbackError) as error:
        print(f"PostgreSQL: {error}", file=sys.stderr)
    else:
        figure.ratios["processes_2_to_1"] = rates[2] / rates[1]
        figure.ratios["processes_4_to_1"] = rates[4] / rates[1]
    figure.ratios["cores"] = os.cpu_count() or 1
    return figure.end(check=given.check)


if __name__ == "__main__":
    sys.exit(main())
