"""Run templates on a server, one after another, and say how each ended."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file

from lab.comfy.client import PromptFailed
from lab.comfy.watched import Bench, bench_server
from lab.comfy.workflow import Prompt
from lab.models.by_file import Kind
from lab.showcase.authoring.small_files import write_small_files
from lab.templates.flatten import Flat
from lab.templates.package import Template
from lab.templates.scope import why_left_out
from lab.templates.substitute import LORA, PICTURE, WAYS, with_ralu

RUNS, REFUSED, FAILED = "runs", "refused", "FAILS"
PLAN = re.compile(r"; plan: ([^;]+)")
PLAINLY = "Sampled plainly: "
TIMEOUT = 600.0  # seconds of one prompt


@dataclass(frozen=True)
class End:
    """How a template ended, with RALU in one way.

    state     RUNS, REFUSED or FAILED.
    samplers  that RALU stands at.
    plans     that ran, by name, and why a sampler sampled plainly, each once.
    words     the report's last line of a run, the sentence of a refusal, or the error.
    """

    state: str
    samplers: int = 0
    words: str = ""
    plans: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a template ended.

    left_out  why it was not tried, one of scope's REASONS; then the rest is empty.
    ends      by the way that RALU stood in it, one of substitute's WAYS.
    """

    template: Template
    left_out: str | None = None
    kinds: list[Kind] = field(default_factory=list)
    ends: dict[str, End] = field(default_factory=dict)


@contextlib.contextmanager
def template_bench(models: Path) -> Iterator[Bench]:
    """A server with what the templates' prompts name: a LoRA, an upscaler and a picture."""
    write_small_files(models)
    lora = models / "loras" / LORA
    lora.parent.mkdir(parents=True, exist_ok=True)
    save_file({"of_no_layer.lora_up.weight": torch.zeros(4, 4)}, lora)
    with bench_server(models=models) as bench:
        picture = Image.linear_gradient("L").resize((160, 128)).convert("RGBA")
        picture.paste((0, 0, 0, 0), (40, 40, 100, 90))
        picture.save(bench.server.base / "input" / PICTURE)
        bench.object_info = bench.client.get("/object_info")
        yield bench


def run_template(bench: Bench, template: Template) -> Outcome:
    """Run it with RALU in each way, or say why not."""
    flat = Flat(template.read())
    left_out = why_left_out(template, flat, bench.object_info)
    if left_out is not None:
        return Outcome(template, left_out)
    outcome = Outcome(template)
    for way in WAYS:
        made = with_ralu(flat.prompt(bench.object_info), bench.object_info, way)
        outcome.ends[way] = _run(bench, made.prompt, len(made.samplers))
        outcome.kinds[:] = made.kinds
    return outcome


def _run(bench: Bench, prompt: Prompt, samplers: int) -> End:
    try:
        run = bench.run(prompt, TIMEOUT)
    except PromptFailed as failed:
        state, words = _refusal(failed)
        return End(state, samplers, words)
    plainly = [line["text"] for line in run.lines if line["text"].startswith(PLAINLY)]
    told = len(run.reports) + len(plainly)
    if told < samplers or not run.outputs:
        return End(FAILED, samplers, f"{told} of {samplers} samplers reported")
    plans = [name for line in run.reports for name in PLAN.findall(line)]
    plans += [line.rstrip(".").replace(PLAINLY, "plain, as ") for line in plainly]
    return End(RUNS, samplers, [*run.reports, *plainly][-1], tuple(dict.fromkeys(plans)))


def _refusal(failed: PromptFailed) -> tuple[str, str]:
    """A ValueError of RALU's own is a refusal, all else a fault; another node's may raise it."""
    detail = failed.detail
    words = str(detail.get("exception_message", "")).strip()
    own = str(detail.get("node_type", "")).startswith("RALU_") or words.startswith("RALU")
    if own and detail.get("exception_type") == "ValueError":
        return REFUSED, words
    return FAILED, str(failed)
