"""A receiver and its worker, in one process, under a mixed load: what it holds on to as time goes by.

Honest pings by all protocols, the answers of the hostile site, and whoever asks what became of it. Run as
`python -m tests.hostile.soak --seconds 900 --rate 6` it tells its samples, and how each of them grows, in JSON.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import itertools
import json
import math
import os
import statistics
import tempfile
import time
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.policy import Policy
from linkback.site import Site
from linkback.sites import Sites
from linkback.store import open_store
from tests.hostile.flood import receiver, sources
from tests.hostile.harness import serving
from tests.hostile.pinging import HOME, PINGS, TAKEN, ask
from tests.hostile.sources import CASES
from tests.hostile.sources.family import HOST, TARGET
from tests.patience import until
from tests.serving import LOOPBACK

_DATABASE = "LINKBACK_SOAK_DATABASE"
#: pages of ours that are mentioned, and hosts of honest pages
_PAGES, _HOSTS = 50, 100
#: of so many pings one is the hostile site's, and one is asked about
_HOSTILE_EACH, _ASKED_EACH = 4, 5


@dataclass(frozen=True, kw_only=True)
class Soak:
    """How many `pings` come, at `rate` a second at most (0: as fast as they are answered); a sample `every` so many."""

    pings: int
    rate: float = 0.0
    every: int = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process had in hand after so many `pings` and `minutes`; memory and the files of its database in MiB."""

    pings: int
    minutes: float
    memory: float
    descriptors: int
    threads: int
    stored: float


@dataclass
class Outcome:
    """How many pings were taken by protocol, and the samples, the last of them when all honest ones are shown."""

    taken: collections.Counter[str] = field(default_factory=collections.Counter)
    samples: list[Sample] = field(default_factory=list)

    def growth(self, what: str) -> float:
        """How much more of something there is with each minute, the first third left out."""
        later = self.samples[len(self.samples) // 3 :]
        return statistics.linear_regression(
            [sample.minutes for sample in later], [float(getattr(sample, what)) for sample in later]
        ).slope


def blogs() -> Sites:
    """What `linkback serve --app` serves: the honest pages' blog, and the one that the hostile site speaks of."""
    store, door = open_store(os.environ[_DATABASE]), Fetcher(allow=LOOPBACK)
    policy = Policy(site_seconds=0, settle_seconds=0)
    homes = (HOME, urllib.parse.urljoin(TARGET, "/"))
    each = [Site(home, store=store, fetch=door, policy=policy, runner=External()) for home in homes]
    return Sites(each, store=store)


def _pings(honest: int, ports: dict[str, int]) -> Iterable[tuple[str, str, str]]:
    """Protocol, source and target of one ping after the other."""
    languages, cases = itertools.cycle(PINGS), itertools.cycle(CASES.values())
    for number in itertools.count():
        path = f"/post/{number % _PAGES}"
        pair = f"http://127.1.{number % _HOSTS}.1:{honest}{path}?{number}", f"{HOME}{path}"
        if number % _HOSTILE_EACH == 0:
            case = next(cases)
            pair = f"{case.scheme}://{HOST}:{ports[case.listener]}{case.path}?{number}", case.target
        yield next(languages), *pair


def sampled(process: int, database: Path, pings: int, began: float) -> Sample:
    """What a process has in hand now."""
    told = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    stored = sum(path.stat().st_size for path in database.parent.glob(f"{database.name}*"))
    return Sample(
        pings,
        (time.monotonic() - began) / 60,
        int(told["VmRSS"].split()[0]) / 1024,
        len(os.listdir(f"/proc/{process}/fd")),
        int(told["Threads"]),
        stored / 2**20,
    )


def soaked(soak: Soak, directory: Path) -> Outcome:
    """Let it come over a receiver that keeps its records in a directory."""
    outcome, database = Outcome(), directory / "linkback.db"
    command, where = ("serve", "--app", "tests.hostile.soak:blogs"), {_DATABASE: f"sqlite:///{database}"}
    with sources(0.0) as honest, serving() as (ports, _), receiver(*command, **where) as (process, url):
        began = time.monotonic()
        for number, (protocol, source, target) in enumerate(itertools.islice(_pings(honest, ports), soak.pings)):
            if soak.rate:
                time.sleep(max(0.0, began + number / soak.rate - time.monotonic()))
            told, meaning = PINGS[protocol](url, source, target)
            outcome.taken[protocol] += meaning == TAKEN
            if number % _ASKED_EACH == 0:
                ask(told.location or f"{url}/mentions?{urllib.parse.urlencode({'target': target})}")
            if number % soak.every == soak.every - 1:
                outcome.samples.append(sampled(process, database, number + 1, began))
        honest_ones = soak.pings - math.ceil(soak.pings / _HOSTILE_EACH)
        until(lambda: shown(url) == honest_ones)
        outcome.samples.append(sampled(process, database, soak.pings, began))
    return outcome


def shown(url: str) -> int:
    """How many mentions the pages of ours have."""
    queries = (urllib.parse.urlencode({"target": f"{HOME}/post/{page}"}) for page in range(_PAGES))
    return sum(json.loads(ask(f"{url}/mentions?{query}").body)["count"] for query in queries)


def main() -> None:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--rate", type=float, default=6.0, help="pings a second")
    given = parser.parse_args()
    soak = Soak(pings=int(given.seconds * given.rate), rate=given.rate, every=max(1, int(10 * given.rate)))
    with tempfile.TemporaryDirectory() as directory:
        found = soaked(soak, Path(directory))
    for sample in found.samples:
        print(json.dumps(dataclasses.asdict(sample)))
    growth = {what: found.growth(what) for what in ("memory", "descriptors", "threads", "stored")}
    print(json.dumps({"taken": found.taken, "a minute": growth}))


if __name__ == "__main__":
    main()
