"""The documentation is executed, and complete."""

from __future__ import annotations

import contextlib
import re
import runpy
import sys
import urllib.request
from pathlib import Path
from typing import Any

import click
import pytest

import linkback
from linkback import cli, site
from linkback.jobs import External
from linkback.testing import FakeWeb
from tests.examples.running import running

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
REQUIREMENT = re.compile(r"^- \*\*([A-F])-(\d+)\*\* \S", re.MULTILINE)
CITATION = re.compile(r"(?<![\w-])([A-F])-(\d+)\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_run_as_written(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, in an empty folder, with nobody out there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(site, "_default_fetch", lambda url: FakeWeb())
    monkeypatch.setattr(site, "Embedded", External)
    names: dict[str, Any] = {}
    with contextlib.ExitStack() as opened:
        for code in PYTHON.findall(page.read_text()):
            exec(compile(code, str(page), "exec"), names)
            if isinstance(made := names.get("site"), site.Site):
                opened.callback(made.close)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_the_receive_example_of_the_readme_is_an_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(site, "Embedded", External)
    names: dict[str, Any] = {}
    code = PYTHON.findall((ROOT / "README.md").read_text())[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    exec(code, names)
    told: dict[str, Any] = {}
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/post", "SCRIPT_NAME": "", "QUERY_STRING": ""}
    body = b"".join(names["app"](environ, lambda status, headers: told.update(status=status, headers=dict(headers))))
    assert told["headers"]["X-Pingback"] == "https://bob.example/linkback/pingback"
    assert body.startswith(b"<h1>A post</h1>")
    names["site"].close()


def requirements() -> list[tuple[str, int]]:
    """The ids of the rows of docs/protocols.md, as they stand there."""
    return [(letter, int(number)) for letter, number in REQUIREMENT.findall((ROOT / "docs/protocols.md").read_text())]


def test_the_tests_that_prove_a_promise_exist() -> None:
    text = (ROOT / "docs/security.md").read_text()
    cited = set(re.findall(r"(tests/[\w/]+\.py)::(\w+)", text))
    assert len(cited) > 100
    assert [name for file, name in sorted(cited) if f"def {name}(" not in (ROOT / file).read_text()] == []


def test_the_requirements_stand_in_order_and_once() -> None:
    rows = requirements()
    assert {letter for letter, _ in rows} == set("ABCDEF")
    assert rows == sorted(set(rows))


@pytest.mark.parametrize("folder", ["src", "tests"])
def test_every_requirement_that_the_code_cites_has_a_row(folder: str) -> None:
    """As `protocols.md`, in brackets, or as the id of a test case: a citation leads somewhere."""
    rows = set(requirements())
    cited = {
        (letter, int(number)): str(path.relative_to(ROOT))
        for path in sorted((ROOT / folder).rglob("*.py"))
        for letter, number in CITATION.findall(path.read_text())
    }
    assert cited
    assert {row: path for row, path in cited.items() if row not in rows} == {}


def test_every_public_name_is_documented() -> None:
    page = (ROOT / "docs/reference/api.md").read_text()
    names = [name for name in linkback.__all__ if not name.startswith("__")]
    assert [name for name in names if not re.search(rf"`{name}\b", page)] == []


COMMANDS = click.Context(cli.cli)


@pytest.mark.parametrize("command", cli.cli.list_commands(COMMANDS))
def test_every_command_and_option_is_documented_and_helped(command: str) -> None:
    page = (ROOT / "docs/reference/cli.md").read_text()
    found = cli.cli.get_command(COMMANDS, command)
    assert found is not None
    assert f"`linkback {command}" in page
    assert found.help
    options = [parameter for parameter in found.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if option.help is None] == []


def test_the_smallest_example_answers(tmp_path: Path) -> None:
    with running("wsgi_min.py", tmp_path) as url, urllib.request.urlopen(url) as response:
        assert response.headers["X-Pingback"] == f"{url}/linkback/pingback"
        assert b"<h1>A post</h1>" in response.read()
    assert [path.name for path in tmp_path.glob("*.db")] == ["wsgi_min.db"]


def test_the_package_can_be_run_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["linkback", "--version"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("linkback", run_name="__main__")
    assert caught.value.code == 0
