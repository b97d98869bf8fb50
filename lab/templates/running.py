"""Run templates on a server, one after another, and say how each ended."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file

from lab.comfy.client import PromptFailed
from lab.comfy.watched import Bench, bench_server
from lab.models.by_file import Kind
from lab.showcase.authoring.small_files import write_small_files
from lab.templates.flatten import Flat
from lab.templates.package import Template
from lab.templates.scope import why_left_out
from lab.templates.substitute import LORA, PICTURE, with_ralu

RUNS, REFUSED, FAILED = "runs", "refused", "FAILS"
PLAN = re.compile(r"; plan: ([^;]+)")


@dataclass(frozen=True)
class Outcome:
    """How a template ended.

    left_out  why it was not tried, one of scope's REASONS; then the rest is empty.
    state     RUNS, REFUSED or FAILED.
    plans     that ran, by name, each once.
    words     the report's last line of a run, the sentence of a refusal, or the error.
    """

    template: Template
    left_out: str | None = None
    kinds: list[Kind] = field(default_factory=list)
    samplers: int = 0
    state: str = ""
    words: str = ""
    plans: tuple[str, ...] = ()


@contextlib.contextmanager
def template_bench(models: Path, version: str | None = None) -> Iterator[Bench]:
    """A server with what the templates' prompts name: a LoRA, an upscaler and a picture."""
    write_small_files(models)
    lora = models / "loras" / LORA
    lora.parent.mkdir(parents=True, exist_ok=True)
    save_file({"of_no_layer.lora_up.weight": torch.zeros(4, 4)}, lora)
    with bench_server(version, models) as bench:
        picture = Image.linear_gradient("L").resize((160, 128)).convert("RGBA")
        picture.paste((0, 0, 0, 0), (40, 40, 100, 90))
        picture.save(bench.server.base / "input" / PICTURE)
        bench.object_info = bench.client.get("/object_info")
        yield bench


def run_template(bench: Bench, template: Template, timeout: float = 600.0) -> Outcome:
    """Run it with its samplers replaced, or say why not."""
    flat = Flat(template.read())
    left_out = why_left_out(template, flat, bench.object_info)
    if left_out is not None:
        return Outcome(template, left_out)
    prompt, samplers, kinds = with_ralu(flat.prompt(bench.object_info), bench.object_info)
    found: dict[str, Any] = {"kinds": kinds, "samplers": len(samplers)}
    try:
        run = bench.run(prompt, timeout)
    except PromptFailed as failed:
        state, words = _refusal(failed)
        return Outcome(template, state=state, words=words, **found)
    if len(run.reports) < len(samplers) or not run.outputs:
        words = f"{len(run.reports)} of {len(samplers)} samplers reported"
        return Outcome(template, state=FAILED, words=words, **found)
    plans = tuple(dict.fromkeys(name for line in run.reports for name in PLAN.findall(line)))
    return Outcome(template, state=RUNS, words=run.reports[-1], plans=plans, **found)


def _refusal(failed: PromptFailed) -> tuple[str, str]:
    """A ValueError of RALU's own nodes is a refusal, all else a fault."""
    detail = failed.detail
    own = str(detail.get("node_type", "")).startswith("RALU_")
    if own and detail.get("exception_type") == "ValueError":
        return REFUSED, detail["exception_message"].strip()
    return FAILED, str(failed)
