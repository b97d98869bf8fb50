"""FLOPs of every family's published networks: RALU against the steps of ComfyUI's own template.

Only calls of the network are counted, text in them included; a decode, or the text encoder, is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from unittest.mock import patch

import torch

from lab.bench.counting import OVERRIDE, TERA, counted, plain_attention
from lab.bench.results import markdown
from lab.comfy import ralu_pack
from lab.models.blueprint import Blueprint, build
from lab.models.full_size import MODELS

SIDES = (1024, 2048)
GRIDS = (16, 32, 64)  # tokens each way of the counted calls
REFERENCE = 64 * 64  # tokens of a picture of a million pixels


@dataclass(frozen=True)
class CallFlops:
    """FLOPs of a call by its tokens: a network's are a polynomial of degree two.

    tokens, flops  of the counted calls, three of each.
    cost           what the pack itself takes the network for.
    """

    tokens: tuple[int, ...]
    flops: tuple[float, ...]
    cost: Any

    def at(self, tokens: float) -> float:
        """FLOPs of a call with that many image tokens (Lagrange's polynomial)."""
        total = 0.0
        for one, known in zip(self.tokens, self.flops, strict=True):
            for other in self.tokens:
                known *= (tokens - other) / (one - other) if other != one else 1
            total += known
        return total


def call_flops(model: Blueprint, grids: Sequence[int] = GRIDS) -> CallFlops:
    """Count calls of the model's network on square pictures of so many tokens each way."""
    network, family = build(model), ralu_pack.table.family_named(model.family)
    counts = tuple(_count(model, network, side).total for side in grids)
    return CallFlops(tuple(side**2 for side in grids), counts, family.cost(family.size(network)))


def _count(model: Blueprint, network: Any, side: int):
    family = ralu_pack.table.family_named(model.family)
    options = {"dtype": torch.bfloat16, "device": "meta"}
    space, length = family.space, family.text_tokens
    latent = space.leave(torch.empty(1, space.channels, 2 * side, 2 * side, **options))
    width = family.text_width(network) or model.text
    given: dict[str, Any] = {
        name: torch.empty(1, *shape, **options) for name, shape in model.called.items()
    }
    if hasattr(network, "cap_embedder"):
        given["num_tokens"] = length
    given["context"] = torch.empty(1, length, width, **options)
    given["transformer_options"] = {OVERRIDE: plain_attention}
    with ExitStack() as stack:
        module = import_module(model.place.split(":")[0])
        if hasattr(module, "optimized_attention"):  # some do not hand on the options
            stack.enter_context(patch.object(module, "optimized_attention", _attention))
        stack.enter_context(torch.inference_mode())
        return counted(network, latent, torch.empty(1, **options), **given)[1]


def _attention(*args: Any, transformer_options: Any = None, **kwargs: Any) -> torch.Tensor:
    return plain_attention(None, *args, **kwargs)


@dataclass(frozen=True)
class FamilyRow:
    """One model at one size.

    tokens     of RALU's stages, references left out.
    plain, own  FLOPs of the template's run, and of RALU's.
    shown      the speed-up that the pack's own report predicts before a run, which knows of no
               references then.
    """

    model: Blueprint
    side: int
    steps: tuple[int, ...]
    tokens: tuple[int, ...]
    plain: float
    own: float
    shown: float

    @property
    def speed_up(self) -> float:
        return self.plain / self.own


def rows(models: Sequence[Blueprint] = MODELS, sides: Sequence[int] = SIDES) -> list[FamilyRow]:
    """Count every model at every size."""
    known: dict[str, CallFlops] = {}
    found = []
    for model in models:
        same = f"{model.place} {model.config} {model.called}"
        known[same] = known.get(same) or call_flops(model)
        found += [_row(model, known[same], side) for side in sides]
    return found


def _row(model: Blueprint, flops: CallFlops, side: int) -> FamilyRow:
    family = ralu_pack.table.family_named(model.family)
    frame = ralu_pack.frame.Frame.of_picture(side, side, family.space)
    shift = family.shift_for(family.full_shift, frame, model.steps)
    plan = ralu_pack.presets.matched_plan(ralu_pack.presets.preset(model.preset), shift)
    height, width = frame.fine_grid
    tokens, beside = plan.tokens(height, width), model.references * REFERENCE
    own = sum(n * flops.at(t + beside) for n, t in zip(plan.steps, tokens, strict=True))
    plain = model.steps * flops.at(height * width + beside)
    shown = flops.cost.speed_up(plan, height, width, model.steps)
    return FamilyRow(model, side, plan.steps, tokens, model.rows * plain, model.rows * own, shown)


def table(found: Sequence[FamilyRow]) -> str:
    """Markdown: a line for each model at each size."""
    head = ("model", "template", "size", "RALU", "tokens", "template TFLOP", "RALU TFLOP", "times")
    lines = [
        (
            row.model.name,
            f"{row.model.steps} steps, cfg {row.model.cfg:g}",
            row.side,
            f"{row.model.preset} ({', '.join(map(str, row.steps))})",
            " / ".join(map(str, row.tokens)),
            f"{row.plain / TERA:,.0f}",
            f"{row.own / TERA:,.0f}",
            f"{row.speed_up:.2f}x",
        )
        for row in found
    ]
    return markdown(head, lines)


def records(found: Sequence[FamilyRow]) -> list[dict[str, Any]]:
    """The same as figures."""
    return [
        {
            "model": row.model.name,
            "family": row.model.family,
            "side": row.side,
            "template_steps": row.model.steps,
            "cfg": row.model.cfg,
            "preset": row.model.preset,
            "steps": row.steps,
            "tokens": row.tokens,
            "template_tflop": round(row.plain / TERA, 3),
            "ralu_tflop": round(row.own / TERA, 3),
            "speed_up": round(row.speed_up, 4),
            "shown": round(row.shown, 4),
        }
        for row in found
    ]
