"""Threads for coroutines: in a child after a fork as in the parent, and again after they were let go."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from linkback.adapters.pool import Pool

FORKING = """
import asyncio, os, sys
from linkback.adapters.pool import Pool
pool = Pool("work")
asyncio.run(pool.run(lambda: None))
pool._lock.acquire()
child = os.fork()
if child == 0:
    asyncio.run(pool.run(lambda: None))
    os._exit(7)
pool._lock.release()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_threads_of_its_own() -> None:
    """Servers fork their workers, perhaps at a moment when the lock is held."""
    command = [sys.executable, "-W", "ignore", "-c", FORKING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (7, "")


def test_threads_are_named_by_their_purpose_and_begun_again_after_they_were_let_go() -> None:
    pool = Pool("work", 1)
    for _ in range(2):
        assert asyncio.run(pool.run(lambda: threading.current_thread().name)) == "work_0"
        pool.close()
        pool.close()


def test_what_a_call_raises_is_raised_where_it_was_asked_for() -> None:
    pool = Pool("work")
    with pytest.raises(ZeroDivisionError):
        asyncio.run(pool.run(lambda: 1 / 0))
    pool.close()
