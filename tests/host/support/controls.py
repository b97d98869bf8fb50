"""Tiny ControlNets, applied as ComfyUI's own node does."""

from __future__ import annotations

import torch
from limits import LATENT
from nodes import ControlNetApplyAdvanced

from lab.models import tiny


def hint(seed=21, size=(8 * LATENT[0], 8 * LATENT[1])):
    return torch.rand(1, *size, 3, generator=torch.Generator().manual_seed(seed))


def applied(net, vae, strength=1.0, start=0.0, end=1.0, image=None, conds=None):
    """Positive and negative conditioning from core's Apply ControlNet node."""
    conds = conds or (tiny.conditioning(5), tiny.conditioning(6))
    image = hint() if image is None else image
    return ControlNetApplyAdvanced().apply_controlnet(*conds, net, image, strength, start, end, vae)
