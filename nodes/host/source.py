"""What a run begins with: its noise, and its latent and inpaint mask on the frame."""

from __future__ import annotations

import comfy.model_management
import torch

from ...ralu_core.latents.frame import Frame
from ...ralu_core.sampler import Source
from .families.inspect import ModelFacts
from .noise import batch_items, extend_noise, noise_for
from .request import Wires
from .sampling.finite import check_finite


def on_frame(
    wired: dict, samples: torch.Tensor, frame: Frame
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The latent on the frame, and its inpaint mask, None where there is none."""
    mask = wired.get("noise_mask")
    if mask is not None:
        check_finite(mask, "inpaint mask", "paint it anew")
        mask = frame.extend(mask)
    device = comfy.model_management.intermediate_device()
    return frame.extend(samples.to(device=device, dtype=torch.float32)), mask


def source_of(
    wires: Wires, facts: ModelFacts, frame: Frame, samples: torch.Tensor, latent: torch.Tensor
) -> Source:
    """The noise of the run, and the clean latent that it begins with; latent on the frame."""
    space = facts.space
    asked, items = space.leave(samples), batch_items(wires.latent, len(samples))
    noise = noise_for(wires.draw_noise({**wires.latent, "samples": asked}), asked)
    noise = space.enter(noise).to(latent.device, torch.float32)
    noise = extend_noise(noise, frame, wires.seed, items)
    if not torch.any(latent):
        return Source.from_noise(noise, space.patch)
    model = wires.guider.model_patcher.model
    clean = space.enter(model.process_latent_in(space.leave(latent)))
    return Source.from_latent(noise, clean, space.patch)
