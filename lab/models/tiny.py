"""Seeded tiny models of ComfyUI's real classes, for tests, benches and a demo without downloads.

Their pictures mean nothing; their code paths are those of the full-size models. Import ComfyUI
first (`lab.comfy.activate`).
"""

from __future__ import annotations

import functools
import inspect
import math
from typing import Any
from unittest.mock import patch

import comfy.model_detection
import comfy.ops
import comfy.sd
import comfy.supported_models
import torch

from lab.comfy import ralu_pack
from lab.models.networks import NETWORKS, Network, toy_network

ralu_pack.import_pack()  # this tree's own

CONTEXT, POOLED, TEXT_TOKENS = 64, 32, 8


def family_weights(family: Any, seed: int = 0, **options: Any) -> dict:
    """The family's tiny network; options as `lab.models.networks` takes them."""
    network = toy_network(
        family,
        **options,
        dtype=torch.float32,
        device="cpu",
        operations=comfy.ops.disable_weight_init,
    )
    return seeded(network.state_dict(), seed)


def flux_weights(seed: int = 0, guidance: bool = True, in_channels: int = 16) -> dict:
    """Flux.1 of two blocks: dev with guidance, schnell without it, Fill with 96 channels in."""
    family = ralu_pack.table.family_named("flux1")
    return family_weights(family, seed, guidance=guidance, in_channels=in_channels)


def sd3_weights(seed: int = 0, depth: int = 2, dual_attention: bool = False) -> dict:
    """SD3 of `depth` blocks, width 64 * depth; dual attention makes an SD3.5 Medium."""
    family = ralu_pack.table.family_named("sd3")
    return family_weights(family, seed, depth=depth, dual_attention=dual_attention)


def taesd_weights(seed: int = 0) -> dict:
    """A 16-channel autoencoder in the TAESD layout, as ComfyUI's VAE loader reads it."""
    from comfy.taesd.taesd import TAESD

    weights = seeded(TAESD(latent_channels=16).state_dict(), seed)
    weights["vae_scale"], weights["vae_shift"] = torch.tensor(1.0), torch.tensor(0.0)
    return weights


def vae_weights(space: Any, seed: int = 0) -> dict:
    """An autoencoder for latents of that space: TAESD's, Wan's for frames, or Flux.2's."""
    if space.has_frames:
        return wan_vae_weights(seed)
    return taesd_weights(seed) if space.fold == 1 else flux2_vae_weights(seed)


def wan_vae_weights(seed: int = 0, width: int = 8) -> dict:
    """The video autoencoder of Wan 2.1 and Qwen-Image, 1/12 as wide."""
    from comfy.ldm.wan.vae import WanVAE

    network = WanVAE(dim=width, z_dim=16, temperal_downsample=[False, True, True])
    weights = seeded(network.state_dict(), seed)
    return {k: torch.ones_like(w) if k.endswith("gamma") else w for k, w in weights.items()}


def flux2_vae_weights(seed: int = 0, width: int = 32) -> dict:
    """Flux.2's autoencoder, whose latents are 2x2 pixels of 32 channels; its decoder a quarter as
    wide where ComfyUI can load that."""
    from comfy.ldm.models import autoencoder

    config: dict[str, Any] = {"double_z": True, "z_channels": 32, "resolution": 256}
    config |= {"in_channels": 3, "out_ch": 3, "ch": 128, "ch_mult": [1, 2, 4, 4]}
    config |= {"num_res_blocks": 2, "attn_resolutions": [], "dropout": 0.0}
    options: dict[str, Any] = {"ddconfig": {**config, "batch_norm_latent": True}, "embed_dim": 32}
    if "decoder_ddconfig" in inspect.getsource(autoencoder):
        options["decoder_ddconfig"] = {**options["ddconfig"], "ch": width}
    weights = seeded(autoencoder.AutoencoderKL(**options).state_dict(), seed)
    # As if it had seen latents of mean 0 and variance 1.
    counted = torch.tensor(0)
    return weights | {
        "bn.running_mean": torch.zeros(128),
        "bn.running_var": torch.ones(128),
        "bn.num_batches_tracked": counted,
    }


def seeded(shapes: dict[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """Random weights of the given shapes: matrices keep the variance of what passes through."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, like in sorted(shapes.items()):
        noise = torch.randn(like.shape, generator=generator)
        if name.endswith(("norm.scale", "norm.weight", "_q.weight", "_k.weight")) and like.ndim < 2:
            weights[name] = torch.ones(like.shape)
        elif "pos_embed" in name or like.ndim < 2:
            weights[name] = 0.3 * noise
        else:
            weights[name] = noise / math.sqrt(like[0].numel())
    return weights


def load_model(weights: dict, family: Any = None, **options: Any):
    """A MODEL from a state dict through ComfyUI's own detection and loading.

    family  whose configuration the detection is told, as weights of toys do not say it all.
    """
    name = "" if family is None else family.name
    told = NETWORKS[name] if name else Network(torch.nn.Identity)
    original = comfy.model_detection.detect_unet_config
    original_kind = comfy.model_detection.model_config_from_unet_config

    def kind(config, *args, **kwargs):
        if told.kind:
            return getattr(comfy.supported_models, told.kind)(config)
        return original_kind(config, *args, **kwargs)

    def detect(state_dict, prefix, *args, **kwargs):
        if told.kind:
            return {"image_model": name, **told.config}
        config = original(state_dict, prefix, *args, **kwargs)
        if config is not None and "axes_dim" in config:
            # ComfyUI before 0.4 takes every Flux for the full-size one of 24 heads.
            config["num_heads"] = config["hidden_size"] // sum(config["axes_dim"])
        if config is not None:
            config.update(told.config)
        return config

    with (
        patch.object(comfy.model_detection, "detect_unet_config", detect),
        patch.object(comfy.model_detection, "model_config_from_unet_config", kind),
    ):
        model = comfy.sd.load_diffusion_model_state_dict(dict(weights), model_options=options)
    if model is None:
        raise ValueError("ComfyUI did not recognise these weights as a diffusion model.")
    return model


def load_vae(weights: dict):
    """A VAE from a state dict through ComfyUI's own loader."""
    return comfy.sd.VAE(sd=dict(weights))


def narrow_taesd(seed: int = 0):
    """ComfyUI's TAESD with the first 8 of its 64 channels, for a fiftieth of the work.

    They are cut out once it is loaded, as ComfyUI builds it in one width.
    """
    vae = load_vae(taesd_weights(seed))
    network: Any = vae.first_stage_model
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            outs, ins = (8 if size == 64 else size for size in layer.weight.shape[:2])
            kept = layer.weight[:outs, :ins] * math.sqrt(layer.weight.shape[1] / ins)
            layer.weight = torch.nn.Parameter(kept, requires_grad=False)
            if layer.bias is not None:
                layer.bias = torch.nn.Parameter(layer.bias[:outs].clone(), requires_grad=False)
    return vae


def small_vae(space: Any, seed: int = 0):
    """The cheapest VAE for latents of that space."""
    is_plain = space.fold == 1 and not space.has_frames
    return narrow_taesd(seed) if is_plain else load_vae(vae_weights(space, seed))


def conditioning(
    seed: int = 0, batch: int = 1, guidance: float | None = None, family: Any = None
) -> list:
    """A CONDITIONING of seeded context and pooled vectors.

    family  whose tiny network reads it; None where CONTEXT is the width of its texts.
    """
    generator = torch.Generator().manual_seed(seed)
    width = CONTEXT if family is None else _text_width(family)
    context = torch.randn(batch, TEXT_TOKENS, width, generator=generator)
    options = {"pooled_output": torch.randn(batch, POOLED, generator=generator)}
    if guidance is not None:
        options["guidance"] = guidance  # type: ignore[assignment]
    return [[context, options]]


def with_values(conditioning: list, **values: Any) -> list:
    """The conditioning with more values set, as core's nodes set them."""
    return [[context, {**options, **values}] for context, options in conditioning]


@functools.cache
def _text_width(family: Any) -> int:
    operations = comfy.ops.disable_weight_init
    network = toy_network(family, dtype=torch.float32, device="meta", operations=operations)
    return family.text_width(network) or CONTEXT
