"""Real ComfyUI model classes at miniature size, built so that gradients flow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch

from lab.comfy import activate
from lab.models.miniature.text_encoding import WIDTH

FLUX = {
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": WIDTH,
    "context_in_dim": WIDTH,
    "hidden_size": 256,
    "mlp_ratio": 4.0,
    "num_heads": 2,
    "depth": 2,
    "depth_single_blocks": 4,
    "axes_dim": [16, 56, 56],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}
SD3 = {
    "input_size": None,
    "patch_size": 2,
    "in_channels": 16,
    "out_channels": 16,
    "depth": 4,
    "adm_in_channels": WIDTH,
    "context_embedder_config": {
        "target": "torch.nn.Linear",
        "params": {"in_features": WIDTH, "out_features": 256},
    },
    "num_patches": 40 * 40,
    "pos_embed_max_size": 40,
    "qk_norm": "rms",
}


def prepare(threads: int = 1) -> None:
    """Import ComfyUI and set it up for training on `threads` cores."""
    activate()
    import comfy.model_management

    comfy.model_management.in_training = True
    torch.set_num_threads(threads)


def build_flux() -> torch.nn.Module:
    from comfy.ldm.flux.model import Flux

    return Flux(image_model="flux", dtype=torch.float32, operations=torch.nn, **FLUX)


def build_sd3() -> torch.nn.Module:
    """MMDiT whose table of positions holds sines, as SD3's does."""
    from comfy.ldm.modules.diffusionmodules.mmdit import (
        OpenAISignatureMMDITWrapper,
        get_2d_sincos_pos_embed_torch,
    )

    model = OpenAISignatureMMDITWrapper(dtype=torch.float32, operations=torch.nn, **SD3)
    side = SD3["pos_embed_max_size"]
    model.get_buffer("pos_embed").copy_(
        get_2d_sincos_pos_embed_torch(model.hidden_size, side, side)[None]
    )
    return model


@dataclass(frozen=True)
class Kind:
    """time is what ComfyUI multiplies sigma with before it reaches the model."""

    build: Callable[[], torch.nn.Module]
    time: float


KINDS = {
    "flux": Kind(build_flux, 1.0),
    "flux_guided": Kind(build_flux, 1.0),
    "sd3": Kind(build_sd3, 1000.0),
}
STARTS_AT_ZERO = re.compile(r"(mod\.lin|modulation\.lin|adaLN_modulation\.1|final_layer\.linear)$")


def build(kind: str) -> torch.nn.Module:
    """A model whose blocks start as the identity and whose output starts at zero."""
    model = KINDS[kind].build()
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Linear) and STARTS_AT_ZERO.search(name):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        elif name.endswith((".ln_q", ".ln_k")):
            torch.nn.init.ones_(layer.get_parameter("weight"))
        elif isinstance(layer, torch.nn.LayerNorm):
            # Blocks add to their input in place, which would spoil what the norm saved of it.
            layer.register_forward_pre_hook(lambda _, inputs: (inputs[0].clone(),))
    return model.requires_grad_(True).train()
