"""The Pareto curve: quality over FLOPs for every line of plans, on pairs kept apart by their use.

python -m lab.quality pareto --model flux --split reported --pairs 36
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import torch

from lab.bench import machine
from lab.bench.results import Results
from lab.models.architectures import MINIATURES
from lab.quality import methods, pareto_methods, pareto_report
from lab.quality.bench import Bench, Measured
from lab.quality.judge import FEATURES
from lab.quality.methods import Method
from lab.quality.pareto_methods import HARDNESS, LINE, RALU, Line
from lab.quality.report import Row, figures_as_data
from lab.quality.splits import OTHERS, REFERENCES, SPLITS, pairs_of
from lab.quality.statistics import Estimate
from lab.quality.store import Store
from lab.quality.subject import Subject, list_pairs, load_subject, meta_subject, weights_hash

HERE = Path(__file__).resolve().parent
CURVES = HERE / "curves"
HARD = "How hard a judge this model is: "
INDEX = """\
# Quality over FLOPs

Written by `make bench-quality ARGS="pareto --commit"`. Each page has a curve, a table of figures
and the differences to the line to beat; `docs/figures.md` says what follows.
"""
INTRODUCTION = """\
{pairs} prompt-seed pairs ({first} to {last}, split "{split}"), miniature {kind} (weights SHA-256 \
{hash}), {guided}256x256 pixels, {dtype} network, {day}. Made by `{command}`.

Brackets: bootstrap intervals of 95 % over the pairs. KID, Frechet: distance to {references} \
{references_are}, in the judge's features and in texture statistics, less is better. SSIM, PSNR: \
against {many} plain Euler steps of the same seed. FLOPs: of the network's calls, counted as run. \
Differences are paired, against plain second-order steps of the nearest FLOPs not below the \
method's (else the dearest there are): the line to beat. Those against RALU as shipped likewise."""
ARTIFACTS_ARE = """\
Artifacts (`lab/quality/artifacts.py`), and blur: closer to the last row is better, not less."""
# What distances are taken to: the world, or what the model itself draws when it has the time.
AGAINST = {
    "real": "held-out training pictures through the same autoencoder",
    "model": "pictures of {many} plain Euler steps of other seeds, the same prompts",
}
TITLES = {"real": "real pictures", "model": "the model's own pictures"}


@dataclass(frozen=True)
class Part:
    """Some pairs of one miniature, sampled and measured in pieces that are kept."""

    kind: str
    split: str
    pairs: int
    references: int
    folder: Path
    dtype: torch.dtype
    guidance: float | None = None
    steps: int = 0

    @property
    def name(self) -> str:
        """Of its results."""
        strong = f"_at_{self.guidance:g}" if self.guidance else ""
        return f"{self.kind}{strong}_{self.split}"

    @property
    def many(self) -> Method:
        """What all is compared with: that many plain Euler steps, or the miniature's own."""
        return methods.reference(self.steps or MINIATURES[self.kind].steps)

    def bench(self) -> Bench:
        """Distances of it are to real pictures."""
        subject = replace(load_subject(self.kind, self.dtype), guidance=self.guidance)
        return self._bench(self.split, SPLITS[self.split], self.pairs, subject)

    def drawn(self, subject: Subject) -> Measured:
        """What the model draws of other seeds with many steps."""
        bench = self._bench("others", OTHERS, self.references, subject)
        return bench.measured(self.many.key, bench.samples(self.many, self.references))

    def _bench(self, name: str, first: int, count: int, subject: Subject) -> Bench:
        kept = self.folder / f"{self.kind}-{weights_hash(self.kind)[:12]}"
        digits = str(self.dtype).removeprefix("torch.")
        strong = f"-at-{self.guidance:g}" if self.guidance else ""
        return Bench(
            subject,
            list_pairs(first + count)[first:],
            Store(kept / f"{name}-{digits}{strong}"),
            held=Store(kept),
            reference_count=self.references,
        )


def best_dtype() -> torch.dtype:
    """bfloat16 where the processor multiplies it, else float32, which is then faster."""
    can = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return torch.bfloat16 if can() else torch.float32


def run(options: argparse.Namespace, command: str) -> None:
    """Measure what is missing, line by line, and write the report after each line."""
    most = pairs_of(options.split)
    if not 8 <= options.pairs <= most:
        raise ValueError(
            f"The split {options.split} has 8 to {most} pairs to measure, got {options.pairs}: set "
            "--pairs."
        )
    if options.references <= FEATURES:
        raise ValueError(
            f"Distances are taken to more pictures than the judge has features, {FEATURES}, got "
            f"{options.references}: set --references."
        )
    if options.references > REFERENCES:
        raise ValueError(
            f"Distances are taken to at most {REFERENCES} pictures, as those after them are of a "
            f"split, got {options.references}: set --references."
        )
    kind, out = options.model, Path(options.out)
    part = Part(
        kind,
        options.split,
        options.pairs,
        options.references,
        out,
        best_dtype(),
        options.guidance,
        options.many,
    )
    bench, counting, many = part.bench(), meta_subject(kind), part.many
    pictures = bench.samples(many, part.pairs)
    benches = {"real": bench, "model": replace(bench, reference=part.drawn(bench.subject))}
    aims = {against: one.aimed_at() for against, one in benches.items()}
    measured: dict[str, list[tuple[Line, list[Row]]]] = {against: [] for against in benches}
    started = time.perf_counter()
    lines = chosen_lines(pareto_methods.lines(bench.subject), options.only, options.methods)
    for line in lines:
        costs = [methods.cost(one, counting) for one in line.methods]
        for against, one in benches.items():
            found = [one.method(method, part.pairs, pictures) for method in line.methods]
            rows = [Row(*row) for row in zip(line.methods, costs, found, strict=True)]
            measured[against].append((line, rows))
            figures = one.method(many, part.pairs, pictures)
            reference = Row(many, methods.cost(many, counting), figures)
            write(part, against, reference, measured[against], aims[against], command)
        print(f"{line.name}: {time.perf_counter() - started:.0f} s", flush=True)
    if options.commit:
        commit(out)


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
    first = SPLITS[part.split]
    many = reference.method.name.removeprefix("plain, ").removesuffix(" steps")
    results.say(
        INTRODUCTION.format(
            pairs=part.pairs,
            references=part.references,
            references_are=AGAINST[against].format(many=many),
            first=first,
            last=first + part.pairs - 1,
            split=part.split,
            kind=part.kind,
            hash=weights_hash(part.kind)[:16],
            dtype=str(part.dtype).removeprefix("torch."),
            day=date.today().isoformat(),
            command=command,
            many=many,
            guided=f"guidance {part.guidance:g}, " if part.guidance else "",
        )
    )
    results.say(f"![curve]({name}.svg)")
    beaten = next(rows for line, rows in measured if line.name == LINE)
    results.say(pareto_report.hardness(beaten, reference, HARDNESS))
    results.say(pareto_report.table(measured, reference))
    results.say(pareto_report.differences(measured, beaten, LINE))
    shipped = [row for line, rows in measured if line.name == RALU for row in rows]
    if shipped:
        whole = [*measured, (Line("reference", ()), [reference])]
        results.say(pareto_report.differences(whole, shipped, RALU))
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
