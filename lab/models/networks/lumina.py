"""NextDiT, which joins a caption and a picture: Z-Image and Lumina Image 2.0."""

from __future__ import annotations

from typing import Any

from lab.models.networks.network import Network

BOTH = {
    "patch_size": 2,
    "in_channels": 16,
    "dim": 256,
    "n_layers": 2,
    "n_refiner_layers": 1,
    "n_heads": 2,
    "n_kv_heads": 2,
    "qk_norm": True,
    "cap_feat_dim": 64,
    "axes_dims": [32, 48, 48],
    "axes_lens": [300, 512, 512],
}


def _next_dit(**config: Any):
    from comfy.ldm.lumina.model import NextDiT

    return NextDiT(**config)


Z_IMAGE = Network(
    _next_dit,
    {
        **BOTH,
        "rope_theta": 256.0,
        "ffn_dim_multiplier": 8.0 / 3.0,
        "z_image_modulation": True,
        "time_scale": 1000.0,
        "pad_tokens_multiple": 32,
    },
    "ZImage",
)
LUMINA2 = Network(_next_dit, {**BOTH, "ffn_dim_multiplier": 4.0}, "Lumina2")
