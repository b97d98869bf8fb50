"""FLOPs of RALU 5x with caches across steps, beside the paper's (its combination table)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.bench.counting import TERA
from lab.bench.flops import Counters, RunCount, counted_run
from lab.bench.results import markdown
from lab.bench.runs import Setting
from lab.bench.text_encoders import PAPER_TOKENS
from lab.comfy import ralu_pack
from lab.models.architectures import ARCHITECTURES

# At these two, TaylorSeer's rows agree; the paper's row without a cache fits 256 and 0.2 instead.
KEY, RATIO = "flux-dev", 0.3
FAMILY = ARCHITECTURES[KEY].family
TEXT = PAPER_TOKENS[FAMILY]
SIDE = 1024
# Released ToCa, over its cached steps: tokens computed in double and single blocks, 10 % times its
# layer (1.5 - layer / 27) and stream (0.4, 1.6) factors, and the MLP's share of a block.
RELEASED_TOCA = (
    sum(0.1 * 0.4 * (1.5 - layer / 27) for layer in range(19))
    + sum(0.1 * 1.6 * (1.5 - layer / 27) for layer in range(38))
) / 57 * (8 / 12)  # fmt: skip
LETTERS = "F: all blocks ran, s: none, p: some blocks or some tokens"


@dataclass(frozen=True)
class Row:
    """published in TFLOP, None where the paper has no such row; settings of the node."""

    name: str
    published: float | None
    settings: dict


ROWS = (
    Row("no cache", None, {}),
    Row(
        "Delta-DiT, N=2, all single blocks",
        422.56,
        {"method": "Delta-DiT", "interval": 2, "warm_up": 1, "range_start": 1 / 3},
    ),
    Row(
        "ToCa, N=3, R=90 %, W=3",
        409.74,
        {"method": "ToCa", "interval": 3, "warm_up": 3, "cached_ratio": 0.9},
    ),
    Row(
        "ToCa, N=3, R=90 %, W=2",
        409.74,
        {"method": "ToCa", "interval": 3, "warm_up": 2, "cached_ratio": 0.9},
    ),
    Row("TaylorSeer, N=3, O=1, W=3", 410.70, {"interval": 3, "order": 1, "warm_up": 3}),
    Row("TaylorSeer, N=3, O=1, W=2", 331.38, {"interval": 3, "order": 1, "warm_up": 2}),
)


def count(settings: dict) -> RunCount:
    """Run RALU 5x for real through the node's own code, the network on the meta device."""
    counters = Counters()  # of its own: remembered blocks would leave ToCa's cache empty
    subject = counters.subject(KEY, TEXT)
    if settings:
        node = ralu_pack.temporal_acceleration
        fast = node.accelerated(subject.patcher, node.Acceleration(**settings))
        subject = replace(subject, patcher=fast)
    setting = Setting("RALU 5x", preset="FLUX 5x", ratio=RATIO)
    return counted_run(subject, setting, TEXT, SIDE, SIDE)


def pattern(run: RunCount) -> str:
    """What each call of each stage ran, by its FLOPs against the stage's first."""
    words, word, first = [], "", run.calls[0]
    for call in run.calls:
        if call.tokens != first.tokens:
            words, word, first = [*words, word], "", call
        share = call.count.linear / first.count.linear
        word += "F" if share > 0.99 else "s" if share < 0.01 else "p"
    return " ".join([*words, word])


def toca_as_released(run: RunCount) -> float:
    """Paper's convention if attention is spelt out, as released ToCa does for its maps: counted."""
    total, first = run.paper, run.calls[0]
    for call in run.calls:
        first = call if call.tokens != first.tokens else first
        if call.count.linear > 0.99 * first.count.linear:
            total += call.count.attention
        else:
            total += RELEASED_TOCA * first.count.linear - call.count.linear
    return total


def table() -> tuple[str, list[dict]]:
    """Markdown, and records."""
    records = []
    for row in ROWS:
        run = count(row.settings)
        ours = {"ours_tflop": run.paper / TERA}
        if row.settings.get("method") == "ToCa":
            ours["as_released_tflop"] = toca_as_released(run) / TERA
        records.append(
            {
                "row": row.name,
                "paper_tflop": row.published,
                **ours,
                "true_tflop": run.true / TERA,
                "pattern": pattern(run),
            }
        )
    lines = [
        (
            record["row"],
            record["pattern"],
            f"{record['paper_tflop']:.2f}" if record["paper_tflop"] else "",
            _beside(record, "ours_tflop"),
            _beside(record, "as_released_tflop"),
            f"{record['true_tflop']:.1f}",
        )
        for record in records
    ]
    head = ("RALU 5x and", "stages", "paper TFLOP", "ours", "as released", "with attention")
    return markdown(head, lines), records


def _beside(record: dict, key: str) -> str:
    """A figure and its deviation from the paper's."""
    if key not in record:
        return ""
    paper, value = record["paper_tflop"], record[key]
    return f"{value:.2f} ({100 * (value / paper - 1):+.2f} %)" if paper else f"{value:.2f}"
