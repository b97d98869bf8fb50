"""Kandinsky 5 for pictures: text by cross-attention, rotations by frame, row and column."""

from __future__ import annotations

from typing import Any

import torch

from ....ralu_core.latents.packing import Packing
from ....ralu_core.plans.presets import PUBLISHED_SHIFT
from .family import Family, Presets, Size
from .positions import check_unstretched, embedded_ids
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
    tiny_kind = "Kandinsky5Image"
    tiny_config = {
        "in_text_dim": 64,
        "in_text_dim2": 32,
        "time_dim": 64,
        "model_dim": 256,
        "ff_dim": 512,
        "visual_embed_dim": 64,
        "num_text_blocks": 1,
        "num_visual_blocks": 2,
        "axes_dims": (32, 48, 48),
        "rope_scale_factor": (1.0, 1.0, 1.0),
    }

    def matches(self, model: Any, network: Any) -> bool:
        factors = getattr(network, "rope_scale_factor", ())
        return super().matches(model, network) and set(factors) == {1.0}

    def size(self, network: Any) -> Size:
        return Size(len(network.visual_transformer_blocks), network.model_dim)

    def text_width(self, network: Any) -> int:
        return network.text_embeddings.in_layer.in_features

    def positions(self, network: Any, packing: Packing, rows: int):
        return embedded_ids(network.rope_embedder_3d, packing, rows, lambda _, length: 0)

    def check_own(self, options: dict) -> None:
        check_unstretched(options, self.short)

    def tiny(self, **factory: Any) -> torch.nn.Module:
        from comfy.ldm.kandinsky5 import model

        return model.Kandinsky5(**self.tiny_config, **factory)
