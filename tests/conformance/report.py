"""`make conformance`: which requirement is shown by which tests, and whether they pass; writes docs/conformance.md.

A vector of `vectors.toml` is shown by tests that carry its id in their name (`test_…[VA-7]`) or body; a requirement of
docs/protocols.md by tests that cite it there, and by the vectors that name it. Nothing is claimed that did not run.
"""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs/conformance.md"
VECTORS = Path(__file__).parent / "vectors.toml"
NOTES = Path(__file__).parent / "notes.toml"

_ID = re.compile(r"\b(V[A-EX]-\d+|[A-F]-\d+)\b")
_RANGE = re.compile(r"\b(V?[A-FX])-(\d+) to (?:V?[A-FX]-)?(\d+)\b")
_ROW = re.compile(r"^(?:- \*\*|\| \*\*|\| )([A-F]-\d+)\b", re.MULTILINE)


def ids_in(text: str) -> set[str]:
    """The ids a text cites, ranges such as "B-20 to B-24" included."""
    spans = (
        f"{letter}-{number}"
        for letter, first, last in _RANGE.findall(text)
        for number in range(int(first), int(last) + 1)
    )
    return {*_ID.findall(text), *spans}


@dataclass(eq=False)
class Recorder:
    """A pytest plugin that notes what each test cites and how it ended."""

    cited: dict[str, set[str]] = field(default_factory=dict)
    outcome: dict[str, str] = field(default_factory=dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            function = getattr(item, "function", None)
            # what a table of parameters says belongs to the one whose id it is: the name has that
            body = inspect.getsource(function).partition("def ")[2] if function else ""
            words = f"{item.name} {body}"
            if ids := ids_in(words):
                self.cited[item.nodeid] = ids

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed" or report.when == "call":
            self.outcome[report.nodeid] = report.outcome


def numeric(id: str) -> tuple[str, int]:
    letter, _, number = id.rpartition("-")
    return letter, int(number)


def shown_by(recorder: Recorder) -> dict[str, list[str]]:
    """The tests that cite each id, by their node ids."""
    found: dict[str, list[str]] = defaultdict(list)
    for node, ids in recorder.cited.items():
        for id in ids:
            found[id].append(node)
    return found


def verdict(tests: list[str], recorder: Recorder) -> str:
    """How the tests of one id ended, taken together."""
    outcomes = {recorder.outcome.get(test, "not run") for test in tests}
    for word in ("failed", "passed", "skipped"):
        if word in outcomes:
            return word
    return "no test"


def page(recorder: Recorder) -> tuple[str, int]:
    """The page, and how many vectors and requirements are neither shown nor argued."""
    vectors = tomllib.loads(VECTORS.read_text())
    notes = tomllib.loads(NOTES.read_text())
    requirements = sorted(set(_ROW.findall((ROOT / "docs/protocols.md").read_text())), key=numeric)
    shown = shown_by(recorder)
    ended = {id: verdict(shown.get(id, []), recorder) for id in (*vectors, *requirements)}
    by_vector = defaultdict(list)
    for id, vector in vectors.items():
        for requirement in vector["requirements"]:
            by_vector[requirement].append(id)
    for id in requirements:
        passed = [vector for vector in by_vector[id] if ended[vector] == "passed"]
        if ended[id] == "no test" and passed:
            ended[id] = "passed"
    for id, note in notes.items():
        # a test may cite a requirement of which it shows a part: the note knows that the whole is not there
        if note.get("why", "").startswith("not yet") and ended[id] == "passed":
            ended[id] = "in part"
    missing = [id for id in ended if ended[id] != "passed"]
    open_ = [id for id in missing if id not in notes]
    lines = [
        "# Conformance",
        "",
        "Made by `make conformance` from the results of the test suite; never edited by hand. "
        "The requirements are those of [protocols.md](protocols.md).",
        "",
        f"- vectors that pass: {sum(ended[id] == 'passed' for id in vectors)} of {len(vectors)}",
        f"- requirements that tests show: {sum(ended[id] == 'passed' for id in requirements)} of {len(requirements)}",
        "",
        "## Not shown, and why",
        "",
        "| id | what | why |",
        "|---|---|---|",
        *(f"| {id} | {ended[id]} | {notes.get(id, {}).get('why', 'open')} |" for id in sorted(missing, key=numeric)),
        "",
        "## Where linkback departs",
        "",
        "| id | what it does instead, and why |",
        "|---|---|",
        *(f"| {id} | {note['departs']} |" for id, note in notes.items() if "departs" in note),
        "",
        "## Requirements",
        "",
        "| requirement | result | tests that cite it | vectors |",
        "|---|---|---|---|",
        *(f"| {id} | {ended[id]} | {len(shown.get(id, []))} | {' '.join(by_vector[id])} |" for id in requirements),
        "",
    ]
    return "\n".join(lines), len(open_)


def main() -> int:
    """Run the suite, write the page, print what is open."""
    recorder = Recorder()
    code = pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[recorder])
    text, left = page(recorder)
    PAGE.write_text(text)
    print(f"{PAGE.relative_to(ROOT)}: {left} vectors or requirements are neither shown nor argued")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
