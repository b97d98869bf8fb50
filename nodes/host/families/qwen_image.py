"""Qwen-Image: rotary positions from the picture's middle, latents with a frame axis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from ....ralu_core.plans.presets import FLUX_DEV_SHIFT
from .blocks import TransformerBlocks
from .family import Family, Presets, Size
from .positions import image_ids, text_rows
from .refused import LAYERED, is_layered
from .views import Rotary


def middle(side: int) -> int:
    return side // 2


def text_start(grid: tuple[int, int]) -> int:
    """Text follows the picture: it counts from half of its longer side, as the call's size says."""
    return max(grid) // 2


class QwenImage(Family):
    name = "qwen_image"
    label = "Qwen-Image and Qwen-Image-Edit"
    short = "Qwen-Image"
    full = Size(blocks=60, width=3072)
    full_shift = FLUX_DEV_SHIFT
    presets = Presets(default="FLUX 5x")
    model_class = "QwenImage"
    hooks = ("process_img", "pe_embedder")
    cfg = (2.5, 4)
    text_tokens = 64
    space = Space(has_frames=True)
    text_first = True
    views = Rotary(origin=middle, text_start=text_start)
    blocks = TransformerBlocks

    def matches(self, model: Any, network: Any) -> bool:
        return super().matches(model, network) and self.stranger(model, network) is None

    def stranger(self, model: Any, network: Any) -> str | None:
        return LAYERED if is_layered(network) else None

    def size(self, network: Any) -> Size:
        return Size(len(network.transformer_blocks), network.inner_dim)

    def text_width(self, network: Any) -> int:
        return network.txt_in.in_features

    @contextmanager
    def positions(self, network: Any, packing: Packing, rows: int) -> Iterator[list[int]]:
        layout = packing.layout
        copies = self.views.copies(layout)
        grids = (layout.grid, layout.position_grid) if layout.is_split else (layout.position_grid,)
        starts = [text_start(grid) for grid in grids[:copies]]
        with image_ids(network, packing, rows, origin=middle) as asked:
            with text_rows(network.pe_embedder, starts, lambda length: length - sum(asked)):
                yield asked
