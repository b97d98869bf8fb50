"""Guidance of other nodes that looks at a pixel's neighbours, where the state is mixed."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import torch

from ....ralu_core.latents.layout import Layout
from ....ralu_core.latents.space import Space
from ....ralu_core.latents.tokens import pick, spread

log = logging.getLogger(__name__)

BEFORE, AFTER = "sampler_pre_cfg_function", "sampler_post_cfg_function"
CORE = "comfy_extras."
SPATIAL = (f"{CORE}nodes_latent", f"{CORE}nodes_fresca")  # LatentApplyOperationCFG, FreSca


def at_both_sizes(model_options: dict, layout: Layout, space: Space) -> None:
    """Let core's filters over latent pixels see a mixed state at its two sizes.

    Coarse regions repeat their pixels, which a filter would take for a picture of blocks. It runs
    on all pixels and on every second one; each region takes its own. model_options are changed.
    """
    functions = model_options.get(BEFORE)
    if functions:
        model_options[BEFORE] = [
            functools.partial(_twice, one, layout, space) if _module(one) in SPATIAL else one
            for one in functions
        ]


def name_unknown(model_options: dict) -> None:
    """Log the functions of other packs that may be such filters: nothing tells which they are."""
    functions = [*model_options.get(BEFORE, []), *model_options.get(AFTER, [])]
    names = [_name(one) for one in functions if not _module(one).startswith(("comfy.", CORE))]
    if names:
        log.info(
            "RALU: if %s, which another node put on the MODEL, looks at a pixel's neighbours, it "
            "sees repeated pixels where stage 2 is coarse.",
            ", ".join(names),
        )


def _twice(function: Callable, layout: Layout, space: Space, args: dict) -> list:
    def picked(latent: torch.Tensor | None) -> torch.Tensor | None:
        return None if latent is None else space.leave(pick(space.enter(latent)))

    whole = list(args["conds_out"])
    small = [picked(one) for one in whole]
    fine = function({**args, "conds_out": whole})
    coarse = function({**args, "conds_out": small, "input": picked(args["input"])})
    where = layout.fine_pixels
    return [
        space.leave(torch.where(where, space.enter(f), spread(space.enter(c))))
        for f, c in zip(fine, coarse, strict=True)
    ]


def _module(function: Any) -> str:
    """Where a function is from; ComfyUI names modules of nodes by their path."""
    named = function if hasattr(function, "__qualname__") else type(function)
    parts = named.__module__.replace("\\", "/").replace("/", ".")
    return CORE + parts.split(CORE)[-1] if CORE in parts else parts


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)
