"""The whole bench for one model: sample, measure, compare, write."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from lab.bench import machine
from lab.bench.results import Results
from lab.models.architectures import MINIATURES
from lab.models.miniature.pictures import list_emoji
from lab.models.viewing import Grid, picture_grid
from lab.quality import methods, ralu, report
from lab.quality.bench import Bench, kept_in
from lab.quality.judge import WEIGHTS as JUDGE
from lab.quality.methods import Budget, Cost, Method, cost
from lab.quality.report import DISTANCES, Row
from lab.quality.rivals import Batch
from lab.quality.statistics import what_is_given
from lab.quality.store import Store
from lab.quality.subject import (
    SEED,
    best_dtype,
    list_pairs,
    load_subject,
    meta_subject,
    weights_hash,
)

HERE = Path(__file__).resolve().parent
HEADING = "# Picture quality at equal FLOPs\n\nWritten by `python -m lab.quality --commit`.\n"
SHEET_PAIRS = (0, 3, 6, 8, 12, 17, 24, 27)
ABLATION_FIGURES = (*DISTANCES, "aliasing", "block 16", "block 32", "copies", "recognised", "SSIM")
INTRODUCTION = """\
{pairs} prompt-seed pairs of the miniature {kind} (weights SHA-256 {hash}), 256x256 pixels, \
{dtype} network, ComfyUI seed {seed} and picture numbers 0 to {last} of its batch; ablations: \
the first {few} pairs. Made by `{command}`.

Brackets hold intervals of 95 % over the noise of the pairs and over the pictures that distances \
are taken to, of distances by the infinitesimal jackknife, else by bootstrap; {given} (of the \
ablations: {few_given}). KID and Frechet: distances to \
held-out training pictures in the feature space of the judge (`judge.json`) and in that of \
untrained texture statistics, less is better. Artifact measures (`artifacts.py`): closer to real \
pictures, which stand in the last line, is better. SSIM and PSNR: against plain many-step \
pictures of the same noise, which RALU's fresh noise leaves by design. "clearly" means that the \
intervals of both do not overlap; without it only the paired difference is told from zero. FLOPs \
are those of the network's calls. RALU decodes one half-size picture besides: 0.5 % of FLUX.1's \
FLOPs, much more of \
the miniature's."""


class Run:
    """One model's bench under way."""

    def __init__(self, options: argparse.Namespace) -> None:
        kind = options.model
        self.options, self.kind = options, kind
        self.subject = load_subject(kind)
        store = Store(kept_in(options.out, kind) / _computed_in())
        self.bench = Bench(self.subject, list_pairs(options.pairs), store)
        self.counting = meta_subject(kind)
        self.many = methods.reference(MINIATURES[kind].steps)

    def rows(self, some: Sequence[Method], count: int) -> list[Row]:
        return [Row(m, self._cost(m), self.bench.method(m, count, self.many)) for m in some]

    def _cost(self, method: Method) -> Cost | None:
        if "adaptive" in method.group:
            return None
        return cost(method, self.counting)


def run(options: argparse.Namespace, command: str) -> None:
    started = time.perf_counter()
    going = Run(options)
    facts = machine.describe(torch.device("cpu"))
    results = Results(f"quality_{options.model}", f"Quality, {options.model}", facts)
    results.say(_introduction(options, command))
    results.data["command"] = command
    results.data["weights"] = weights_hash(options.model)
    results.data["judge"] = json.loads(JUDGE.with_suffix(".json").read_text(encoding="utf-8"))
    _recognition(going, results)
    for budget in methods.BUDGETS[options.model]:
        _budget(going, results, budget)
    if options.ablation_pairs:
        _ablations(going, results, methods.BUDGETS[options.model][0])
    results.say(f"{time.perf_counter() - started:.0f} s, pictures kept from earlier runs excepted.")
    results.save(Path(options.out))
    if options.commit:
        commit(Path(options.out))


def _computed_in() -> str:
    return str(best_dtype()).removeprefix("torch.")


def _introduction(options: argparse.Namespace, command: str) -> str:
    prompts = len(list_emoji())
    return INTRODUCTION.format(
        pairs=options.pairs,
        kind=options.model,
        dtype=_computed_in(),
        hash=weights_hash(options.model)[:16],
        seed=SEED,
        last=options.pairs - 1,
        few=options.ablation_pairs,
        given=what_is_given(options.pairs, prompts),
        few_given=what_is_given(options.ablation_pairs or prompts, prompts),
        command=command,
    )


def _recognition(going: Run, results: Results) -> None:
    """Plain many-step sampling: which prompts are recognised, and how often."""
    shares = going.bench.recognised(going.many, going.options.pairs)
    known = [name for name, share in shares.items() if share > 0.5]
    weak = [f"{name} {share:.0%}" for name, share in shares.items() if share <= 0.5]
    mean = sum(shares.values()) / len(shares)
    results.data["recognised by prompt"] = shares
    results.say(
        f"{going.many.name.capitalize()}: the judge recognises {mean:.1%} of the pictures, and "
        f"{len(known)} of {len(shares)} prompts ({len(known) / len(shares):.0%}) in more than "
        f"half of theirs; not: {', '.join(weak) or 'none'}."
    )


def _budget(going: Run, results: Results, budget: Budget) -> None:
    count, subject = going.options.pairs, going.subject
    compared = methods.compared(subject, budget)
    rows = going.rows(compared, count)
    real = going.bench.real()
    extra = {"plain, many steps": _many(going, count), "held-out pictures": real}
    found = report.verdicts(rows, real)
    results.data[budget.preset] = {
        "rows": [report.as_data(row) for row in rows],
        "verdicts": found,
        "reference": {name: report.figures_as_data(row) for name, row in extra.items()},
    }
    results.say(f"### {budget.preset}\n\n" + report.cost_table(rows))
    for names in (DISTANCES, tuple(report.measures.ARTIFACTS), report.CLOSENESS):
        results.say(report.figures_table(rows, names, extra))
    results.say(report.verdict_table(found))
    results.say(report.in_words(budget.preset, found))
    _sheet(going, results, budget, compared)


def _many(going: Run, count: int) -> report.Figures:
    return going.bench.method(going.many, count, going.many)


def _sheet(going: Run, results: Results, budget: Budget, compared: Sequence[Method]) -> None:
    count = going.options.pairs
    chosen = [n for n in SHEET_PAIRS if n < count]
    shown = (going.many, *compared)
    columns = [(one.name, going.bench.samples(one, count)[chosen]) for one in shown]
    sheet = picture_grid(columns, [going.bench.pairs[n].prompt for n in chosen], Grid())
    name = budget.preset.replace(" ", "_").lower()
    file = f"quality_{going.kind}_{name}.webp"
    sheet.save(Path(going.options.out) / file, quality=85)
    results.say(f"Pictures of some pairs: [{file}]({file}).")


def _ablations(going: Run, results: Results, budget: Budget) -> None:
    """One table: RALU by default, every choice varied alone, and other settings of the rivals."""
    count = min(going.options.ablation_pairs, going.options.pairs)
    subject = going.subject
    base = next(m for m in methods.compared(subject, budget) if m.name == methods.OURS)
    distance = ralu.js_distance(ralu.matched(subject, budget.preset))
    base = Method(base.group, base.name, base.run, f"the default, JSD {distance:.3f}")
    varied = methods.ablations(subject, budget)
    rows = going.rows([base, *varied, *methods.rival_settings(subject, budget)], count)
    rows = [_with_share(going, row, budget) for row in rows]
    results.data["ablations"] = [report.as_data(row) for row in rows]
    found = report.verdicts(rows, going.bench.real())
    results.data["ablation verdicts"] = found
    costs = report.cost_table(rows)
    results.say(f"### Ablations, {budget.preset}, {count} pairs\n\n{costs}")
    results.say(report.figures_table(rows, ABLATION_FIGURES))
    results.say(
        f"{base.name}, against each row:\n\n" + report.verdict_lines(found, ABLATION_FIGURES)
    )


def _with_share(going: Run, row: Row, budget: Budget) -> Row:
    """An adaptive ratio costs what a fixed one of its mean costs."""
    if row.cost is not None:
        return row
    threshold = float(row.method.name.rsplit(" ", 1)[1])
    batch = Batch(going.subject, going.bench.pairs[:16])
    share = ralu.early_share(batch, ralu.matched(going.subject, budget.preset), threshold)
    fixed = methods.with_ratio(going.subject, budget.preset, share)
    note = f"mean r {share:.2f}"
    method = Method(row.method.group, row.method.name, row.method.run, note)
    return Row(method, cost(fixed, going.counting), row.figures)


def commit(out: Path) -> None:
    """Copy the results of every model measured so far to where the repository keeps them."""
    texts = sorted(out.glob("quality_*.md"))
    parts = [HEADING, *(text.read_text(encoding="utf-8") for text in texts)]
    (HERE / "RESULTS.md").write_text("\n".join(parts), encoding="utf-8")
    for path in out.glob("quality_*.webp"):
        shutil.copyfile(path, HERE / path.name)
