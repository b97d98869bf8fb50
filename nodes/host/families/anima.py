"""Anima: text by cross-attention, and one table of rotations for the whole batch."""

from __future__ import annotations

from typing import Any

import torch

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
    tiny_kind = "Anima"
    tiny_config = {
        "max_img_h": 240,
        "max_img_w": 240,
        "max_frames": 128,
        "in_channels": 16,
        "out_channels": 16,
        "patch_spatial": 2,
        "patch_temporal": 1,
        "model_channels": 256,
        "num_blocks": 2,
        "num_heads": 2,
        "crossattn_emb_channels": 64,
        "pos_emb_cls": "rope3d",
        "pos_emb_learnable": True,
        "use_adaln_lora": True,
        "adaln_lora_dim": 32,
        "rope_h_extrapolation_ratio": 4.0,
        "rope_w_extrapolation_ratio": 4.0,
        "rope_enable_fps_modulation": False,
    }

    def size(self, network: Any) -> Size:
        return Size(len(network.blocks), network.model_channels, self.full.linear)

    def positions(self, network: Any, packing: Packing, rows: int):
        return grid_rotations(network.pos_embedder, packing)

    def tiny(self, **factory: Any) -> torch.nn.Module:
        from comfy.ldm.anima.model import Anima

        network = Anima(**self.tiny_config, **factory)
        # Prompts of tests are encoded already, and its published size is all that it has.
        network.llm_adapter.embed, network.llm_adapter.blocks = None, network.llm_adapter.blocks[:0]
        return network
