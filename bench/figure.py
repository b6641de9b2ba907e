"""What the scripts beside this one share: a figure is rows, ratios of one run, and the goals of those ratios.

Rule 1: only ratios of one run are held to a goal: the machine's moods meet all its methods alike.
Rule 2: a method is measured in a process of its own, in turn with the others, so that none warms another's caches.
A script prints one JSON object for each row, and one, the last, with the ratios and the goals that were missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

#: whose a row is: ours, a peer's, or the least that the machine allows
Kind = Literal["linkback", "peer", "floor"]


@dataclass(frozen=True)
class Goal:
    """A ratio and what it is to be: `at` "least" or "most" so much. `says` what is compared, in words."""

    ratio: str
    at: Literal["least", "most"]
    value: float
    says: str

    def met(self, value: float) -> bool:
        """Whether a ratio is as it should be."""
        return value >= self.value if self.at == "least" else value <= self.value


@dataclass
class Figure:
    """One figure: its rows are printed as they come, its ratios at the end.

    `unit` is that of each row's value, such as "ms CPU a page".
    """

    name: str
    title: str
    unit: str
    goals: Sequence[Goal]
    values: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)

    def row(self, method: str, kind: Kind, values: Iterable[float], **more: object) -> float:
        """Print the median of a method's rounds, with whatever else there is to say of it; gives the median."""
        median = statistics.median(values)
        self.values[method] = median
        told = {"figure": self.name, "method": method, "kind": kind, "value": significant(median), "unit": self.unit}
        print(json.dumps({**told, **more}), flush=True)
        return median

    def end(self, *, check: bool = False) -> int:
        """Print the ratios and their goals; gives the exit code: 1 where one is missed and that was to be checked."""
        missed = [goal.ratio for goal in self.goals if not self._met(goal)]
        goals = [
            {**goal.__dict__, "is": significant(self.ratios.get(goal.ratio)), "met": goal.ratio not in missed}
            for goal in self.goals
        ]
        ratios = {name: significant(value) for name, value in self.ratios.items()}
        print(
            json.dumps({"figure": self.name, "title": self.title, "ratios": ratios, "goals": goals, "missed": missed})
        )
        for name in missed:
            print(f"{self.name}: {name} is {ratios.get(name, 'not known')}, short of its goal", file=sys.stderr)
        return 1 if check and missed else 0

    def _met(self, goal: Goal) -> bool:
        return goal.ratio in self.ratios and goal.met(self.ratios[goal.ratio])


def significant(value: float | None) -> float | None:
    """A number to three figures, as many as a busy machine can tell."""
    return None if value is None else float(f"{value:.3g}")


def arguments(about: str | None, *, corpus: bool = False, rounds: int = 3) -> argparse.ArgumentParser:
    """The options that all scripts have: `--rounds`, `--check`, and `--corpus` where they read pages."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help="how often each method is measured, in turn")
    parser.add_argument("--check", action="store_true", help="end with 1 where a ratio misses its goal")
    if corpus:
        parser.add_argument("--corpus", type=Path, help="a folder of pages, *.html; generated ones by default")
    return parser


def apart(script: Path | str, *given: object, python: Path | str = sys.executable) -> dict[str, Any]:
    """What a script of this folder prints as its last line, JSON, in a process of its own; its errors are shown."""
    command = [str(python), "-W", "ignore", str(HERE / script), *map(str, given)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
