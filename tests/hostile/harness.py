"""Runs the hostile site and tries of it: one process serves, others try, and no test waits for what another waited for.

With `LINKBACK_HOSTILE_FULL` set, slow cases are as slow as they would be, under the deadline that there really is;
otherwise five times faster under a fifth of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from linkback.fetch import Limits
from tests.hostile.sources import CASES
from tests.hostile.sources.family import CANARY, HOST
from tests.hostile.trial import STRAY, Order, Result

REPOSITORY = Path(__file__).parents[2]
FULL = bool(os.environ.get("LINKBACK_HOSTILE_FULL"))
SECONDS = Limits().seconds if FULL else Limits().seconds / 5
#: bytes that may have been taken off the wire before a bound was noticed: what one or two reads bring
READ_AHEAD = 70_000
_PROCESSES = 2
#: seconds after which a process that tries is lost
_PATIENCE = 300
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@dataclass
class Seen:
    """What the site saw in its time."""

    requests: dict[str, int] = field(default_factory=dict)
    telling: list[str] = field(default_factory=list)
    canary: int = -1


@dataclass
class Run:
    """The results by verb and path, what no trial is known to have done wrongly, and what the site saw meanwhile."""

    results: dict[tuple[str, str], Result]
    strays: list[str]
    seen: Seen


@contextlib.contextmanager
def serving() -> Iterator[tuple[dict[str, int], Seen]]:
    """The site's ports; what it saw is filled in at the end."""
    command = [sys.executable, "-m", "tests.hostile.sources.server", str(SECONDS / Limits().seconds)]
    site = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    seen = Seen()
    try:
        assert site.stdout is not None
        yield json.loads(site.stdout.readline()), seen
        told, _ = site.communicate(timeout=60)
        vars(seen).update(json.loads(told))
    finally:
        site.kill()
        site.communicate()


def tried(verbs: Sequence[str], home: Path, paths: Sequence[str] = tuple(CASES)) -> Run:
    """Try verbs on all cases, in an environment that would lead elsewhere whoever listened to it."""
    try:
        socket.create_server((CANARY, 0)).close()
    except OSError:
        pytest.skip("this system has no second loopback address")
    with serving() as (ports, seen):
        environment = _hostile(home, f"http://{CANARY}:{ports['canary']}")
        hands = [Order(list(verbs), list(paths[hand::_PROCESSES]), ports, SECONDS) for hand in range(_PROCESSES)]
        with ThreadPoolExecutor(_PROCESSES) as pool:
            results = [each for found in pool.map(lambda order: _results(order, environment), hands) for each in found]
    strays = [words for result in results if result.verb == STRAY for words in result.faults]
    return Run({(result.verb, result.path): result for result in results}, strays, seen)


def _hostile(home: Path, proxy: str) -> dict[str, str]:
    (home / ".netrc").write_text(f"machine {HOST} login u password p\ndefault login u password p\n")
    changed = {"HOME": str(home), "NETRC": str(home / ".netrc"), **dict.fromkeys(_PROXIES, proxy)}
    return {**os.environ, **changed}


def _results(order: Order, environment: dict[str, str]) -> list[Result]:
    """The results of a process; those it never came to are missing."""
    command = [sys.executable, "-m", "tests.hostile.trial"]
    given = json.dumps(dataclasses.asdict(order))
    try:
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, input=given, text=True, stdout=subprocess.PIPE, timeout=_PATIENCE
        )
        told = done.stdout
    except subprocess.TimeoutExpired as lost:
        told = lost.stdout.decode() if isinstance(lost.stdout, bytes) else lost.stdout or ""
    return [Result(**json.loads(line)) for line in told.splitlines() if line.endswith("}")]
