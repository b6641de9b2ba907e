"""Hundreds of checks wait, as after a day without a worker: whoever pings now is looked at among the first (D8)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from linkback.jobs import Embedded, External
from linkback.model import Claim
from linkback.policy import Policy
from linkback.site import Site
from linkback.testing import FakeClock
from tests.databases import Databases
from tests.hostile.pinging import HOME, TARGET, EveryPageLinks
from tests.patience import until

FLOOD, THREADS = 500, 4
HONEST = "https://honest.example/note"
#: no limit stands in the flood's way
ANY_NUMBER = Policy(site_seconds=0, host_seconds=0, settle_seconds=0)
HOSTS: dict[str, Callable[[int], str]] = {
    "of one host": lambda number: f"https://flood.example/{number}",
    "of fifty hosts": lambda number: f"https://flood{number % 50}.example/{number}",
    "each of a host of its own": lambda number: f"https://flood{number}.example/",
}


@pytest.mark.parametrize("kind", ["sqlite file", "postgresql", "mysql"])
@pytest.mark.parametrize("hosts", HOSTS)
def test_who_comes_after_a_flood_does_not_wait_for_all_of_it(
    kind: str, hosts: str, databases: Databases, tmp_path: Path
) -> None:
    url, clock, asked = databases.empty(kind, tmp_path), FakeClock(), list[str]()
    with Site(HOME, store=url, fetch=EveryPageLinks(), clock=clock, runner=External(), policy=ANY_NUMBER) as site:
        for number in range(FLOOD):
            site.receive(Claim("webmention", HOSTS[hosts](number), TARGET))
        clock.advance(timedelta(days=1).total_seconds())
        site.receive(Claim("webmention", HONEST, TARGET))
    web, runner = EveryPageLinks(asked.append), Embedded(THREADS)
    with Site(HOME, store=url, fetch=web, clock=clock, runner=runner, policy=ANY_NUMBER) as site:
        site.start()
        until(lambda: HONEST in asked)
    assert asked.index(HONEST) < 10 * THREADS
