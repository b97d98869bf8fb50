"""Wan 2.1 and 2.2, from text and at one frame: rotations by frame, row and column."""

from __future__ import annotations

from typing import Any

from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from .family import Family, Presets, Size
from .positions import embedded_ids
from .views import Apart


class Wan(Family):
    name = "wan"
    label = "Wan 2.1 and Wan 2.2 14B (text to video) at one frame"
    short = "Wan"
    full = Size(blocks=40, width=5120)
    full_shift = 8.0
    presets = Presets("FLUX 4x (released code)")
    model_class = "WAN21"
    hooks = ("rope_embedder", "patch_embedding")
    plain_steps = 20
    cfg = (3, 5)
    text_tokens = 512
    space = Space(has_frames=True)
    views = Apart("rope_embedder")
    stretches = True

    def matches(self, model: Any, network: Any) -> bool:
        is_text = getattr(network, "model_type", "") == "t2v"  # Wan 2.2 from pictures says so, too
        sides = getattr(network, "in_dim", 0), getattr(network, "out_dim", 0)
        return super().matches(model, network) and is_text and sides == (16, 16)

    def size(self, network: Any) -> Size:
        return Size(len(network.blocks), network.dim)

    def text_width(self, network: Any) -> int:
        return network.text_dim

    def positions(self, network: Any, packing: Packing, rows: int):
        def first(_: int, length: int) -> int:
            if length != packing.tokens:
                raise ValueError(
                    "RALU samples Wan from text alone in its mixed stage, got "
                    f"{length - packing.tokens} tokens of other pictures: remove the references."
                )
            return 0

        return embedded_ids(network.rope_embedder, packing, rows, first)
