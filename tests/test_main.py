"""The `linkback` command as it is installed."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys

import pytest

import linkback
from linkback import cli

# not imported: a module that is there already cannot be run as the command (test_docs.py)
main = runpy.run_module("linkback.__main__", run_name="loaded")["main"]


def test_a_lone_version_is_answered_before_the_command_line_is_loaded() -> None:
    code = "import sys; from linkback.__main__ import main; print(main(), 'click' in sys.modules)"
    told = subprocess.check_output([sys.executable, "-c", code, "--version"], text=True)
    assert told == f"linkback {linkback.__version__}\n0 False\n"


def test_it_says_what_the_command_line_would_have_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["linkback", "--version"])
    assert main() == 0
    alone = capsys.readouterr().out
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == alone


def test_a_version_that_nobody_reads_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "linkback", "--version"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(("arguments", "code"), [(["--version", "--bogus"], 2), (["--help"], 0), ([], 2)])
def test_all_else_is_the_command_lines(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["linkback", *arguments])
    told = (main(), *capsys.readouterr())
    assert told == (cli.main(arguments), *capsys.readouterr())
    assert told[0] == code
