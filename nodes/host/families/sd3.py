"""SD3 and SD3.5: joint blocks, a learned table of positions, 16 channels."""

from __future__ import annotations

from typing import Any

import comfy.model_base

from ....ralu_core.latents.packing import Packing
from ....ralu_core.plans.presets import PUBLISHED_SHIFT
from .blocks import JointBlocks
from .family import Family, Presets, Size, Untold
from .positions import learned_table
from .views import Table


class SD3(Family):
    name = "sd3"
    label = "SD3 Medium, SD3.5 Medium, Large and Large Turbo"
    short = "SD3, SD3.5"
    full = Size(blocks=24, width=1536)
    full_shift = PUBLISHED_SHIFT
    presets = Presets(
        "SD3 2x",
        untold=Untold("SD3.5 Large Turbo", "4-step distilled"),
    )
    model_class = "SD3"
    hooks = ("cropped_pos_embed",)
    cfg = (4, 7)
    text_tokens = 154
    text_first = True
    views = Table()
    blocks = JointBlocks

    def matches(self, model: Any, network: Any) -> bool:
        is_sd3 = isinstance(model, comfy.model_base.SD3)
        return is_sd3 and getattr(network, "pos_embed", None) is not None

    def size(self, network: Any) -> Size:
        return Size(len(network.joint_blocks), network.hidden_size)

    def text_width(self, network: Any) -> int:
        return network.context_embedder.in_features

    def positions(self, network: Any, packing: Packing, rows: int):
        return learned_table(network, packing, rows)

    def longest_side(self, network: Any) -> int | None:
        """SD3 learned a table of positions of fine tokens."""
        side = network.pos_embed_max_size
        return side * self.space.patch * self.space.pixels if side else None
