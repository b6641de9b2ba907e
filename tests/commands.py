"""The command line, run inside the test's own process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linkback import cli


class Ran:
    """One run of the command line."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.code = cli.main(list(arguments))
        captured = capsys.readouterr()
        self.out, self.err = captured.out, captured.err

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]
