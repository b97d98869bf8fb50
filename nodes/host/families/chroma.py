"""Chroma: Flux's blocks without Flux's way to make ids."""

from __future__ import annotations

from typing import Any

from ....ralu_core.latents.packing import Packing
from ....ralu_core.plans.presets import FLUX_DEV_SHIFT
from .blocks import ModulatedBlocks
from .family import Presets, Size
from .flux_like import FluxLike
from .positions import embedded_ids
from .views import Rotary


class Chroma(FluxLike):
    name = "chroma"
    label = "Chroma"
    short = "Chroma"
    full = Size(blocks=57, width=3072)
    full_shift = FLUX_DEV_SHIFT
    presets = Presets("FLUX 5x")
    model_class = "Chroma"
    hooks = ("pe_embedder", "distilled_guidance_layer")
    plain_steps = 26
    cfg = (3, 5)
    text_tokens = 256
    text_first = True
    views = Rotary()
    blocks = ModulatedBlocks

    def text_width(self, network: Any) -> int:
        return network.txt_in.in_features

    def positions(self, network: Any, packing: Packing, rows: int):
        # It takes no references, so that the picture's ids are the last ones.
        return embedded_ids(
            network.pe_embedder, packing, rows, lambda _, length: length - packing.tokens
        )
