"""The page `docs/performance.md`, made of the runs that are kept and of the reasons in `notes.toml`."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from figure import HERE
from plot import Row, number, svg
from results import Run

#: reasons by figure and ratio
Notes = dict[str, dict[str, str]]
_NOT_MEASURED = "–"
#: what a row says in columns of its own, or in the plot
_TOLD = frozenset({"method", "kind", "value", "unit", "x", "y", "x_label"})
_INTRODUCTION = """# Performance

`make bench` measures all of this on loopback and writes this page: linkback beside other people's programs, and beside
the least that the machine allows (the floor), each in a process of its own and in turn. Goals are ratios of one run
wherever they can be, since machines differ, and the same one from hour to hour. `make bench-check` ends with 1 where
one is missed.
"""


def write(docs: Path, runs: Sequence[Run], names: Sequence[str], notes: Notes) -> None:
    """Write the page and its plots below a folder."""
    plots = docs / "plots"
    plots.mkdir(exist_ok=True)
    measured = [name for name in names if _newest(runs, name)]
    for old in plots.glob("*.svg"):
        if old.stem not in measured:
            old.unlink()
    for name in measured:
        newest, *earlier = [run.figures[name]["rows"] for run in reversed(runs) if name in run.figures]
        (plots / f"{name}.svg").write_text(svg(newest, earlier[0] if earlier else ()))
    (docs / "performance.md").write_text(page(runs, names, notes))


def page(runs: Sequence[Run], names: Sequence[str], notes: Notes) -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION, _machines(runs), _summary(runs, names)]
    parts += [_section(runs, name, notes) for name in names if _newest(runs, name)]
    return "\n".join(parts)


def faults(runs: Sequence[Run], names: Sequence[str], notes: Notes) -> list[str]:
    """What falls short in the newest run that has a figure, or is said of a goal that no run missed."""
    found = []
    for name in names:
        if not (newest := _newest(runs, name)):
            found.append(f"{name}: not measured")
            continue
        for goal in newest["goals"]:
            reason = notes.get(name, {}).get(goal["ratio"])
            if not _met(goal):
                why = "for the reason in notes.toml" if reason else "and notes.toml has no reason"
                found.append(f"{name}: {goal['ratio']} is {_value(goal)}, short of its goal, {why}")
            elif reason and all(_met(each) for each in _over(runs, name, goal["ratio"]) if each):
                found.append(f"{name}: {goal['ratio']} is met, but notes.toml has a reason why not")
    return found


def _machines(runs: Sequence[Run]) -> str:
    lines = [f"Run {place}: {_when(run.at)}." for place, run in enumerate(runs, 1)]
    for machine in dict.fromkeys(json.dumps(run.machine) for run in runs):
        lines.append("Measured on: " + ", ".join(f"{what} {is_}" for what, is_ in json.loads(machine).items()) + ".")
    return "\n".join(lines) + "\n"


def _when(at: str) -> str:
    return at.replace("T", " ").replace("Z", " UTC")


def _summary(runs: Sequence[Run], names: Sequence[str]) -> str:
    numbers = [f"run {place}" for place in range(1, len(runs) + 1)]
    lines = [_cells("figure", "goal", *numbers, "met"), _cells(*["---"] * (len(runs) + 3))]
    for name in names:
        newest = _newest(runs, name)
        for place, goal in enumerate(newest["goals"] if newest else ()):
            title = f"[{newest['title']}](#{_anchor(newest['title'])})" if newest and not place else ""
            over = _over(runs, name, goal["ratio"])
            lines.append(_cells(title, _words(goal), *map(_value, over), _verdict(over)))
    return "\n".join(lines) + "\n"


def _section(runs: Sequence[Run], name: str, notes: Notes) -> str:
    newest = _newest(runs, name)
    assert newest is not None
    corpus = f"\n\nPages: {newest['corpus']}." if newest["corpus"] else ""
    parts = [f"## {newest['title']}\n\n{about(name)}{corpus}\n", f"![{newest['title']}](plots/{name}.svg)\n"]
    parts.append(_table([run.figures.get(name) for run in runs]))
    for goal in newest["goals"]:
        over = _over(runs, name, goal["ratio"])
        if _verdict(over) != "yes":
            reason = notes.get(name, {}).get(goal["ratio"], "the reason is not known yet.")
            parts.append(f"Short of *{_words(goal)}*: {' '.join(reason.split())}\n")
    parts.append(f"Measured {' and '.join(_when(run.figures[name]['at']) for run in runs if name in run.figures)}.\n")
    return "\n".join(parts)


def about(name: str) -> str:
    """What a figure's script says of itself."""
    script = HERE / f"{name}.py"
    told = ast.get_docstring(ast.parse(script.read_text())) if script.exists() else ""
    return told or ""


def _table(figures: Sequence[dict[str, Any] | None]) -> str:
    rows: dict[tuple[str, str], list[Row | None]] = {}
    for place, figure in enumerate(figures):
        for row in figure["rows"] if figure else ():
            rows.setdefault((row["method"], row["unit"]), [None] * len(figures))[place] = row
    numbers = [f"run {place}" for place in range(1, len(figures) + 1)]
    lines = [_cells("method", "", "unit", *numbers, ""), _cells("---", "---", "---", *["---:"] * len(figures), "---")]
    for (method, unit), of_runs in rows.items():
        last = [row for row in of_runs if row][-1]
        values = [number(row["value"]) if row else _NOT_MEASURED for row in of_runs]
        lines.append(_cells(method, last["kind"], unit, *values, _besides(last)))
    return "\n".join(lines) + "\n"


def _besides(row: Row) -> str:
    told = [f"{name.replace('_', ' ')} {_plain(value)}" for name, value in row.items() if name not in _TOLD]
    if "x" in row:
        points = [f"{number(x)}: {number(y)}" for x, y in zip(row["x"], row["y"], strict=True)]
        told.insert(0, f"by {row.get('x_label', 'x')} {'; '.join(points)}")
    return ", ".join(told)


def _plain(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    if isinstance(value, list):
        return " / ".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _anchor(title: str) -> str:
    """As Markdown readers name a heading."""
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def _newest(runs: Sequence[Run], name: str) -> dict[str, Any] | None:
    return next((run.figures[name] for run in reversed(runs) if name in run.figures), None)


def _over(runs: Sequence[Run], name: str, ratio: str) -> list[dict[str, Any] | None]:
    """A goal as each run found it, None where it was not measured."""
    goals = [run.figures.get(name, {}).get("goals", ()) for run in runs]
    return [next((goal for goal in of_run if goal["ratio"] == ratio), None) for of_run in goals]


def _met(goal: dict[str, Any]) -> bool:
    return bool(goal["met"])


def _verdict(over: Sequence[dict[str, Any] | None]) -> str:
    met = [_met(goal) for goal in over if goal]
    return "yes" if all(met) else "in one of two" if any(met) else "**no**"


def _value(goal: dict[str, Any] | None) -> str:
    return _NOT_MEASURED if goal is None or goal["is"] is None else number(goal["is"])


def _words(goal: dict[str, Any]) -> str:
    # what follows a comma in its name tells ratios of one kind apart, and `says` does that too
    name = goal["ratio"].partition(",")[0].replace("_", " ")
    return f"{name} {'≥' if goal['at'] == 'least' else '≤'} {number(goal['value'])}: {goal['says']}"
