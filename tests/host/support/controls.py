"""Tiny ControlNets of every kind that core loads for both families."""

from __future__ import annotations

import comfy.controlnet
import comfy.latent_formats
import comfy.ops
import torch
from comfy.cldm.dit_embedder import ControlNetEmbedder
from comfy.cldm.mmdit import ControlNet as SD3ControlNet
from comfy.ldm.flux.controlnet import ControlNetFlux
from limits import LATENT
from nodes import ControlNetApplyAdvanced

from lab.models import tiny

INSTANTX = {
    "flux instantx": {"control_latent_channels": 16},
    "flux union": {"control_latent_channels": 16, "num_union_modes": 10},
    "flux inpainting": {"control_latent_channels": 17},
}
FP32 = {"dtype": torch.float32, "device": "cpu", "operations": comfy.ops.disable_weight_init}


def controlnet(model, kind: str, seed: int = 11):
    """A tiny ControlNet built and wrapped as core's loader for this kind does."""
    config = {**model.model.model_config.unet_config}
    for option in ("disable_unet_model_creation", "dtype"):
        config.pop(option, None)
    wrapper = comfy.controlnet.ControlNet
    if kind == "sd3":
        network = SD3ControlNet(num_blocks=1, control_latent_channels=16, **config, **FP32)
        wrapped: dict = {"compression_ratio": 1, "latent_format": comfy.latent_formats.SD3()}
    elif kind == "sd3.5 large":
        network, wrapper = _sd35_network(config), comfy.controlnet.ControlNetSD35
        wrapped = {"compression_ratio": 1, "latent_format": comfy.latent_formats.SD3()}
    elif kind == "flux xlabs":
        network = ControlNetFlux(**config, **FP32)
        wrapped = {"extra_conds": ["y", "guidance"]}
    else:
        network = ControlNetFlux(latent_input=True, **INSTANTX[kind], **config, **FP32)
        wrapped = {"compression_ratio": 1, "latent_format": comfy.latent_formats.Flux()}
        wrapped["extra_conds"] = ["y", "guidance"]
        wrapped["concat_mask"] = kind == "flux inpainting"
    network.load_state_dict(tiny.seeded(network.state_dict(), seed))
    return wrapper(network, **wrapped, load_device=model.load_device)


def _sd35_network(config: dict):
    return ControlNetEmbedder(
        img_size=None,
        patch_size=2,
        in_chans=16,
        num_layers=1,
        main_model_double=config["depth"],
        double_y_emb=False,
        attention_head_dim=64,
        num_attention_heads=config["depth"],
        adm_in_channels=tiny.POOLED,
        **FP32,
    )


def hint(seed=21, size=(8 * LATENT[0], 8 * LATENT[1])):
    return torch.rand(1, *size, 3, generator=torch.Generator().manual_seed(seed))


def applied(net, vae, strength=1.0, start=0.0, end=1.0, image=None, conds=None):
    """Positive and negative conditioning from core's Apply ControlNet node."""
    conds = conds or (tiny.conditioning(5), tiny.conditioning(6))
    image = hint() if image is None else image
    return ControlNetApplyAdvanced().apply_controlnet(*conds, net, image, strength, start, end, vae)
