"""Four processes work off one store: each job is done once, and none of them trips over another's lock."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from linkback.jobs import External
from linkback.model import Claim, Outcome
from linkback.site import Site
from tests.databases import Databases
from tests.scale.exchange import ENDPOINT, HOME, TARGET, Exchange, linked, source
from tests.test_sqlite import together

REPOSITORY = Path(__file__).parents[2]
WORKERS = 4
#: LINKBACK_FULL=1 asks for all of them
JOBS = 10_000 if os.environ.get("LINKBACK_FULL") == "1" else 1_000
LINKS = 50

WORKER = f"""
    import logging, sys
    from pathlib import Path
    sys.path.insert(0, {str(REPOSITORY)!r})
    from linkback.jobs import External
    from linkback.policy import Policy
    from linkback.site import Site
    from tests.scale.exchange import HOME, Exchange
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    url, log = sys.argv[1].split("\\n")
    web = Exchange(Path(log))
    site = Site(HOME, store=url, fetch=web, policy=Policy(recheck_days=0), runner=External())
    print("ready", flush=True)
    sys.stdin.readline()
    site.drain()
    site.close()
    web.close()
"""


def queue(url: str, log: Path) -> None:
    """Half of the jobs are checks and half are deliveries; all have been due for a while."""
    web, ago = Exchange(log), datetime.now(UTC) - timedelta(hours=1)
    with Site(HOME, store=url, fetch=web, clock=lambda: ago, runner=External()) as site:
        for number in range(JOBS // 2):
            site.receive(Claim("webmention", source(number), TARGET))
        for first in range(0, JOBS // 2, LINKS):
            links = "".join(f"<a href='{linked(number)}'>x</a>" for number in range(first, first + LINKS))
            site.publish(f"{HOME}{first}", f"<title>A post</title>{links}")
    web.close()
    assert log.read_text() == "", "nothing is done while it is queued"


@pytest.mark.parametrize("kind", ["sqlite file", "postgresql", "mysql"])
def test_four_processes_do_each_job_once(kind: str, databases: Databases, tmp_path: Path) -> None:
    url, log = databases.empty(kind, tmp_path), tmp_path / "log"
    queue(url, log)
    assert together(WORKER, f"{url}\n{log}", count=WORKERS) == [""] * WORKERS, "no lock error, and no other trouble"
    told = [line.split() for line in log.read_text().splitlines()]
    numbers = range(JOBS // 2)
    once = {("GET", page(number)) for page in (source, linked) for number in numbers}
    once |= {("POST", f"https://r{number}.example{ENDPOINT}") for number in numbers}
    assert Counter((method, asked) for _, method, asked in told) == Counter(once)
    assert len({process for process, *_ in told}) > 1, "one process did the work of all"
    with Site(HOME, store=url, fetch=Exchange(log), runner=External()) as site:
        assert (site.store.next_due(), site.store.parked()) == (None, [])
        assert len(site.mentions(TARGET)) == JOBS // 2
        ends = Counter((delivery.outcome, delivery.attempts) for delivery in site.deliveries())
        assert ends == {(Outcome.ACCEPTED, 1): JOBS // 2}
