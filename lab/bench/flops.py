"""The paper's compute table beside ours, and the cost of every preset at every size."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from lab.bench.counting import TERA, Call, Count, MetaVae, meta_patcher
from lab.bench.paper import ROWS, PaperRow
from lab.bench.results import markdown
from lab.bench.runs import Setting, Subject, preset_names, settings
from lab.bench.text_encoders import PAPER_TOKENS, encoders, host_tokens, t5_attention
from lab.models.architectures import ARCHITECTURES

SIZES = ((512, 512), (1024, 1024), (1536, 1536), (2048, 2048), (1920, 1080))
TABLED = ("flux-dev", "flux-schnell", "sd3-medium", "sd3.5-large", "sd3.5-large-turbo")


@dataclass(frozen=True)
class RunCount:
    """FLOPs of one run: every forward pass and decode that happened, and its text encoding.

    t5_attention  part of the text's attention, which the paper's convention counts.
    """

    calls: list[Call]
    decodes: list[Count]
    text: Count
    t5_attention: float

    @property
    def model(self) -> Count:
        return sum((call.count for call in self.calls), Count())

    @property
    def decoded(self) -> Count:
        return sum(self.decodes, Count())

    @property
    def paper(self) -> float:
        """FLOPs in the paper's convention, without its 0.02 % of elementwise operations."""
        parts = (self.model, self.text, self.decoded)
        return sum(part.linear for part in parts) + self.t5_attention

    @property
    def true(self) -> float:
        """FLOPs of all matrix products: attention included everywhere."""
        return (self.model + self.text + self.decoded).total

    @property
    def tokens(self) -> list[int]:
        """Image tokens of the calls, in the order they first came."""
        return list(dict.fromkeys(call.tokens for call in self.calls))


@dataclass
class Counters:
    """Counts runs; networks are built once and forward passes of one shape are counted once."""

    patchers: dict[str, Any] = field(default_factory=dict)

    def subject(self, key: str, text_tokens: int) -> Subject:
        model = ARCHITECTURES[key].blueprint
        if key not in self.patchers:
            self.patchers[key] = meta_patcher(model), MetaVae()
        patcher, vae = self.patchers[key]
        return Subject.of(model, patcher, vae, text_tokens)

    def count(self, key: str, setting: Setting, text: int, width: int, height: int) -> RunCount:
        return counted_run(self.subject(key, text), setting, text, width, height)

    def paper_row(self, row: PaperRow) -> RunCount:
        return self.count(row.architecture, row.setting, row.text_tokens, 1024, 1024)


def counted_run(subject: Subject, setting: Setting, text: int, width: int, height: int) -> RunCount:
    """Run a setting for real, networks on the meta device, and add up what it cost."""
    model = subject.model
    network, vae = subject.patcher.model.diffusion_model, subject.vae
    network.calls, vae.calls = [], []
    setting.run(subject, width, height)
    return RunCount(
        list(network.calls),
        list(vae.calls),
        encoders(model.family, text) * model.rows,
        t5_attention(model.family, text) * model.rows,
    )


def paper_table(counters: Counters) -> tuple[str, list[dict]]:
    """The paper's rows at 1024 x 1024 with ours and the deviation: Markdown, and records."""
    records = []
    for row in ROWS:
        run = counters.paper_row(row)
        ours = run.paper / TERA
        records.append(
            {
                "row": row.name,
                "paper_tflop": row.published,
                "ours_tflop": round(ours, 3),
                "deviation_percent": round(100 * (ours / row.published - 1), 4),
                "true_tflop": round(run.true / TERA, 3),
                "text_tokens": row.text_tokens,
                "tokens": run.tokens,
                "calls": len(run.calls),
            }
        )
    lines = [
        (
            record["row"],
            f"{record['paper_tflop']:.2f}",
            f"{record['ours_tflop']:.2f}",
            f"{record['deviation_percent']:+.3f} %",
            f"{record['true_tflop']:.1f}",
            record["text_tokens"],
            _joined(record["tokens"]),
        )
        for record in records
    ]
    head = ("row", "paper TFLOP", "ours", "deviation", "with attention", "text", "image tokens")
    return markdown(head, lines), records


def size_table(counters: Counters, paper_text: bool) -> tuple[str, list[dict]]:
    """Every preset at every size in both conventions: Markdown, and records.

    paper_text  the paper's text lengths, or those that ComfyUI makes of a short prompt.
    """
    records = []
    for key in TABLED:
        family = ARCHITECTURES[key].family
        text = PAPER_TOKENS[family] if paper_text else host_tokens(family)
        for width, height in SIZES:
            records += _at_size(counters, key, text, width, height)
    lines = [
        (
            record["architecture"],
            record["size"],
            record["run"],
            _joined(record["tokens"]),
            f"{record['paper_tflop']:.1f}",
            f"{record['paper_speed_up']:.2f}x",
            f"{record['true_tflop']:.1f}",
            f"{record['true_speed_up']:.2f}x",
            f"{record['predicted']:.2f}x" if record["predicted"] else "",
        )
        for record in records
    ]
    head = ("model", "size", "run", "image tokens", "paper TFLOP", "", "true TFLOP", "", "shown")
    return markdown(head, lines), records


def _at_size(counters: Counters, key: str, text: int, width: int, height: int) -> list[dict]:
    model = ARCHITECTURES[key].blueprint
    baseline: RunCount | None = None
    records = []
    for setting in settings(model, preset_names(model)):
        run = counters.count(key, setting, text, width, height)
        baseline = baseline or run
        records.append(
            {
                "architecture": model.name,
                "size": f"{width}x{height}",
                "text_tokens": text,
                "run": setting.name,
                "tokens": run.tokens,
                "paper_tflop": run.paper / TERA,
                "paper_speed_up": baseline.paper / run.paper,
                "true_tflop": run.true / TERA,
                "true_speed_up": baseline.true / run.true,
                "model_speed_up": baseline.model.total / run.model.total,
                "predicted": predicted(counters, key, setting, text, width, height),
            }
        )
    return records


def predicted(
    counters: Counters, key: str, setting: Setting, text: int, width: int, height: int
) -> float | None:
    """The speed-up of the model calls that the pack's own report would promise."""
    if not setting.preset:
        return None
    subject = counters.subject(key, text)
    cost = replace(subject.facts.cost, text_tokens=text)
    plan = setting.plan(subject, width, height)
    return cost.speed_up(plan, *subject.frame(width, height).fine_grid, subject.model.steps)


def _joined(tokens: list[int]) -> str:
    return " / ".join(map(str, tokens))
