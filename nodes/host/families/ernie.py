"""Ernie-Image: one stream of blocks, the picture first, on Flux.2's latents."""

from __future__ import annotations

from typing import Any

from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from ....ralu_core.plans.presets import PUBLISHED_SHIFT
from .family import Family, Presets, Size, Untold
from .positions import embedded_ids
from .views import Refused


class Ernie(Family):
    name = "ernie"
    label = "Ernie-Image"
    short = "Ernie-Image"
    full = Size(blocks=36, width=4096, linear=26)
    full_shift = PUBLISHED_SHIFT
    presets = Presets(
        "FLUX 4x (released code)",
        untold=Untold("Ernie-Image-Turbo", "8-step distilled"),
    )
    model_class = "ErnieImage"
    hooks = ("pos_embed", "x_embedder")
    plain_steps = 20
    cfg = (3, 5)
    text_tokens = 64
    space = Space(channels=32, fold=2)
    views = Refused("ComfyUI lets nobody stand in for its attention")
    stretches = True

    def size(self, network: Any) -> Size:
        return Size(len(network.layers), network.hidden_size, self.full.linear)

    def text_width(self, network: Any) -> int | None:
        return None if network.text_proj is None else network.text_proj.in_features

    def positions(self, network: Any, packing: Packing, rows: int):
        return embedded_ids(network.pos_embed, packing, rows, lambda _, length: 0)
