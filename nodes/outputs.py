"""Values as the host's sockets carry them."""

from __future__ import annotations

from typing import Any

import comfy.model_management
import torch
from comfy_api.latest import ui

from .host.run import Sampled
from .host.showing.status import asked_settings, is_watched, running_workflow


def latent_output(latent: dict, samples: torch.Tensor) -> dict:
    """A LATENT like the one that came in, holding other samples."""
    out = dict(latent, samples=samples)
    for key in ("downscale_ratio_spacial", "downscale_ratio_temporal"):
        out.pop(key, None)
    return out


def as_a_ksamplers(samples: torch.Tensor) -> torch.Tensor:
    """Samples of the type that this ComfyUI's KSampler hands on."""
    chosen = getattr(comfy.model_management, "intermediate_dtype", None)  # none in 0.3.75
    return samples if chosen is None else samples.to(chosen())


def run_view(sampled: Sampled) -> dict[str, Any]:
    """What a sampler shows after its run: numbers, and pictures of the regions."""
    chosen = sampled.regions if is_watched() else None
    regions = [] if chosen is None else ui.PreviewImage(chosen.drawn).as_dict()["images"]
    asked = {"workflow": running_workflow(), "settings": asked_settings()}
    return {"ralu_run": [{**sampled.report.values(), "regions": regions, **asked}]}
