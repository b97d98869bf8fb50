"""Seeded tiny models of ComfyUI's real classes, for tests, benches and a demo without downloads.

Their pictures mean nothing; their code paths are those of the full-size models. Import ComfyUI
first (`lab.comfy.activate`).
"""

from __future__ import annotations

import math
from typing import Any
from unittest.mock import patch

import comfy.model_detection
import comfy.ops
import comfy.sd
import torch

CONTEXT, POOLED, TEXT_TOKENS = 64, 32, 8
FLUX_HIDDEN, FLUX_HEAD = 256, 128


def flux_weights(seed: int = 0, guidance: bool = True, in_channels: int = 16) -> dict:
    """Flux.1 of two blocks: dev with guidance, schnell without it, Fill with 96 channels in."""
    from comfy.ldm.flux.model import Flux, FluxParams

    newer: dict[str, Any] = (
        {"txt_ids_dims": []} if "txt_ids_dims" in FluxParams.__annotations__ else {}
    )
    network = Flux(
        in_channels=in_channels,
        out_channels=16,
        patch_size=2,
        vec_in_dim=POOLED,
        context_in_dim=CONTEXT,
        hidden_size=FLUX_HIDDEN,
        mlp_ratio=4.0,
        num_heads=FLUX_HIDDEN // FLUX_HEAD,
        depth=1,
        depth_single_blocks=1,
        axes_dim=[16, 56, 56],
        theta=10000,
        qkv_bias=True,
        guidance_embed=guidance,
        **newer,
        dtype=torch.float32,
        device="cpu",
        operations=comfy.ops.disable_weight_init,
    )
    return seeded(network.state_dict(), seed)


def sd3_weights(seed: int = 0, depth: int = 2, dual_attention: bool = False) -> dict:
    """SD3 of `depth` blocks, width 64 * depth; dual attention makes an SD3.5 Medium."""
    from comfy.ldm.modules.diffusionmodules.mmdit import OpenAISignatureMMDITWrapper

    network = OpenAISignatureMMDITWrapper(
        input_size=None,  # pyright: ignore[reportArgumentType] -- as ComfyUI itself passes it
        patch_size=2,
        in_channels=16,
        depth=depth,
        adm_in_channels=POOLED,
        context_embedder_config={
            "target": "torch.nn.Linear",
            "params": {"in_features": CONTEXT, "out_features": 64 * depth},
        },
        num_patches=192**2,
        pos_embed_max_size=192,
        pos_embed_scaling_factor=None,
        qk_norm="rms" if dual_attention else None,
        x_block_self_attn_layers=[0] if dual_attention else [],
        dtype=torch.float32,
        device="cpu",
        operations=comfy.ops.disable_weight_init,
    )
    return seeded(network.state_dict(), seed)


def taesd_weights(seed: int = 0) -> dict:
    """A 16-channel autoencoder in the TAESD layout, as ComfyUI's VAE loader reads it."""
    from comfy.taesd.taesd import TAESD

    weights = seeded(TAESD(latent_channels=16).state_dict(), seed)
    weights["vae_scale"], weights["vae_shift"] = torch.tensor(1.0), torch.tensor(0.0)
    return weights


def seeded(shapes: dict[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """Random weights of the given shapes: matrices keep the variance of what passes through."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, like in sorted(shapes.items()):
        noise = torch.randn(like.shape, generator=generator)
        if name.endswith(("norm.scale", "norm.weight", "ln_q.weight", "ln_k.weight")):
            weights[name] = torch.ones(like.shape)
        elif "pos_embed" in name or like.ndim < 2:
            weights[name] = 0.3 * noise
        else:
            weights[name] = noise / math.sqrt(like[0].numel())
    return weights


def load_model(weights: dict, **options: Any):
    """A MODEL from a state dict through ComfyUI's own detection and loading."""
    original = comfy.model_detection.detect_unet_config

    def detect(state_dict, prefix, *args, **kwargs):
        config = original(state_dict, prefix, *args, **kwargs)
        if config is not None and config.get("image_model") == "flux":
            # ComfyUI before 0.4 takes every Flux for the full-size one of 24 heads.
            config["num_heads"] = config["hidden_size"] // FLUX_HEAD
        return config

    with patch.object(comfy.model_detection, "detect_unet_config", detect):
        model = comfy.sd.load_diffusion_model_state_dict(dict(weights), model_options=options)
    if model is None:
        raise ValueError("ComfyUI did not recognise these weights as a diffusion model.")
    return model


def load_vae(weights: dict):
    """A VAE from a state dict through ComfyUI's own loader."""
    return comfy.sd.VAE(sd=dict(weights))


def conditioning(seed: int = 0, batch: int = 1, guidance: float | None = None) -> list:
    """A CONDITIONING of seeded context and pooled vectors."""
    generator = torch.Generator().manual_seed(seed)
    context = torch.randn(batch, TEXT_TOKENS, CONTEXT, generator=generator)
    options = {"pooled_output": torch.randn(batch, POOLED, generator=generator)}
    if guidance is not None:
        options["guidance"] = guidance  # type: ignore[assignment]
    return [[context, options]]
