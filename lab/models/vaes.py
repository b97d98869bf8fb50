"""The VAEs of the families at full size, with random weights."""

from __future__ import annotations

from typing import Any

import torch

from lab.models.blueprint import randomise

VAE = {
    "double_z": True,
    "z_channels": 16,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 128,
    "ch_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attn_resolutions": [],
    "dropout": 0.0,
}
WAN_WIDTH = 96


def random_vae(space: Any, device: torch.device, seed: int = 0):
    """The VAE for latents of that space, through ComfyUI's own loader."""
    import comfy.sd

    return comfy.sd.VAE(sd=_weights(space, seed), device=device)


def _weights(space: Any, seed: int) -> dict[str, torch.Tensor]:
    from comfy.ldm.modules.diffusionmodules.model import Decoder, Encoder

    from lab.models import tiny

    if space.has_frames:
        return tiny.wan_vae_weights(seed, WAN_WIDTH)
    if space.fold > 1:
        return tiny.flux2_vae_weights(seed, VAE["ch"])
    weights = {}
    for part, kind in (("encoder", Encoder), ("decoder", Decoder)):
        module = kind(**VAE)
        randomise(module, seed)
        weights |= {f"{part}.{name}": value for name, value in module.state_dict().items()}
    return weights
