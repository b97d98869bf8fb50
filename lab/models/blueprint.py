"""A network of ComfyUI's own classes, by its sizes, and how people sample it.

Nothing is downloaded: weights are absent (meta device) or random.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch

Build = Callable[..., torch.nn.Module]
FLUX = "comfy.ldm.flux.model:Flux"
SD3 = "comfy.ldm.modules.diffusionmodules.mmdit:OpenAISignatureMMDITWrapper"
FIVE, FOUR = "FLUX 5x", "FLUX 4x (released code)"
TURBO, FEW = "8-step distilled", "4-step distilled"
SD3_TABLE = 192  # side of SD3's table of learned positions
GUIDANCE = 3.5


@dataclass(frozen=True)
class Blueprint:
    """A model that can be built.

    family   by its name in the pack's table.
    place    module and class of its network.
    steps    of its plain run; cfg above 1 makes every step two rows.
    preset   for a model like that.
    config   of the class, beside its defaults.
    called   what else the network's call needs, with its width: (1, width) each, or () for (1,).
    text     width of its text vectors, where the family does not say.
    text_tokens  of a prompt; 0 takes what ComfyUI makes of a short one.
    references  pictures that it edits, of about a million pixels each.
    """

    name: str
    family: str
    place: str
    steps: int
    cfg: float
    preset: str
    config: dict[str, Any] = field(default_factory=dict)
    called: dict[str, tuple[int, ...]] = field(default_factory=dict)
    text: int = 4096
    text_tokens: int = 0
    references: int = 0

    @property
    def key(self) -> str:
        """Its name for command lines and files."""
        return re.sub("[^a-z0-9.]+", "-", self.name.lower())

    @property
    def rows(self) -> int:
        return 2 if self.cfg > 1 else 1

    @property
    def is_distilled(self) -> bool:
        """Whether it samples in few steps."""
        return self.preset in (TURBO, FEW)


def flux_config(depth: int, single: int, width: int, context: int, **more: Any) -> dict[str, Any]:
    return {
        "in_channels": 16,
        "out_channels": 16,
        "patch_size": 2,
        "vec_in_dim": 768,
        "context_in_dim": context,
        "hidden_size": width,
        "mlp_ratio": 4.0,
        "num_heads": width // 128,
        "depth": depth,
        "depth_single_blocks": single,
        "axes_dim": [16, 56, 56],
        "theta": 10000,
        "qkv_bias": True,
        "guidance_embed": False,
        "txt_ids_dims": [],
        **more,
    }


def sd3_config(
    depth: int, context: int = 4096, pooled: int = 2048, rms: bool = False
) -> dict[str, Any]:
    """rms: SD3.5 normalises queries and keys."""
    embedder = {"in_features": context, "out_features": 64 * depth}
    return {
        "input_size": None,
        "patch_size": 2,
        "in_channels": 16,
        "depth": depth,
        "adm_in_channels": pooled,
        "context_embedder_config": {"target": "torch.nn.Linear", "params": embedder},
        "num_patches": SD3_TABLE**2,
        "pos_embed_max_size": SD3_TABLE,
        "pos_embed_scaling_factor": None,
        "qk_norm": "rms" if rms else None,
    }


def build(model: Blueprint) -> torch.nn.Module:
    """Its network on the meta device. AttributeError where this ComfyUI has no such class."""
    import comfy.ops

    module, name = model.place.split(":")
    kind: Build = getattr(import_module(module), name)
    config = dict(model.config)
    if name in ("Flux", "Chroma"):
        config = _known(getattr(import_module(module), f"{name}Params"), config)
    factory = {"device": "meta", "operations": comfy.ops.manual_cast}
    return kind(**config, dtype=torch.bfloat16, **factory)


def _known(parameters: Any, config: dict[str, Any]) -> dict[str, Any]:
    """What of a configuration an older ComfyUI knows."""
    names = inspect.signature(parameters).parameters
    return {name: value for name, value in config.items() if name in names}


def host_model(model: Blueprint, device: torch.device | str, dtype: torch.dtype):
    """ComfyUI's model around that network, found by its own detection; weights are not set."""
    import comfy.model_detection

    weights = build(model).state_dict()
    config = comfy.model_detection.model_config_from_unet(weights, "")
    if config is None:
        raise ValueError(f"This ComfyUI does not recognise {model.name}: use 0.3.75 or up.")
    # ComfyUI before 0.4 takes every Flux for the full-size one of 24 heads.
    if "num_heads" in config.unet_config and "num_heads" in model.config:
        config.unet_config["num_heads"] = model.config["num_heads"]
    config.set_inference_dtype(dtype, None)
    return config.get_model(weights, "", device=device)


def randomise(module: torch.nn.Module, seed: int = 0) -> None:
    """Fill every weight in place, on its own device: matrices keep the variance of their input."""
    first = next(module.parameters())
    generator = torch.Generator(device=first.device).manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(module.named_parameters()):
            if weight.ndim < 2 and ("norm" in name or "ln_" in name) and "bias" not in name:
                weight.fill_(1)
            elif weight.ndim < 2:
                weight.zero_()
            else:
                weight.normal_(0, 1 / math.sqrt(weight[0].numel()), generator=generator)
        for name, table in module.named_buffers():
            if "pos_embed" in name:  # others are computed
                table.normal_(generator=generator)


def random_model(model: Blueprint, device: torch.device, seed: int = 0):
    """A MODEL with random weights created on `device`: bf16, or float32 on a CPU.

    They are offloaded to the same device, that is never.
    """
    import comfy.model_patcher

    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    made = host_model(model, device, dtype)
    randomise(made.diffusion_model, seed)
    return comfy.model_patcher.ModelPatcher(made, load_device=device, offload_device=device)


def conditioning(model: Blueprint, text_tokens: int, text_width: int, seed: int = 0) -> list:
    """A CONDITIONING of random text of that length and width."""
    generator = torch.Generator().manual_seed(seed)
    context = torch.randn(1, text_tokens, text_width, generator=generator)
    (pooled,) = model.called.get("y", (1,))
    options: dict[str, Any] = {"pooled_output": torch.randn(1, pooled, generator=generator)}
    if "guidance" in model.called:
        options["guidance"] = GUIDANCE
    return [[context, options]]
