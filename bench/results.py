"""What was measured: one JSON file for each run in `results/`, with its time, the machine, and the rows of each figure.

Rule 1: a run that has all figures is complete. The two newest complete ones are what the page shows; older ones go.
Rule 2: a figure that is measured alone takes its place in the newest run, with its own time.
Rule 3: nothing says where or by whom it was measured, but for what the figures depend on.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from figure import HERE

FOLDER = HERE / "results"
SHOWN = 2


@dataclass
class Run:
    """One run: `figures` by name, each with `at`, `title`, `corpus`, `rows` and `goals`."""

    at: str
    machine: dict[str, str]
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)

    def complete(self, names: Collection[str]) -> bool:
        """Whether each of the figures was measured."""
        return all(name in self.figures for name in names)


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def machine() -> dict[str, str]:
    """What the numbers depend on."""
    from lxml import etree

    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "CPU": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "lxml": ".".join(map(str, etree.LXML_VERSION[:3])),
        "libxml2": ".".join(map(str, etree.LIBXML_VERSION)),
        "SQLite": sqlite3.sqlite_version,
    }


def figure(lines: Iterable[str], *, corpus: str) -> dict[str, Any]:
    """What a script printed, as a figure of a run; raises `ValueError` where its end is missing."""
    said = [json.loads(line) for line in lines if line.startswith("{")]
    if not said or "goals" not in said[-1]:
        raise ValueError("it printed no ratios")
    *rows, end = said
    rows = [{name: value for name, value in row.items() if name != "figure"} for row in rows]
    return {"at": now(), "title": end["title"], "corpus": corpus, "rows": rows, "goals": end["goals"]}


def load(folder: Path) -> list[Run]:
    """The runs that are kept, the oldest first."""
    return [Run(**json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]


def save(run: Run, folder: Path, names: Collection[str]) -> None:
    """Keep a run, and the two newest complete ones; a later run that is not complete stays beside them."""
    folder.mkdir(exist_ok=True)
    path(run, folder).write_text(json.dumps(asdict(run), indent=1, ensure_ascii=False) + "\n")
    runs = load(folder)
    kept = {each.at for each in [*runs[-1:], *shown(runs, names)]}
    for old in runs:
        if old.at not in kept:
            path(old, folder).unlink()


def path(run: Run, folder: Path) -> Path:
    """The file of a run."""
    return folder / f"{run.at.replace(':', '')}.json"


def shown(runs: list[Run], names: Collection[str]) -> list[Run]:
    """The two newest complete runs, the oldest first; as long as there is none, the newest."""
    complete = [run for run in runs if run.complete(names)]
    return complete[-SHOWN:] or runs[-1:]
