"""What a hostile site answers to a ping, by each protocol (security.md G5, G6, G8)."""

from __future__ import annotations

import pytest

from linkback.model import ARRIVED, Outcome
from tests.hostile.harness import FULL, SECONDS, Run, tried
from tests.hostile.sources import CASES
from tests.hostile.sources.family import ERROR, TRUNCATED
from tests.hostile.trial import SENDING

OUTCOMES = {Outcome.SENT, Outcome.ACCEPTED, Outcome.REFUSED, Outcome.FAILED, Outcome.UNKNOWN}
#: bytes of an answer that may be taken: its body with what compression and chunks add to it, heads and all
MOST_BYTES = 700_000
#: no answer that is one, or only one to another place; a 303 is the answer itself (protocols.md B-16)
NO_ANSWER = [
    path
    for path, case in CASES.items()
    if case.verdicts <= {ERROR, TRUNCATED}
    and case.family in ("big", "fr", "gz", "net", "rd", "slow", "tls")
    and path != "/rd/canary-303"
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return tried(SENDING, tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("path", CASES)
def test_any_answer_to_a_ping_is_an_outcome_and_costs_little(path: str, run: Run) -> None:
    for result in (run.results[protocol, path] for protocol in SENDING):
        assert result.verdict in OUTCOMES
        assert result.faults == []
        assert result.wire <= MOST_BYTES
        assert result.cpu <= SECONDS
        assert result.grown <= CASES[result.path].memory
        if FULL or CASES[path].slow:
            assert result.seconds <= max(CASES[path].seconds, SECONDS + 2)


@pytest.mark.parametrize("path", NO_ANSWER)
def test_what_is_no_answer_delivers_no_webmention(path: str, run: Run) -> None:
    assert run.results["webmention", path].verdict not in ARRIVED


@pytest.mark.parametrize("path", [path for path, case in CASES.items() if case.family != "xml"])
def test_only_an_answer_in_its_protocol_delivers_a_pingback_or_a_trackback(path: str, run: Run) -> None:
    """None of these pages is one, whatever its status."""
    assert {run.results[protocol, path].verdict for protocol in ("pingback", "trackback")}.isdisjoint(ARRIVED)


@pytest.mark.parametrize("path", [path for path in CASES if "/doctype-" in path])
def test_an_answer_that_declares_anything_delivers_no_pingback(path: str, run: Run) -> None:
    """It is not read; whatever it names, `test_any_answer…` saw that nobody looked there."""
    assert run.results["pingback", path].verdict not in ARRIVED


def test_nobody_comes_to_the_canary_and_nothing_of_ours_goes_out(run: Run) -> None:
    assert run.seen.canary == 0
    assert run.strays == []
    assert run.seen.telling == []
