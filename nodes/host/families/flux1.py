"""Flux.1: double and single blocks, rotary positions, 16 channels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.tokens import patchify, unpatchify
from ....ralu_core.plans.presets import FLUX_DEV_SHIFT
from .blocks import DoubleAndSingleBlocks
from .family import Presets, Size
from .flux_like import FluxLike
from .positions import image_ids
from .views import Rotary

MASK_CHANNELS = 64  # Flux Fill's mask: 8x8 picture pixels per latent pixel


class Flux1(FluxLike):
    name = "flux1"
    label = "Flux.1 (dev, schnell, Krea, Kontext, Fill and fine-tunes)"
    short = "Flux.1"
    full = Size(blocks=57, width=3072)
    full_shift = FLUX_DEV_SHIFT
    presets = Presets("FLUX 5x", few_steps="4-step distilled", distilled="FLUX.1-schnell")
    model_class = "Flux"
    hooks = ("process_img",)
    text_tokens = 256
    text_first = True
    views = Rotary()
    blocks = DoubleAndSingleBlocks

    def matches(self, model: Any, network: Any) -> bool:
        axes = getattr(getattr(network, "params", None), "axes_dim", ())
        is_flux1 = getattr(network, "patch_size", 0) == 2 and len(axes) == 3
        is_known = is_flux1 and self.stranger(model, network) is None
        return super().matches(model, network) and is_known

    def stranger(self, model: Any, network: Any) -> str | None:
        params = getattr(network, "params", None)
        if getattr(params, "yak_mlp", False) or getattr(params, "txt_norm", False):
            return "Ovis-Image"  # gated blocks, normed text with places of its own
        return None

    def positions(self, network: Any, packing: Packing, rows: int):
        # "uxo" references have index 0.
        return image_ids(network, packing, rows, follows=(0,))

    def concat(self, packing: Packing, concat: torch.Tensor) -> torch.Tensor:
        """Coarse tokens get what the host itself would make for a picture of half the size."""
        channels = self.space.channels
        image, mask = concat[:, :channels], concat[:, channels:]
        coarse = F.avg_pool2d(image, 2)
        if mask.shape[1] == MASK_CHANNELS:
            pixels = F.pixel_shuffle(mask, 8)
            coarse = torch.cat([coarse, F.pixel_unshuffle(F.avg_pool2d(pixels, 2), 8)], dim=1)
        elif mask.shape[1]:
            raise ValueError(
                f"RALU knows concat conditioning of 16 or 80 channels, got {concat.shape[1]}: "
                "use a KSampler for this MODEL."
            )
        tokens = packing.gather(patchify(coarse), patchify(concat))
        return unpatchify(tokens, 1, tokens.shape[1])
