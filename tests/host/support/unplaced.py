"""Tiny models of the host's classes that no family of the pack runs, with what they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
import comfy.supported_models
import torch
from comfy.ldm.hunyuan_video.model import HunyuanVideoParams
from limits import with_values

from lab.models import tiny

CPU = torch.device("cpu")
# What newer hosts ask of HunyuanImage's network.
NEWER = {"meanflow_sum": False} if "meanflow_sum" in HunyuanVideoParams.__annotations__ else {}


@dataclass(frozen=True)
class Kind:
    """config of the network, as the host's detection makes it; what it reads beside the text."""

    config: dict[str, Any]
    reads: Callable[[], dict[str, Any]] = dict


KINDS = {
    "AuraFlow": Kind(
        {
            "max_seq": 32 * 32,
            "cond_seq_dim": 64,
            "dim": 128,
            "n_heads": 2,
            "n_layers": 2,
            "n_double_layers": 1,
            "global_conddim": 128,
        }
    ),
    "HiDream": Kind(
        {
            "patch_size": 2,
            "in_channels": 16,
            "out_channels": 16,
            "num_layers": 1,
            "num_single_layers": 1,
            "attention_head_dim": 128,
            "num_attention_heads": 2,
            "caption_channels": [64, 64],
            "text_emb_dim": tiny.POOLED,
            "axes_dims_rope": (64, 32, 32),
            "llama_layers": [0, 1],
        },
        reads=lambda: {"conditioning_llama3": torch.ones(1, 2, tiny.TEXT_TOKENS, 64)},
    ),
    "HunyuanImage21": Kind(
        {
            "image_model": "hunyuan_video",
            "in_channels": 64,
            "out_channels": 64,
            "vec_in_dim": None,
            "context_in_dim": 64,
            "hidden_size": 128,
            "mlp_ratio": 2.0,
            "num_heads": 2,
            "depth": 1,
            "depth_single_blocks": 1,
            "axes_dim": [32, 32],
            "theta": 256,
            "patch_size": [1, 1],
            "qkv_bias": True,
            "guidance_embed": False,
            "byt5": False,
            "meanflow": False,
            "use_cond_type_embedding": False,
            "vision_in_dim": None,
            **NEWER,
        }
    ),
    "Omnigen2": Kind(
        {
            "hidden_size": 128,
            "num_layers": 1,
            "num_refiner_layers": 1,
            "num_attention_heads": 4,
            "num_kv_heads": 2,
            "axes_dim_rope": (8, 12, 12),
            "text_feat_dim": 64,
        },
        reads=lambda: {"attention_mask": torch.ones(1, tiny.TEXT_TOKENS, dtype=torch.long)},
    ),
}


def load(name: str, seed: int = 3):
    config = getattr(comfy.supported_models, name)({**KINDS[name].config, "dtype": torch.float32})
    model = config.get_model({}, device=CPU)
    network = model.diffusion_model
    network.load_state_dict(tiny.seeded(network.state_dict(), seed))
    return comfy.model_patcher.ModelPatcher(model, load_device=CPU, offload_device=CPU)


def prompt(name: str, seed: int) -> list:
    return with_values(tiny.conditioning(seed), **KINDS[name].reads())
