"""Waiting in tests, for what other threads are about to do: as long as a busy machine may need, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 60.0


def until(what: Callable[..., bool], *given: object) -> None:
    """Let other threads go on until something is so of what is given."""
    end = time.monotonic() + PATIENCE
    while not what(*given):
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0)
