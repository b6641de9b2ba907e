"""A database that fails at any moment, or memory that does, breaks no promise, and the process goes on."""

from __future__ import annotations

import pytest

from tests.crash.backends import Backend
from tests.crash.events import Mischief
from tests.crash.sweep import Trial, sweep
from tests.crash.trials import TRIALS

#: 503, fault 50, error 1 (protocols.md C-33, C-53, C-77): the sender may try again
_NOT_NOW = frozenset({503, 50, 1})
_FAILED = frozenset({500, -32603, 1})

FULL = Mischief("full", lambda dbapi: dbapi.OperationalError("database or disk is full"), lasts=True, codes=_NOT_NOW)
BROKEN = Mischief("broken", lambda dbapi: dbapi.OperationalError("disk I/O error"), codes=_NOT_NOW)
MEMORY = Mischief("memory", lambda dbapi: MemoryError(), codes=_FAILED)


@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("mischief", [FULL, BROKEN, MEMORY], ids=lambda mischief: mischief.name)
def test_an_error_leaves_nothing_half_written_and_is_made_up_for_later(
    backend: Backend, every: int, mischief: Mischief, trial: Trial
) -> None:
    """The sender is told to try again; what is left undone is done once the trouble is over."""
    swept = sweep(trial, backend, mischief, every=every)
    assert not swept.wrong, "\n".join(swept.wrong)
    assert swept.met > 0
