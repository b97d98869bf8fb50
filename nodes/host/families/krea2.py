"""Krea 2: single-stream blocks, rotary positions from the corner, latents with a frame axis."""

from __future__ import annotations

from typing import Any

from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from ....ralu_core.plans.presets import FLUX_DEV_SHIFT
from .family import Family, Presets, Size, Untold
from .positions import image_ids
from .views import Rotary


class Krea2(Family):
    name = "krea2"
    label = "Krea 2 and Krea 2 Turbo"
    short = "Krea 2"
    full = Size(blocks=28, width=6144)
    full_shift = FLUX_DEV_SHIFT
    presets = Presets("FLUX 5x", untold=Untold("Krea 2 Turbo", "8-step distilled"))
    model_class = "Krea2"
    hooks = ("process_img", "txtfusion")
    plain_steps = 28
    cfg = (2.5, 5)
    text_tokens = 128
    space = Space(has_frames=True)
    text_first = True
    views = Rotary()

    def size(self, network: Any) -> Size:
        return Size(len(network.blocks), network.first.out_features)

    def text_width(self, network: Any) -> int:
        return network.txtlayers * network.txtdim

    def positions(self, network: Any, packing: Packing, rows: int):
        return image_ids(network, packing, rows)
