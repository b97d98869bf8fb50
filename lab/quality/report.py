"""The report: tables with intervals, and in words where RALU wins, ties or loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.bench.results import markdown
from lab.quality import measures
from lab.quality.bench import SPACES, figure_names, sign
from lab.quality.methods import OURS, Cost, Method
from lab.quality.statistics import Estimate, verdict

Figures = Mapping[str, Estimate]
DISTANCES = tuple(f"{name} {space}" for space in SPACES for name in ("KID", "Frechet"))
CLOSENESS = ("recognised", *measures.PAIRED, measures.BLUR)
JUDGED = (*DISTANCES, *measures.ARTIFACTS, "recognised", *measures.PAIRED)
VERDICTS = ("wins clearly", "wins", "ties", "loses", "loses clearly")


@dataclass(frozen=True)
class Row:
    """A method with its cost and figures; `cost` None where it follows the picture."""

    method: Method
    cost: Cost | None
    figures: Figures


def show(estimate: Estimate, digits: int = 3) -> str:
    value, low, high = (f"{v:.{digits}f}" for v in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def figures_table(
    rows: Sequence[Row], names: Sequence[str], extra: Mapping[str, Figures] | None = None
) -> str:
    """One line per method, one column per figure; `extra` are lines without cost."""
    lines = [
        [row.method.name, row.method.note, *(show(row.figures[name]) for name in names)]
        for row in rows
    ]
    for title, figures in (extra or {}).items():
        shown = (show(figures[name]) if name in figures else "" for name in names)
        lines.append([title, "", *shown])
    if not any(line[1] for line in lines):
        return markdown(["method", *names], [[line[0], *line[2:]] for line in lines])
    return markdown(["method", "", *names], lines)


def cost_table(rows: Sequence[Row]) -> str:
    """FLOPs of each method against RALU's."""
    ours = next(row.cost for row in rows if row.method.name == OURS)
    assert ours is not None  # its ratio is fixed
    lines = []
    for row in rows:
        cost = row.cost
        if cost is None:
            continue
        share = f"{100 * (cost.giga / ours.giga - 1):+.1f} %"
        lines.append([row.method.name, cost.calls, f"{cost.giga:.2f}", share])
    return markdown(["method", "calls", "GFLOP", "against RALU"], lines)


def verdicts(rows: Sequence[Row], real: Figures) -> dict[str, dict[str, str]]:
    """RALU against every other row: method -> figure -> verdict.

    real  figures of real pictures; of artifacts, who comes closer to theirs wins.
    """

    def judged(figures: Figures, key: str) -> Estimate:
        figure = figures[key]
        return figure.departure(real[key].value) if key in measures.ARTIFACTS else figure

    ours = next(row.figures for row in rows if row.method.name == OURS)
    return {
        row.method.name: {
            key: verdict(judged(ours, key), judged(row.figures, key), sign(key)) for key in JUDGED
        }
        for row in rows
        if row.method.name != OURS
    }


def verdict_table(found: Mapping[str, Mapping[str, str]]) -> str:
    lines = [[name, *(row[rival] for rival in found)] for name, row in _turned(found).items()]
    return markdown([f"{OURS} against", *found], lines)


def verdict_lines(found: Mapping[str, Mapping[str, str]], names: Sequence[str]) -> str:
    """The same with a line for each method, for many methods and few figures."""
    lines = [[rival, *(row[name] for name in names)] for rival, row in found.items()]
    return markdown(["against", *names], lines)


def _turned(found: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    return {name: {rival: found[rival][name] for rival in found} for name in JUDGED}


def in_words(budget: str, found: Mapping[str, Mapping[str, str]]) -> str:
    """A sentence for each kind of figure, made of the verdicts."""
    groups = {
        "the distance to real pictures": DISTANCES,
        "the artifact measures": tuple(measures.ARTIFACTS),
        "recognised emoji": ("recognised",),
        "likeness to the many-step picture": tuple(measures.PAIRED),
    }
    lines = []
    for title, names in groups.items():
        parts = [_tally(rival, names, row) for rival, row in found.items()]
        lines.append(f"- {budget}, {title}: " + "; ".join(parts) + ".")
    return "\n".join(lines)


def _tally(rival: str, names: Sequence[str], row: Mapping[str, str]) -> str:
    counted = []
    for kind in VERDICTS:
        hits = [name for name in names if row[name] == kind]
        if hits and len(hits) == len(names):
            return f"against {rival} RALU {kind}" + (" on all" if len(names) > 1 else "")
        if hits:
            counted.append(f"{kind} on {', '.join(hits)}")
    return f"against {rival} RALU " + " and ".join(counted)


def as_data(row: Row) -> dict[str, Any]:
    cost = row.cost
    return {
        "method": row.method.name,
        "group": row.method.group,
        "note": row.method.note,
        "gigaflop": None if cost is None else round(cost.giga, 3),
        "calls": None if cost is None else cost.calls,
        "figures": figures_as_data(row.figures),
    }


def figures_as_data(figures: Figures) -> dict[str, list[float]]:
    """value, low, high of each figure."""
    return {
        name: [round(v, 5) for v in (figures[name].value, figures[name].low, figures[name].high)]
        for name in figure_names()
        if name in figures
    }
