"""Mage-Flow: Qwen-Image's blocks on Flux.2's latents."""

from __future__ import annotations

from typing import Any

from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from .blocks import TransformerBlocks
from .family import Family, Presets, Size
from .positions import image_ids
from .views import Rotary


def middle(side: int) -> int:
    """Counted from the middle, but an odd side has its longer half before it."""
    return side - side // 2


class MageFlow(Family):
    name = "mage_flow"
    label = "Mage-Flow"
    short = "Mage-Flow"
    full = Size(blocks=12, width=3072)
    full_shift = 6.0
    presets = Presets("FLUX 5x")
    model_class = "MageFlow"
    hooks = ("process_img", "pe_embedder")
    plain_steps = 30
    few_from = 7  # a call is so short that decode and edges take what 4 steps save: docs/figures.md
    cfg = (3, 5)
    text_tokens = 64
    space = Space(channels=32, fold=2)
    text_first = True
    views = Rotary(origin=middle)
    blocks = TransformerBlocks

    def size(self, network: Any) -> Size:
        return Size(len(network.transformer_blocks), network.inner_dim)

    def text_width(self, network: Any) -> int:
        return network.txt_in.in_features

    def positions(self, network: Any, packing: Packing, rows: int):
        return image_ids(network, packing, rows, origin=middle)
