"""A process that is killed at any moment breaks no promise."""

from __future__ import annotations

import pytest

from tests.crash.backends import Backend
from tests.crash.events import KILL
from tests.crash.sweep import Trial, sweep
from tests.crash.trials import TRIALS


@pytest.mark.parametrize("trial", TRIALS)
def test_a_kill_loses_nothing_and_repeats_one_post_at_most(backend: Backend, every: int, trial: Trial) -> None:
    """What was answered is checked, what is owed is sent, an edit and a schema are whole, the file is sound."""
    swept = sweep(trial, backend, KILL, every=every)
    assert not swept.wrong, "\n".join(swept.wrong)
    assert "after COMMIT" in swept.events
    assert swept.met == len(swept.events[::every])
