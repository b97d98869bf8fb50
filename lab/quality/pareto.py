"""The Pareto curve: quality over FLOPs for every line of plans, on pairs kept apart by their use.

python -m lab.quality pareto --model flux --split reported --pairs 36
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import torch

from lab.bench import machine
from lab.bench.results import Results
from lab.quality import methods, pareto_methods, pareto_report
from lab.quality.bench import Bench
from lab.quality.pareto_line import EULER, LINE, RALU, Line
from lab.quality.pareto_part import Part, part_of
from lab.quality.report import Row, figures_as_data
from lab.quality.statistics import Estimate
from lab.quality.subject import Subject, meta_subject, weights_hash

HERE = Path(__file__).resolve().parent
CURVES = HERE / "curves"
TOLD_APART = (EULER, RALU)  # differences to these lines, too, where they are measured
HARD = "How hard a judge this model is: "
INDEX = """\
# Quality over FLOPs

Kept page by page by `make bench-quality ARGS="pareto ... --commit"`; each page says its command,
and has a curve, a table of figures and the differences to the line to beat. `docs/figures.md` says
what follows.
"""
INTRODUCTION = """\
{pairs} prompt-seed pairs ({numbers}, split "{split}"), miniature {kind} (weights SHA-256 \
{hash}), {settings}256x256 pixels, {dtype} network, {day}. Made by `{command}`.

Brackets: intervals of 95 % over the noise of the pairs and over the pictures that distances are \
taken to, of distances by the infinitesimal jackknife, else by bootstrap; {given}. KID, Frechet: \
distance to {references}, in the judge's features and in texture statistics, less is better. SSIM, \
PSNR: against {many} plain Euler steps of the same seed. FLOPs: of the network's calls, counted as \
run. Differences are paired, against plain second-order steps of the nearest FLOPs not below the \
method's (else the dearest there are): the line to beat. Those against plain Euler steps, a \
KSampler's, against RALU as shipped, and of the dial's line against rivals likewise."""
ARTIFACTS_ARE = """\
Artifacts (`lab/quality/artifacts.py`), and blur: closer to the last row is better, not less."""
TITLES = {"real": "real pictures", "model": "the model's own pictures"}


def run(options: argparse.Namespace, command: str) -> None:
    """Measure what is missing, line by line, and write the report after each line."""
    part = part_of(options)
    bench = part.bench()
    counting = replace(meta_subject(part.kind), guidance=part.guidance)
    known = pareto_methods.lines(bench.subject)
    if part.is_again:
        known = [line for line in known if not line.is_rival]
    lines = chosen_lines(known, options.only, options.methods)
    benches = {"real": bench, "model": replace(bench, reference=part.drawn(bench.subject))}
    aims = {against: one.aimed_at() for against, one in benches.items()}
    reference = measured_line(part, Line(pareto_report.REFERENCE, (part.many,)), benches, counting)
    measured: dict[str, list[tuple[Line, list[Row]]]] = {against: [] for against in benches}
    started = time.perf_counter()
    for line in lines:
        for against, rows in measured_line(part, line, benches, counting).items():
            measured[against].append((line, rows))
            (last,) = reference[against]
            write(part, against, last, measured[against], aims[against], command)
        print(f"{line.name}: {time.perf_counter() - started:.0f} s", flush=True)
    if options.commit:
        commit(part.folder)


def measured_line(
    part: Part, line: Line, benches: Mapping[str, Bench], counting: Subject
) -> dict[str, list[Row]]:
    """The rows of a line's methods by what distances are taken to."""
    rows: dict[str, list[Row]] = {against: [] for against in benches}
    for method in line.methods:
        cost, own = methods.cost(method, counting, part.denoise), None
        for against, bench in benches.items():
            own = own or bench.own_figures(method, part.pairs, part.many)
            figures = {**bench.distance_figures(method, part.pairs), **own}
            rows[against].append(Row(method, cost, figures))
    return rows


def chosen_lines(
    lines: Sequence[Line], only: Sequence[str], methods: Sequence[str] = ()
) -> list[Line]:
    """The line to beat and those of `only`, by their names or by how several begin; none asks for
    all. Of each the methods that `methods` names likewise, if any."""
    names = {line.name for line in lines}
    begins = tuple(name for name in only if name not in names)
    found = [
        line
        for line in lines
        if not only or line.name in (LINE, *only) or line.name.startswith(begins)
    ]
    if only and len(found) == 1:
        names = ", ".join(line.name for line in lines)
        raise ValueError(f"No line of the curve begins with {', '.join(only)}: there are {names}.")
    if not methods:
        return found
    kept = [
        replace(line, methods=tuple(m for m in line.methods if m.name.startswith(tuple(methods))))
        for line in found
    ]
    drawn = [method.name for line in kept for method in line.methods]
    lost = [name for name in methods if not any(one.startswith(name) for one in drawn)]
    lost += [line.name for line in kept if not line.methods]
    if lost:
        names = ", ".join(dict.fromkeys(method.name for line in found for method in line.methods))
        raise ValueError(
            "Each name must begin some method, and each line keep one, "
            f"got none for {', '.join(lost)}: there are {names}."
        )
    return kept


def write(
    part: Part,
    against: str,
    reference: Row,
    measured: list[tuple[Line, list[Row]]],
    aimed: dict[str, Estimate],
    command: str,
) -> None:
    """The page, the figures as data and the drawing of what is measured so far."""
    facts, out = machine.describe(torch.device("cpu")), part.folder
    name = f"pareto_{part.name}_{against}"
    title = f"Pareto, {part.name.replace('_', ' ')}, distances to {TITLES[against]}"
    results = Results(name, title, facts)
    results.say(
        INTRODUCTION.format(
            pairs=part.pairs,
            numbers=part.numbers(part.split, part.pairs),
            references=part.referred(against),
            split=part.split,
            kind=part.kind,
            hash=weights_hash(part.kind)[:16],
            dtype=str(part.dtype).removeprefix("torch."),
            day=date.today().isoformat(),
            command=command,
            many=part.count,
            settings=part.settings,
            given=part.given,
        )
    )
    results.say(f"![curve]({name}.svg)")
    beaten = next(rows for line, rows in measured if line.name == LINE)
    results.say(pareto_report.hardness(beaten, reference, pareto_methods.HARDNESS))
    results.say(pareto_report.table(measured, reference))
    results.say(pareto_report.differences(measured, beaten, LINE))
    whole = [*measured, (Line(pareto_report.REFERENCE, ()), [reference])]
    for line, rows in measured:
        if line.name in TOLD_APART:
            results.say(pareto_report.differences(whole, rows, line.name))
    rivals = pareto_report.against_rivals(measured, pareto_methods.dialled(part.kind))
    if rivals:
        results.say(rivals)
    results.say(ARTIFACTS_ARE)
    results.say(pareto_report.artifact_table(measured, reference, aimed, TITLES[against]))
    results.data["rows"] = [_data(row) for _, rows in measured for row in rows]
    results.data["reference"] = _data(reference)
    results.save(out)
    picture = pareto_report.curve(measured, reference)
    (out / f"{name}.svg").write_text(picture, encoding="utf-8")


def _data(row: Row) -> dict:
    cost = row.cost
    assert cost is not None  # no line has a ratio that follows the picture
    return {
        "line": row.method.group,
        "method": row.method.name,
        "gigaflop": round(cost.giga, 3),
        "calls": cost.calls,
        "figures": figures_as_data(row.figures),
    }


def commit(out: Path) -> None:
    """Put every part measured so far where the repository keeps them, and list what it keeps."""
    CURVES.mkdir(exist_ok=True)
    for kind in ("md", "svg"):
        for path in out.glob(f"pareto_*.{kind}"):
            shutil.copyfile(path, CURVES / path.name)
    (HERE / "PARETO.md").write_text(index(CURVES), encoding="utf-8")


def index(folder: Path) -> str:
    """A page that links every part in a folder, with what each says of its model."""
    lines = [INDEX]
    for path in sorted(folder.glob("pareto_*.md")):
        text = path.read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix("## Pareto, ")
        (hard,) = (line for line in text.splitlines() if line.startswith(HARD))
        lines.append(f"- [{title}]({folder.name}/{path.name}). As a judge: {hard[len(HARD) :]}")
    return "\n".join(lines) + "\n"
