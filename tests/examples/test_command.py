"""Each example is one command, and all of them are started the same way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.running import ROOT, running

EXAMPLES = ("django_blog", "fastapi_blog", "flask_blog", "pelican_site", "static_site", "wsgi_min")


def program(example: str) -> str:
    return f"{example}.py" if example == "wsgi_min" else example


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    # it may be `make` that runs the tests
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("example", EXAMPLES)
def test_make_starts_an_example_by_its_name(example: str) -> None:
    """As it would: what it does is asked for, not done."""
    said = make("--dry-run", f"example-{example}").stdout.splitlines()
    assert said[-1] == f".venv/bin/python examples/{program(example)}"
    assert f"make example-{example}`" in (ROOT / "examples/README.md").read_text()


def test_make_tells_of_an_example_that_is_none_which_there_are() -> None:
    done = make("example-nope")
    [line] = done.stderr.splitlines()
    assert done.returncode == 2
    assert 'no example "nope"' in line
    assert f"one of: {' '.join(EXAMPLES)}." in line


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_tells_its_options(example: str) -> None:
    command = [sys.executable, f"examples/{program(example)}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith(f"usage: {example} ")
    assert "--port" in done.stdout
    assert "--data" in done.stdout


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_keeps_its_records_in_one_folder_and_leaves_none_elsewhere(tmp_path: Path, example: str) -> None:
    before = set((ROOT / "examples").rglob("*.db")) | set(ROOT.glob("*.db"))
    with running(program(example), tmp_path):
        pass
    assert list(tmp_path.glob("*.db")) + list(tmp_path.glob("*.sqlite3"))
    assert set((ROOT / "examples").rglob("*.db")) | set(ROOT.glob("*.db")) == before


def test_the_examples_look_alike_by_one_stylesheet() -> None:
    found = [path.relative_to(ROOT / "examples").as_posix() for path in (ROOT / "examples").rglob("blog.css")]
    assert [path for path in found if "/data/" not in path] == ["shared/static/blog.css"]
