"""Anima: text by cross-attention, and one table of rotations for the whole batch."""

from __future__ import annotations

from typing import Any

from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from ....ralu_core.plans.presets import PUBLISHED_SHIFT
from .family import Family, Presets, Size
from .positions import grid_rotations
from .views import Halves


class Anima(Family):
    name = "anima"
    label = "Anima"
    short = "Anima"
    full = Size(blocks=28, width=2048, linear=28)
    full_shift = PUBLISHED_SHIFT
    presets = Presets("FLUX 5x")
    model_class = "Anima"
    hooks = ("pos_embedder", "llm_adapter")
    plain_steps = 30
    cfg = (3, 5)
    text_tokens = 512
    space = Space(has_frames=True)
    one_table = True
    views = Halves()

    def size(self, network: Any) -> Size:
        return Size(len(network.blocks), network.model_channels, self.full.linear)

    def positions(self, network: Any, packing: Packing, rows: int):
        return grid_rotations(network.pos_embedder, packing)
