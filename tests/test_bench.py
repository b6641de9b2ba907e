"""The page about performance: made of recorded runs, honest about what falls short. Nothing is timed here."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

BENCH = Path(__file__).parent.parent / "bench"
NAMES = ("discovery", "thread")
MACHINE = {"CPU": "a CPU", "cores": "2"}


def module(name: str) -> ModuleType:
    """A module of `bench`, which is no package."""
    return importlib.import_module(name)


@pytest.fixture(autouse=True)
def _beside_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    for name in ("figure", "results", "plot", "performance", "run"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def lines(name: str, value: float, **row: object) -> list[str]:
    """What the script of a figure prints, whose goal is at most 1.5."""
    goal = {"ratio": "to_floor", "at": "most", "value": 1.5, "says": "times the floor", "is": value}
    goal["met"] = value <= 1.5
    first = {"figure": name, "method": "linkback", "kind": "linkback", "value": value, "unit": "ms", "pages": 3}
    floor = {"figure": name, "method": "floor", "kind": "floor", "value": 1.0, "unit": "ms"}
    end = {"figure": name, "title": f"The {name}", "ratios": {"to_floor": value}, "goals": [goal], "missed": []}
    return [json.dumps(each) for each in ({**first, **row}, floor, end)]


def run(at: str, **values: float) -> Any:
    """A recorded run with such a ratio for each figure."""
    results = module("results")
    figures = {name: results.figure(lines(name, value), corpus="") for name, value in values.items()}
    return results.Run(at, MACHINE, figures)


def test_the_page_opens_with_all_goals_over_both_runs() -> None:
    runs = [
        run("2026-01-01T10:00:00Z", discovery=1.2, thread=1.9),
        run("2026-01-01T11:00:00Z", discovery=1.4, thread=1.3),
    ]
    page = module("performance").page(runs, NAMES, {"thread": {"to_floor": "a cold cache."}})
    assert "| [The discovery](#the-discovery) | to floor ≤ 1.5: times the floor | 1.2 | 1.4 | yes |" in page
    assert "| [The thread](#the-thread) | to floor ≤ 1.5: times the floor | 1.9 | 1.3 | in one of two |" in page
    assert "Run 1: 2026-01-01 10:00:00 UTC." in page
    assert "| linkback | linkback | ms | 1.2 | 1.4 | pages 3 |" in page


def test_a_missed_goal_shows_its_reason() -> None:
    runs = [run("2026-01-01T10:00:00Z", discovery=1.6)]
    page = module("performance").page(runs, NAMES, {"discovery": {"to_floor": "the floor\nreads nothing."}})
    assert "Short of *to floor ≤ 1.5: times the floor*: the floor reads nothing." in page
    assert "| **no** |" in page


@pytest.mark.parametrize(
    ("value", "notes", "said"),
    [
        (1.2, {}, None),
        (1.6, {}, "has no reason"),
        (1.6, {"discovery": {"to_floor": "so it is."}}, "for the reason"),
        (1.2, {"discovery": {"to_floor": "so it is."}}, "is met, but"),
    ],
)
def test_a_check_ends_with_1_where_a_goal_is_missed_or_a_reason_is_stale(
    value: float,
    notes: dict[str, dict[str, str]],
    said: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    running, results = module("run"), module("results")
    results.save(run("2026-01-01T10:00:00Z", discovery=value), tmp_path / "results", ("discovery",))
    told = [f"[{figure}]\n{ratio} = {reason!r}\n" for figure, of in notes.items() for ratio, reason in of.items()]
    (tmp_path / "notes.toml").write_text("".join(told))
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(running, "FIGURES", ("discovery",))
    monkeypatch.setattr(running, "DOCS", tmp_path)
    monkeypatch.setattr(running, "NOTES", tmp_path / "notes.toml")
    monkeypatch.setattr(sys, "argv", ["run.py", "--render", "--check"])
    assert running.main() == (1 if said else 0)
    assert (said or "") in capsys.readouterr().err
    assert (tmp_path / "performance.md").exists()
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["discovery.svg"]


def test_a_figure_that_fails_is_told_and_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running, results = module("run"), module("results")

    def printed(name: str, corpus: Path | None) -> list[str]:
        if name == "discovery":
            raise running.Failed("ended with 2")
        return lines(name, 1.0)

    monkeypatch.setattr(running, "printed", printed)
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    assert running.measure(("discovery", "verification"), None, anew=True)
    assert "discovery: ended with 2" in capsys.readouterr().err
    assert [list(each.figures) for each in results.load(tmp_path)] == [["verification"]]


def test_the_two_newest_complete_runs_are_kept_and_a_later_unfinished_one(tmp_path: Path) -> None:
    results = module("results")
    for hour in (10, 11, 12):
        results.save(run(f"2026-01-01T{hour}:00:00Z", discovery=1.0, thread=1.0), tmp_path, NAMES)
    results.save(run("2026-01-01T13:00:00Z", discovery=1.0), tmp_path, NAMES)
    kept = results.load(tmp_path)
    assert [each.at[11:13] for each in kept] == ["11", "12", "13"]
    assert [each.at[11:13] for each in results.shown(kept, NAMES)] == ["11", "12"]


def test_a_plot_has_bars_and_lines_and_the_same_bytes_for_the_same_rows() -> None:
    results, plot = module("results"), module("plot")
    rows = results.figure(lines("thread", 1.2), corpus="")["rows"]
    rows += [{**rows[0], "method": "by <size>", "x": [1e4, 1e6], "y": [0.4, 0.0], "x_label": "mentions"}]
    drawn = plot.svg(rows, results.figure(lines("thread", 2.0), corpus="")["rows"])
    assert drawn == plot.svg(rows, results.figure(lines("thread", 2.0), corpus="")["rows"])
    names = [element.tag.rpartition("}")[2] for element in ElementTree.fromstring(drawn).iter()]
    assert {"rect", "polyline", "text"} <= set(names)


def test_the_generated_pages_are_the_same_everywhere() -> None:
    corpus = module("corpus")
    pages = list(corpus.pages())
    assert pages == list(corpus.pages())
    sizes = sorted(map(len, pages))
    assert 80_000 < sizes[len(sizes) // 2] < 110_000
    assert sizes[-1] > 800_000
    assert sum(corpus.TARGET.encode() in page for page in pages) == len(pages) // 2
