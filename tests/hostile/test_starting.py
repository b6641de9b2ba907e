"""A start asks nobody anything: who is started again and again is no flood, and needs no network to come up (R17)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.starting import URL
from tests.hostile.test_audited import LISTENER, LISTENERS_NAME, REPOSITORY

#: by name: what is run, and what it says when it is ready; nothing where it ends by itself
STARTS = {
    "serve": (("serve", "--site", URL, "--bind", "127.0.0.1:0", "--database"), "listening on"),
    "serve without work": (("serve", "--no-work", "--site", URL, "--bind", "127.0.0.1:0", "--database"), "listening"),
    "worker": (("worker", "--site", URL, "--database"), "working for"),
    "drain": (("drain", "--site", URL, "--database"), ""),
    "a program of its own": (("embed",), ""),
}


def started(command: tuple[str, ...], ready: str, store: str) -> dict[str, Any]:
    """What was seen of a process that was started, was ready, and was told to end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.starting", *command, store],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stderr is not None
            if ready:
                assert any(ready in line for line in process.stderr)
                process.send_signal(signal.SIGTERM)
            told, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    seen: dict[str, Any] = json.loads(told.splitlines()[-1])
    return seen


@pytest.mark.parametrize("name", STARTS)
def test_a_start_with_nothing_to_do_connects_nowhere_and_looks_nothing_up(name: str, tmp_path: Path) -> None:
    """But for the address that a server is told to listen on. The second start finds the database of the first."""
    command, ready = STARTS[name]
    for _ in range(2):
        seen = started(command, ready, f"sqlite:///{tmp_path / 'linkback.db'}")
        assert str(tmp_path / "linkback.db") in seen["databases"], "what is watched did start"
        assert seen["connections"] == []
        assert {tuple(look_up) for look_up in seen["look_ups"]} <= {("127.0.0.1", LISTENER)}
        assert set(seen["reaching"]) <= {LISTENERS_NAME}
