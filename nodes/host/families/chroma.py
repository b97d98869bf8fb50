"""Chroma: Flux's blocks without Flux's way to make ids."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from comfy.ldm.chroma import model

from ....ralu_core.latents.packing import Packing
from ....ralu_core.plans.presets import FLUX_DEV_SHIFT
from .blocks import ModulatedBlocks
from .family import Presets, Size
from .flux_like import FluxLike
from .positions import embedded_ids
from .views import Rotary

# What ComfyUI 0.3.75 does not ask for yet.
NEWER = {"txt_ids_dims": [], "vec_in_dim": None}
NEWER = {f.name: NEWER[f.name] for f in dataclasses.fields(model.ChromaParams) if f.name in NEWER}


class Chroma(FluxLike):
    name = "chroma"
    label = "Chroma"
    short = "Chroma"
    full = Size(blocks=57, width=3072)
    full_shift = FLUX_DEV_SHIFT
    presets = Presets("FLUX 5x")
    model_class = "Chroma"
    hooks = ("pe_embedder", "distilled_guidance_layer")
    plain_steps = 26
    cfg = (3, 5)
    text_tokens = 256
    text_first = True
    views = Rotary()
    blocks = ModulatedBlocks
    tiny_kind = "Chroma"
    tiny_config = {
        "in_channels": 64,
        "out_channels": 64,
        "context_in_dim": 64,
        "hidden_size": 256,
        "mlp_ratio": 4.0,
        "num_heads": 2,
        "depth": 1,
        "depth_single_blocks": 1,
        "axes_dim": [16, 56, 56],
        "theta": 10000,
        "patch_size": 2,
        "qkv_bias": True,
        "in_dim": 64,
        "out_dim": 256,
        "hidden_dim": 64,
        "n_layers": 1,
        **NEWER,
    }

    def text_width(self, network: Any) -> int:
        return network.txt_in.in_features

    def positions(self, network: Any, packing: Packing, rows: int):
        # It takes no references, so that the picture's ids are the last ones.
        return embedded_ids(
            network.pe_embedder, packing, rows, lambda _, length: length - packing.tokens
        )

    def tiny(self, **factory: Any) -> torch.nn.Module:
        return model.Chroma(**self.tiny_config, **factory)
