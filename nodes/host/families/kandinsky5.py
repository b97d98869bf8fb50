"""Kandinsky 5 for pictures: text by cross-attention, rotations by frame, row and column."""

from __future__ import annotations

from typing import Any

from ....ralu_core.latents.packing import Packing
from ....ralu_core.plans.presets import PUBLISHED_SHIFT
from .family import Family, Presets, Size
from .positions import embedded_ids
from .views import Apart


class Kandinsky5(Family):
    name = "kandinsky5"
    label = "Kandinsky 5 Image"
    short = "Kandinsky 5 Image"
    full = Size(blocks=50, width=2560)
    full_shift = PUBLISHED_SHIFT
    presets = Presets("FLUX 5x")
    model_class = "Kandinsky5Image"
    hooks = ("rope_embedder_3d", "visual_transformer_blocks")
    plain_steps = 50
    cfg = (3, 5)
    text_tokens = 128
    views = Apart("rope_embedder_3d")
    stretches = True

    def matches(self, model: Any, network: Any) -> bool:
        factors = getattr(network, "rope_scale_factor", ())
        return super().matches(model, network) and set(factors) == {1.0}

    def size(self, network: Any) -> Size:
        return Size(len(network.visual_transformer_blocks), network.model_dim)

    def text_width(self, network: Any) -> int:
        return network.text_embeddings.in_layer.in_features

    def positions(self, network: Any, packing: Packing, rows: int):
        return embedded_ids(network.rope_embedder_3d, packing, rows, lambda _, length: 0)
