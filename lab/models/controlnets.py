"""Tiny ControlNets of every kind that ComfyUI loads for the families; inside ComfyUI."""

from __future__ import annotations

from typing import Any

import comfy.controlnet
import comfy.latent_formats
import comfy.ops
import torch
from comfy.cldm.dit_embedder import ControlNetEmbedder
from comfy.cldm.mmdit import ControlNet as SD3ControlNet
from comfy.ldm.flux.controlnet import ControlNetFlux
from comfy.ldm.qwen_image.controlnet import QwenImageControlNetModel

from lab.models import tiny

FLUX_KINDS: dict[str, dict[str, Any]] = {
    "flux instantx": {"latent_input": True, "control_latent_channels": 16},
    "flux union": {"latent_input": True, "control_latent_channels": 16, "num_union_modes": 10},
    "flux inpainting": {"latent_input": True, "control_latent_channels": 17},
    "flux xlabs": {},
}
KINDS = {"Flux": "flux instantx", "SD3": "sd3", "QwenImage": "qwen"}  # by the host's class
MASKED = {"Flux": "flux inpainting", "SD3": "sd3 inpainting", "QwenImage": "qwen inpainting"}
FP32: dict[str, Any] = {
    "dtype": torch.float32,
    "device": "cpu",
    "operations": comfy.ops.disable_weight_init,
}


def of_family(model: Any, masked: bool = False) -> Any:
    """A ControlNet of the MODEL's family. ValueError for a family without one here.

    masked  for inpainting: it reads a mask beside its picture.
    """
    name = type(model.model).__name__
    if name not in KINDS:
        raise ValueError(f"There is no small ControlNet for {name}: add one here.")
    return controlnet(model, (MASKED if masked else KINDS)[name], seed=6)


def controlnet(model: Any, kind: str, seed: int = 11) -> Any:
    """Built and wrapped as ComfyUI's loader for this kind does."""
    config = {**model.model.model_config.unet_config}
    for option in ("disable_unet_model_creation", "dtype"):
        config.pop(option, None)
    masked = kind.endswith("inpainting")
    if kind in FLUX_KINDS:
        network = ControlNetFlux(**FLUX_KINDS[kind], **config, **FP32)
        wrapped: dict[str, Any] = {"extra_conds": ["y", "guidance"]}
        if kind != "flux xlabs":
            wrapped |= {"compression_ratio": 1, "latent_format": comfy.latent_formats.Flux()}
            wrapped["concat_mask"] = masked
    elif kind.startswith("qwen"):
        network = _qwen(config, masked)
        wrapped = {"compression_ratio": 1, "latent_format": comfy.latent_formats.Wan21()}
        wrapped |= {"concat_mask": masked, "extra_conds": []}
    else:
        large = kind == "sd3.5 large"
        network = _embedder(config["depth"]) if large else _sd3(config, masked)
        wrapped = {"compression_ratio": 1, "latent_format": comfy.latent_formats.SD3()}
        wrapped["concat_mask"] = masked
    network.load_state_dict(tiny.seeded(network.state_dict(), seed))
    wrapper = comfy.controlnet.ControlNet
    if kind == "sd3.5 large":
        wrapper = comfy.controlnet.ControlNetSD35
    return wrapper(network, **wrapped, load_device=model.load_device)


def _sd3(config: dict[str, Any], masked: bool) -> SD3ControlNet:
    return SD3ControlNet(num_blocks=1, control_latent_channels=16 + masked, **config, **FP32)


def _qwen(config: dict[str, Any], masked: bool) -> QwenImageControlNetModel:
    config = {name: config[name] for name in ("num_attention_heads", "joint_attention_dim")}
    return QwenImageControlNetModel(
        num_layers=2, extra_condition_channels=4 * masked, **config, **FP32
    )


def _embedder(depth: int) -> ControlNetEmbedder:
    return ControlNetEmbedder(
        img_size=None,  # pyright: ignore[reportArgumentType] -- as ComfyUI itself passes it
        patch_size=2,
        in_chans=16,
        num_layers=1,
        main_model_double=depth,
        double_y_emb=False,
        attention_head_dim=64,
        num_attention_heads=depth,
        adm_in_channels=tiny.POOLED,
        **FP32,
    )
