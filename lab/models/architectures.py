"""The models that are measured: ComfyUI's classes at their real size, or small for a CPU.

Nothing is downloaded: weights are absent (meta device) or random.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from lab.models.miniature.text_encoding import WIDTH, WORDS
from ralu_core.cost import CallCost

SD3_TABLE = 192  # side of SD3's table of learned positions
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


@dataclass(frozen=True)
class Architecture:
    """A diffusion model by its sizes.

    family       by its name in the pack's table.
    depth        blocks of each kind: Flux has double and single ones.
    head         width of an attention head.
    text_tokens  that ComfyUI makes of a short prompt.
    steps        of the plain run that speed-ups are measured against.
    cfg          guidance scale its users sample with; above 1 every step is two forward passes.
    distilled    whether it samples in few steps.
    guidance     Flux: distilled guidance (dev) or none (schnell).
    rms          SD3.5 normalises queries and keys.
    """

    name: str
    family: str
    depth: tuple[int, ...]
    width: int
    head: int
    text_tokens: int
    steps: int
    cfg: float = 1.0
    distilled: bool = False
    guidance: bool = False
    rms: bool = False
    context: int = 4096
    pooled: int = 768

    @property
    def blocks(self) -> int:
        return sum(self.depth)

    @property
    def heads(self) -> int:
        return self.width // self.head

    @property
    def cost(self) -> CallCost:
        """What a call costs."""
        rotates = self.family != "sd3"  # which adds positions to its tokens
        copies = 2 if rotates else 1
        return CallCost(self.blocks, self.width, self.text_tokens, texts=copies, splits=rotates)


def _flux(name: str, depth: tuple[int, int], width: int, **more: Any) -> Architecture:
    return Architecture(name, "flux1", depth, width, **{"head": 128, "text_tokens": 256, **more})


def _sd3(name: str, depth: int, width: int, **more: Any) -> Architecture:
    usual = {"head": 64, "text_tokens": 154, "steps": 28, "pooled": 2048}
    return Architecture(name, "sd3", (depth,), width, **{**usual, **more})


ARCHITECTURES = {
    "flux-dev": _flux("FLUX.1-dev", (19, 38), 3072, steps=50, guidance=True),
    "flux-schnell": _flux("FLUX.1-schnell", (19, 38), 3072, steps=4, distilled=True),
    "sd3-medium": _sd3("SD3 Medium", 24, 1536, cfg=7.0),
    "sd3.5-large": _sd3("SD3.5 Large", 38, 2432, cfg=4.5, rms=True),
    "sd3.5-large-turbo": _sd3("SD3.5 Large Turbo", 38, 2432, steps=4, rms=True, distilled=True),
    "mid": _flux("Flux, 6 blocks of 1024", (2, 4), 1024, steps=10, guidance=True),
    "small": _flux("Flux, 2 blocks of 256", (1, 1), 256, steps=10, guidance=True, context=64),
}
_HASHED: dict[str, Any] = {"context": WIDTH, "pooled": WIDTH, "text_tokens": WORDS}
# The trained models of lab/models/miniature, by the end of their files' names.
MINIATURES = {
    "flux": _flux("Miniature Flux", (2, 4), 256, steps=50, guidance=True, **_HASHED),
    "flux_guided": _flux("Miniature Flux, guided", (2, 4), 256, steps=50, guidance=True, **_HASHED),
    "sd3": _sd3("Miniature SD3", 4, 256, cfg=4.0, rms=True, **_HASHED),
}


def empty_network(architecture: Architecture) -> torch.nn.Module:
    """ComfyUI's network of that size on the meta device: shapes and code, no weights."""
    import comfy.ops

    options: dict[str, Any] = {
        "dtype": torch.bfloat16,
        "device": "meta",
        "operations": comfy.ops.manual_cast,
    }
    return BUILDERS[architecture.family](architecture, options)


def _sd3_network(architecture: Architecture, options: dict[str, Any]) -> torch.nn.Module:
    from comfy.ldm.modules.diffusionmodules.mmdit import OpenAISignatureMMDITWrapper

    options["input_size"] = None
    return OpenAISignatureMMDITWrapper(
        patch_size=2,
        in_channels=16,
        depth=architecture.blocks,
        adm_in_channels=architecture.pooled,
        context_embedder_config={
            "target": "torch.nn.Linear",
            "params": {"in_features": architecture.context, "out_features": architecture.width},
        },
        num_patches=SD3_TABLE**2,
        pos_embed_max_size=SD3_TABLE,
        pos_embed_scaling_factor=None,
        qk_norm="rms" if architecture.rms else None,
        **options,
    )


def _flux_network(architecture: Architecture, options: dict[str, Any]) -> torch.nn.Module:
    from comfy.ldm.flux.model import Flux, FluxParams

    known = [field.name for field in dataclasses.fields(FluxParams)]
    newer = {"txt_ids_dims": []} if "txt_ids_dims" in known else {}  # not in ComfyUI 0.3.75
    return Flux(
        in_channels=16,
        out_channels=16,
        patch_size=2,
        vec_in_dim=architecture.pooled,
        context_in_dim=architecture.context,
        hidden_size=architecture.width,
        mlp_ratio=4.0,
        num_heads=architecture.heads,
        depth=architecture.depth[0],
        depth_single_blocks=architecture.depth[1],
        axes_dim=[16, 56, 56],
        theta=10000,
        qkv_bias=True,
        guidance_embed=architecture.guidance,
        **newer,
        **options,
    )


# How a network of a family is built.
BUILDERS: dict[str, Callable[[Architecture, dict[str, Any]], torch.nn.Module]] = {
    "flux1": _flux_network,
    "sd3": _sd3_network,
}


def host_model(architecture: Architecture, device: torch.device | str, dtype: torch.dtype):
    """ComfyUI's model around that network, found by its own detection; weights are not set."""
    import comfy.model_detection

    weights = empty_network(architecture).state_dict()
    config = comfy.model_detection.model_config_from_unet(weights, "")
    if config is None:
        raise ValueError(f"This ComfyUI does not recognise {architecture.name}: use 0.3.75 or up.")
    # ComfyUI before 0.4 takes every Flux for the full-size one of 24 heads.
    if "num_heads" in config.unet_config:
        config.unet_config["num_heads"] = architecture.heads
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
        for _, table in module.named_buffers():
            table.normal_(generator=generator)


def random_model(architecture: Architecture, device: torch.device, seed: int = 0):
    """A MODEL with random weights created on `device`: bf16, or float32 on a CPU.

    They are offloaded to the same device, that is never.
    """
    import comfy.model_patcher

    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    model = host_model(architecture, device, dtype)
    randomise(model.diffusion_model, seed)
    return comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=device)


def random_vae(device: torch.device, seed: int = 0):
    """The 16-channel VAE of Flux and SD3 with random weights, through ComfyUI's own loader."""
    import comfy.sd
    from comfy.ldm.modules.diffusionmodules.model import Decoder, Encoder

    weights = {}
    for part, kind in (("encoder", Encoder), ("decoder", Decoder)):
        module = kind(**VAE)
        randomise(module, seed)
        weights |= {f"{part}.{name}": value for name, value in module.state_dict().items()}
    return comfy.sd.VAE(sd=weights, device=device)


def conditioning(architecture: Architecture, text_tokens: int, seed: int = 0) -> list:
    """A CONDITIONING of random text of that length."""
    generator = torch.Generator().manual_seed(seed)
    context = torch.randn(1, text_tokens, architecture.context, generator=generator)
    pooled = torch.randn(1, architecture.pooled, generator=generator)
    options: dict[str, Any] = {"pooled_output": pooled}
    if architecture.guidance:
        options["guidance"] = 3.5
    return [[context, options]]
