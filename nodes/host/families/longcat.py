"""LongCat-Image: Flux's network, its picture placed after the text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ....ralu_core.latents.packing import Packing
from ....ralu_core.plans.presets import FLUX_DEV_SHIFT
from .blocks import DoubleAndSingleBlocks
from .family import Family, Presets, Size
from .positions import image_ids, repeated_text
from .views import Rotary


class AfterText(Rotary):
    """The host begins the picture where the call's text ends: after one copy of it."""

    def options(self, options: dict, text: int) -> dict:
        start = {"shift_y": float(text), "shift_x": float(text)}
        return {**options, "rope_options": {**start, **(options.get("rope_options") or {})}}


class LongCat(Family):
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
    tiny_kind = "LongCatImage"
    tiny_config = {
        "in_channels": 16,
        "out_channels": 16,
        "patch_size": 2,
        "vec_in_dim": None,
        "context_in_dim": 64,
        "hidden_size": 256,
        "mlp_ratio": 4.0,
        "num_heads": 2,
        "depth": 1,
        "depth_single_blocks": 1,
        "axes_dim": [16, 56, 56],
        "theta": 10000,
        "qkv_bias": True,
        "guidance_embed": False,
        "txt_ids_dims": [1, 2],
    }

    def size(self, network: Any) -> Size:
        blocks = len(network.double_blocks) + len(network.single_blocks)
        return Size(blocks, network.hidden_size)

    def text_width(self, network: Any) -> int:
        return network.params.context_in_dim

    @contextmanager
    def positions(self, network: Any, packing: Packing, rows: int) -> Iterator[list[int]]:
        copies = self.views.copies(packing.layout)
        # The host tells where the text ends by rope_options, which `image_ids` follows.
        with image_ids(network, packing, rows, follows=(0,)) as asked:
            with repeated_text(network.pe_embedder, copies, lambda length: length - sum(asked)):
                yield asked

    def tiny(self, **factory: Any) -> torch.nn.Module:
        from comfy.ldm.flux.model import Flux

        return Flux(**self.tiny_config, **factory)
