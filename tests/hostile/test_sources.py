"""What a hostile site answers, read as a source and as a page with endpoints (security.md A, C, D4, E, R9 to R14)."""

from __future__ import annotations

import pytest

from tests.hostile.harness import FULL, READ_AHEAD, Run, tried
from tests.hostile.sources import CASES
from tests.hostile.sources.family import ERROR, GONE, TRUNCATED, Case
from tests.hostile.trial import FOUND, Result

VERIFY, DISCOVER = "verify", "discover"
FAMILIES = sorted({case.family for case in CASES.values()})
#: requests that one look may make: a page, and five redirects
MOST_REQUESTS = 6
#: MiB by which the process of all looks may grow, as none of them is to leave anything behind
MOST_IN_ALL = 128.0
#: whoever cannot be read at all has no endpoints; a page of another media type may still have header fields
UNREADABLE = [
    path
    for path, case in CASES.items()
    if case.verdicts <= {ERROR, GONE, TRUNCATED} and case.family not in ("ct", "ok", "values")
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return tried([VERIFY, DISCOVER], tmp_path_factory.mktemp("home"))


def cheap(result: Result, case: Case) -> None:
    """Nothing was done that must not be, and the look cost what it may."""
    assert result.faults == []
    assert result.wire <= case.megabytes * 1_000_000 + READ_AHEAD
    assert result.cpu <= case.seconds
    assert result.grown <= case.memory
    if FULL or case.slow:
        assert result.seconds <= case.seconds


@pytest.mark.parametrize("path", CASES)
def test_a_hostile_source_is_judged_rightly_and_cheaply(path: str, run: Run) -> None:
    result = run.results[VERIFY, path]
    assert result.verdict in CASES[path].verdicts
    cheap(result, CASES[path])


@pytest.mark.parametrize("path", CASES)
def test_a_hostile_page_has_endpoints_or_none_and_costs_little(path: str, run: Run) -> None:
    result = run.results[DISCOVER, path]
    assert result.verdict in (FOUND, ERROR)
    cheap(result, CASES[path])


@pytest.mark.parametrize("path", UNREADABLE)
def test_no_endpoints_are_found_where_nothing_can_be_read(path: str, run: Run) -> None:
    assert run.results[DISCOVER, path].verdict == ERROR


def test_nobody_comes_to_the_canary_and_nothing_of_ours_goes_out(run: Run) -> None:
    """No cookie, no password of the `.netrc`, no Referer; and no proxy of the environment, which is the canary."""
    assert run.seen.canary == 0
    assert run.strays == []
    assert run.seen.telling == []


def test_no_source_is_asked_more_often_than_for_its_page_and_five_redirects(run: Run) -> None:
    # several cases lead to these
    ends = {"/ok/plain", "/priv/clean"}
    # two looks each, and two pages that lead to each other
    most = 2 * 2 * MOST_REQUESTS
    assert {path for path, number in run.seen.requests.items() if number > most} <= ends


def test_no_look_leaves_memory_behind(run: Run) -> None:
    assert max(result.above for result in run.results.values()) <= MOST_IN_ALL
