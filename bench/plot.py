"""The plot of a figure, as SVG: bars on a logarithmic scale, ours, the peers' and the floor's in a colour each.

Rule 1: equal rows give equal bytes, so that a plot changes only where a number did.
Rule 2: rows of one unit share a panel; a row with `x` and `y` is a line, in a panel of those that share its x.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any
from xml.sax.saxutils import escape

Row = dict[str, Any]
KINDS = ("linkback", "peer", "floor")
_WIDTH, _LEFT, _RIGHT, _LINE, _HEIGHT = 760, 250, 90, 24, 220
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #222 } .small { font-size: 11px; fill: #666 } .end { text-anchor: end }
.middle { text-anchor: middle } .grid { stroke: #ddd } .other { stroke: #222; stroke-width: 2 }
.linkback { fill: #0072b2; stroke: #0072b2 } .peer { fill: #d55e00; stroke: #d55e00 }
.floor { fill: #999; stroke: #999 }
.line { fill: none; stroke-width: 2 } rect { stroke: none !important } svg { background: #fff }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .small { fill: #aaa } .grid { stroke: #444 }
.other { stroke: #ddd } svg { background: #111 } .linkback { fill: #56b4e9; stroke: #56b4e9 } .line { fill: none } }
"""


def svg(rows: Sequence[Row], others: Sequence[Row] = ()) -> str:
    """The plot of some rows, with a stroke where `others`, those of another run, differ."""
    shapes: list[str] = []
    top = _legend(shapes, [kind for kind in KINDS if any(row["kind"] == kind for row in rows)], bool(others))
    for unit in dict.fromkeys(row["unit"] for row in rows if "x" not in row):
        panel = [row for row in rows if row["unit"] == unit and "x" not in row]
        earlier = {row["method"]: row["value"] for row in others if row["unit"] == unit and "x" not in row}
        top = _bars(shapes, top, panel, earlier, unit)
    for unit, label in dict.fromkeys((row["unit"], row.get("x_label", "")) for row in rows if "x" in row):
        panel = [row for row in rows if "x" in row and (row["unit"], row.get("x_label", "")) == (unit, label)]
        top = _lines(shapes, top, panel, unit, label)
    size = f'width="{_WIDTH}" height="{top}" viewBox="0 0 {_WIDTH} {top}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{_STYLE}</style>\n{"".join(shapes)}</svg>\n'


def number(value: float) -> str:
    """A number for a reader: three figures, thousands with a comma."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


class _Scale:
    """A logarithmic scale from a power of ten to another, laid over pixels."""

    def __init__(self, values: Iterable[float], first: float, last: float, *, room: float = 0.7) -> None:
        positive = [value for value in values if value > 0] or [1.0]
        # with room, a bar of the smallest value still has a length
        self.low = math.floor(math.log10(min(positive) * room))
        self.high = max(math.ceil(math.log10(max(positive))), self.low + 1)
        self.first, self.last = first, last

    def at(self, value: float) -> float:
        """Where a value is; what is not positive stands at the beginning."""
        share = (math.log10(value) - self.low) / (self.high - self.low) if value > 0 else 0.0
        return round(self.first + share * (self.last - self.first), 1)

    def ticks(self) -> list[float]:
        """The powers of ten."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def _legend(shapes: list[str], kinds: Sequence[str], earlier: bool) -> int:
    left = _LEFT
    for kind in kinds:
        shapes.append(f'<rect class="{kind}" x="{left}" y="8" width="12" height="12"/>')
        shapes.append(_text(left + 18, 18, kind))
        left += 110
    if earlier:
        shapes.append(f'<line class="other" x1="{left + 6}" x2="{left + 6}" y1="6" y2="22"/>')
        shapes.append(_text(left + 18, 18, "the run before"))
    return 34


def _bars(shapes: list[str], top: int, rows: Sequence[Row], earlier: dict[str, float], unit: str) -> int:
    """A panel of bars; gives where the next one begins."""
    scale = _Scale([*(row["value"] for row in rows), *earlier.values()], _LEFT, _WIDTH - _RIGHT)
    bottom = top + _LINE * len(rows) + 4
    for tick in scale.ticks():
        shapes.append(f'<line class="grid" x1="{scale.at(tick)}" x2="{scale.at(tick)}" y1="{top}" y2="{bottom}"/>')
        shapes.append(_text(scale.at(tick), bottom + 14, number(tick), "small middle"))
    for place, row in enumerate(rows):
        y, value = top + _LINE * place + 5, row["value"]
        width = round(scale.at(value) - _LEFT, 1)
        shapes.append(_text(_LEFT - 8, y + 12, row["method"], "end"))
        shapes.append(f'<rect class="{row["kind"]}" x="{_LEFT}" y="{y}" width="{width}" height="15"/>')
        before = earlier.get(row["method"], value)
        if before != value:
            x = scale.at(before)
            shapes.append(f'<line class="other" x1="{x}" x2="{x}" y1="{y - 2}" y2="{y + 17}"/>')
        shapes.append(_text(max(scale.at(value), scale.at(before)) + 5, y + 12, number(value)))
    shapes.append(_text(_LEFT, bottom + 30, unit, "small"))
    return bottom + 44


def _lines(shapes: list[str], top: int, rows: Sequence[Row], unit: str, label: str) -> int:
    """A panel of lines, both scales logarithmic; gives where the next one begins."""
    bottom, right = top + _HEIGHT, _WIDTH - _LEFT
    across = _Scale([x for row in rows for x in row["x"]], 60, right, room=1.0)
    up = _Scale([y for row in rows for y in row["y"]], bottom, top + 8)
    for tick in across.ticks():
        shapes.append(f'<line class="grid" x1="{across.at(tick)}" x2="{across.at(tick)}" y1="{top}" y2="{bottom}"/>')
        shapes.append(_text(across.at(tick), bottom + 14, number(tick), "small middle"))
    for tick in up.ticks():
        shapes.append(f'<line class="grid" x1="60" x2="{right}" y1="{up.at(tick)}" y2="{up.at(tick)}"/>')
        shapes.append(_text(54, up.at(tick) + 4, number(tick), "small end"))
    last = math.inf
    for place, row in enumerate(sorted(rows, key=lambda row: -row["y"][-1])):
        points = [(across.at(x), up.at(y)) for x, y in zip(row["x"], row["y"], strict=True)]
        path = " ".join(f"{x},{y}" for x, y in points)
        dash = f' stroke-dasharray="{4 + 2 * place},{2 * place}"' if place else ""
        shapes.append(f'<polyline class="line {row["kind"]}" points="{path}"{dash}/>')
        shapes += [f'<circle class="{row["kind"]}" cx="{x}" cy="{y}" r="3"/>' for x, y in points]
        # names of lines that end together stand one below the other
        last = points[-1][1] + 4 if last == math.inf else max(points[-1][1] + 4, last + 14)
        shapes.append(_text(right + 8, last, row["method"]))
    shapes.append(_text(60, bottom + 30, f"{unit}, by {label}" if label else unit, "small"))
    return max(bottom + 44, int(last) + 20)


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{named}>{escape(words)}</text>\n'
