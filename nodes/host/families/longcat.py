"""LongCat-Image: Flux's network, its picture placed after the text."""

from __future__ import annotations

from typing import Any

from ....ralu_core.latents.packing import Packing
from ....ralu_core.plans.presets import FLUX_DEV_SHIFT
from .blocks import DoubleAndSingleBlocks
from .family import Presets, Size
from .flux_like import FluxLike
from .positions import image_and_text_ids
from .views import Rotary


class AfterText(Rotary):
    """The host begins the picture where the call's text ends: after one copy of it."""

    def options(self, options: dict, text: int) -> dict:
        start = {"shift_y": float(text), "shift_x": float(text)}
        return {**options, "rope_options": {**start, **(options.get("rope_options") or {})}}


class LongCat(FluxLike):
    name = "longcat"
    label = "LongCat-Image"
    short = "LongCat"
    full = Size(blocks=30, width=3072)
    full_shift = FLUX_DEV_SHIFT
    presets = Presets("FLUX 5x")
    model_class = "LongCatImage"
    hooks = ("process_img",)
    plain_steps = 50
    cfg = (3, 5)
    text_tokens = 512
    text_first = True
    views = AfterText()
    blocks = DoubleAndSingleBlocks

    def positions(self, network: Any, packing: Packing, rows: int):
        # The host tells where the text ends by rope_options, which `image_ids` follows.
        copies = self.views.copies(packing.layout)
        return image_and_text_ids(network, packing, rows, copies, follows=(0,))
