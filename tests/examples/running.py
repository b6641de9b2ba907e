"""The example blogs as processes of their own, each on a free port with a folder of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_LISTENING = re.compile(r"listening on (http://\S+)")
_SECONDS = 60.0


@contextlib.contextmanager
def running(example: str, data: Path, *options: str) -> Iterator[str]:
    """An example blog; gives its URL. At the end it is asked to stop, and must do so well.

    `example` is the folder's name, `data` where it keeps its records, `options` what it is started with besides.
    """
    command = [sys.executable, f"examples/{example}", "--port", "0", "--data", str(data), *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said: list[str] = []
    listening = threading.Event()
    reader = threading.Thread(target=_read, args=(process, said, listening), daemon=True)
    reader.start()
    try:
        listening.wait(_SECONDS)
        found = _LISTENING.search("".join(said))
        assert found, f"{example} does not listen:\n{''.join(said)}"
        yield found[1].rstrip("/")
        assert process.poll() is None, f"{example} ended by itself:\n{''.join(said)}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        reader.join(10)
        if process.stdout is not None:
            process.stdout.close()
    text = "".join(said)
    assert "Traceback" not in text, text
    assert code in (0, -signal.SIGTERM, 128 + signal.SIGTERM), f"exit code {code}:\n{text}"


def _read(process: subprocess.Popen[str], said: list[str], listening: threading.Event) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if _LISTENING.search(line):
            listening.set()
    listening.set()
