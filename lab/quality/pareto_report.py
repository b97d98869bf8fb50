"""The Pareto curve in words, tables and a drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from lab.bench.results import markdown
from lab.quality.measures import ARTIFACTS, BLUR, PAIRED
from lab.quality.pareto_line import Line
from lab.quality.report import DISTANCES, Row, show
from lab.quality.statistics import Estimate

Measured = Sequence[tuple[Line, Sequence[Row]]]
SHOWN = (*DISTANCES, "recognised", "SSIM", "PSNR")
COMPARED = (*DISTANCES, "recognised", "PSNR")
TOLD = (*ARTIFACTS, BLUR)
COLOURS = (
    "#111111", "#999999", "#d62728", "#ff7f0e", "#1f77b4", "#17becf",
    "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#bcbd22",
)  # fmt: skip
REFERENCE = "reference"  # the line of many steps
WANTED = (6, 10)  # steps that must be worse than many for a model to judge plans by
PANELS = ("KID judge", "Frechet texture", "PSNR")
WIDTH, HEIGHT, LEFT, TOP, ROW = 420, 300, 56, 28, 16
DIGITS = {"PSNR": 1, "Frechet judge": 1, "Frechet texture": 1}


def giga(row: Row) -> float:
    assert row.cost is not None  # no line has a ratio that follows the picture
    return row.cost.giga


def nearest(rows: Sequence[Row], cost: float) -> Row:
    """The cheapest row that costs at least as much, to 1 %; the dearest where none does."""
    dearer = [row for row in rows if giga(row) >= 0.99 * cost]
    return min(dearer, key=giga) if dearer else max(rows, key=giga)


def table(measured: Measured, reference: Row) -> str:
    """One row for each method of each line, cheapest first within a line."""
    lines = []
    for line, rows in measured:
        for row in sorted(rows, key=giga):
            figures = (show(row.figures[name], DIGITS.get(name, 2)) for name in SHOWN)
            lines.append([line.name, row.method.name, f"{giga(row):.1f}", *figures])
    figures = (show(reference.figures[name], DIGITS.get(name, 2)) for name in SHOWN)
    lines.append([REFERENCE, reference.method.name, f"{giga(reference):.1f}", *figures])
    return markdown(["line", "method", "GFLOP", *SHOWN], lines)


def artifact_table(
    measured: Measured, reference: Row, aimed: Mapping[str, Estimate], words: str
) -> str:
    """The artifacts of each method, and of the pictures `words` that distances are taken to: closer
    to those is better, not less."""
    lines = [
        [row.method.group, row.method.name, *_artifacts(row.figures)]
        for _, rows in measured
        for row in sorted(rows, key=giga)
    ]
    lines.append([REFERENCE, reference.method.name, *_artifacts(reference.figures)])
    lines.append([words, "", *_artifacts(aimed)])
    return markdown(["line", "method", *TOLD], lines)


def _artifacts(figures: Mapping[str, Estimate]) -> list[str]:
    return [show(figures[name]) for name in TOLD]


def differences(measured: Measured, beaten: Sequence[Row], name: str) -> str:
    """Each method of another line minus that of a line, by its name, at no fewer FLOPs; bold where
    told from zero."""
    lines = []
    for line, rows in measured:
        if line.name == name:
            continue
        for row in sorted(rows, key=giga):
            other, share, gaps = _apart(row, beaten)
            if line.name == REFERENCE:  # its likeness to itself says nothing
                gaps |= {n: "" for n in PAIRED if n in gaps}
            lines.append([line.name, row.method.name, other, share, *gaps.values()])
    if not lines:
        return "No other line measured yet."
    return markdown(["line", "method", f"minus {name}", "FLOPs", *COMPARED], lines)


def against_rivals(measured: Measured, name: str) -> str:
    """The methods of a line, by its name, minus that of each rival line at no fewer FLOPs; nothing
    where no rival is measured, or not the line."""
    lines = []
    for mine in (row for line, rows in measured if line.name == name for row in rows):
        for line, rows in measured:
            if line.is_rival:
                other, share, gaps = _apart(mine, rows)
                method = f"{line.name}, {other}"
                lines.append([mine.method.group, mine.method.name, method, share, *gaps.values()])
    return markdown(["line", "method", "minus", "FLOPs", *COMPARED], lines) if lines else ""


def _apart(row: Row, beaten: Sequence[Row]) -> tuple[str, str, dict[str, str]]:
    """The method that a row is compared with, the row's FLOPs over its, and the differences."""
    other = nearest(beaten, giga(row))
    share = f"{100 * (giga(row) / giga(other) - 1):+.0f} %"
    gaps = {n: _signed(row.figures[n].minus(other.figures[n]), n) for n in COMPARED}
    return other.method.name, share, gaps


def hardness(beaten: Sequence[Row], reference: Row, steps: Sequence[int]) -> str:
    """How far few plain second-order steps stay behind many: what the model can judge at all."""
    lines, hard = [], []
    for count in steps:
        row = next((row for row in beaten if row.method.name == f"{count} steps"), None)
        if row is None:
            continue
        gaps = {name: row.figures[name].minus(reference.figures[name]) for name in DISTANCES}
        worse = [name for name, gap in gaps.items() if gap.low > 0]
        hard += [count] if len(worse) >= 2 else []
        level = show(row.figures["PSNR"], 1)
        lines.append([count, level, *(_signed(gap, name) for name, gap in gaps.items())])
    many = reference.method.name
    missing = [count for count in WANTED if count not in [line[0] for line in lines]]
    if set(WANTED) <= set(hard):
        words = "it is hard enough: 6 and 10 plain second-order steps are each worse than "
        words += f"{many} in two distances or more"
    else:
        words = f"not hard enough to have both 6 and 10 plain second-order steps worse than {many} "
        if missing and set(WANTED) <= {*hard, *missing}:
            words = f"not told, without {_listed(missing)} plain second-order steps, "
            words += f"whether both 6 and 10 are worse than {many} "
        words += f"in two distances; worse are, of those measured, {_listed(hard)}"
    words += " (intervals of the paired difference above zero)."
    head = ["steps", "PSNR", *(f"{name} minus many" for name in DISTANCES)]
    return f"How hard a judge this model is: {words}\n\n{markdown(head, lines)}"


def _listed(counts: Sequence[int]) -> str:
    return " and ".join(map(str, counts)) or "none"


def _signed(gap: Estimate, name: str) -> str:
    digits = DIGITS.get(name, 2)
    text = f"{gap.value:+.{digits}f} [{gap.low:+.{digits}f}, {gap.high:+.{digits}f}]"
    return text if gap.low <= 0 <= gap.high else f"**{text}**"


def curve(measured: Measured, reference: Row) -> str:
    """An SVG of PANELS side by side over GFLOP; axes logarithmic, but PSNR's and a distance's where
    some lie below zero, as an unbiased one may."""
    legend = TOP + HEIGHT + 40
    height = legend + ROW * ((len(measured) + 1) // 2) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(PANELS)} {height}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>'
    ]
    for number, name in enumerate(PANELS):
        parts.append(_panel(number, name, measured, reference))
    for number, (line, _) in enumerate(measured):
        x, y = LEFT + 300 * (number % 2), legend + ROW * (number // 2)
        parts.append(f'<rect x="{x}" y="{y - 8}" width="18" height="4" fill="{_colour(number)}"/>')
        parts.append(f'<text x="{x + 24}" y="{y - 2}">{escape(line.name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _panel(number: int, name: str, measured: Measured, reference: Row) -> str:
    rows = [row for _, some in measured for row in some]
    values = [row.figures[name].value for row in rows] + [reference.figures[name].value]
    if name == "PSNR":
        values.pop()
    across = _Axis([giga(row) for row in rows], LEFT, WIDTH - 12, True)
    up = _Axis(values, TOP + HEIGHT, TOP, name != "PSNR" and min(values) > 0)
    parts = [f'<g transform="translate({number * WIDTH},0)">']
    parts.append(f'<text x="{LEFT}" y="16" font-weight="bold">{name}</text>')
    parts.append(
        f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH - 12 - LEFT}" height="{HEIGHT}" fill="none" '
        'stroke="#ccc"/>'
    )
    for tick in (5, 10, 20, 40, 80):
        if LEFT <= across(tick) <= WIDTH - 12:
            parts.append(f'<text x="{across(tick):.0f}" y="{TOP + HEIGHT + 14}">{tick}</text>')
    for share in (0, 0.5, 1):
        value = up.at(share)
        parts.append(f'<text x="4" y="{up(value) + 4:.0f}">{value:.2g}</text>')
    if name != "PSNR":
        y = up(reference.figures[name].value)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}" stroke="#bbb" '
            'stroke-dasharray="4 3"/>'
        )
    for index, (line, some) in enumerate(measured):
        colour = _colour(index)
        ordered = sorted(some, key=giga)
        points = [(across(giga(r)), up(r.figures[name].value)) for r in ordered]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dash = ' stroke-dasharray="3 3"' if line.is_rival else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}"{dash}/>')
        for (x, y), row in zip(points, ordered, strict=True):
            words = escape(f"{line.name}, {row.method.name}: {show(row.figures[name], 2)}")
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}">')
            parts.append(f"<title>{words}</title></circle>")
    return "\n".join([*parts, "</g>"])


class _Axis:
    """Values to places between two ends, evenly or by their logarithm."""

    def __init__(self, values: Sequence[float], start: float, end: float, is_log: bool) -> None:
        self._is_log = is_log
        placed = [self._place(value) for value in values]
        self._low, high = min(placed), max(placed)
        self._span = (high - self._low) or 1.0
        self._low -= 0.04 * self._span
        self._span *= 1.08
        self._start, self._end = start, end

    def _place(self, value: float) -> float:
        return math.log(value) if self._is_log else value

    def __call__(self, value: float) -> float:
        share = (self._place(value) - self._low) / self._span
        return self._start + share * (self._end - self._start)

    def at(self, share: float) -> float:
        place = self._low + share * self._span
        return math.exp(place) if self._is_log else place
