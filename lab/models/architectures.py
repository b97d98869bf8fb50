"""The models that are measured: ComfyUI's classes at their real size, or small for a CPU.

Nothing is downloaded: weights are absent (meta device) or random.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import torch

FLUX_AXES = [16, 56, 56]
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

    family    "flux" or "sd3".
    depth     (double, single) blocks of Flux, (joint blocks, 0) of SD3.
    width     hidden size; heads are 128 wide in Flux, 64 in SD3.
    guidance  Flux: distilled guidance (dev) or none (schnell).
    rms       SD3.5 normalises queries and keys.
    cfg       guidance scale its users sample with; above 1 every step is two forward passes.
    presets   family of the RALU presets for it.
    steps     of the plain run that speed-ups are measured against.
    """

    name: str
    family: str
    depth: tuple[int, int]
    width: int
    presets: str
    steps: int
    cfg: float = 1.0
    guidance: bool = False
    rms: bool = False
    context: int = 4096
    pooled: int = 768

    @property
    def blocks(self) -> int:
        return sum(self.depth)

    @property
    def heads(self) -> int:
        return self.width // (128 if self.family == "flux" else 64)


ARCHITECTURES = {
    "flux-dev": Architecture(
        "FLUX.1-dev", "flux", (19, 38), 3072, presets="flux", steps=50, guidance=True
    ),
    "flux-schnell": Architecture(
        "FLUX.1-schnell", "flux", (19, 38), 3072, presets="distilled", steps=4
    ),
    "sd3-medium": Architecture(
        "SD3 Medium", "sd3", (24, 0), 1536, presets="sd3", steps=28, cfg=7.0, pooled=2048
    ),
    "sd3.5-large": Architecture(
        "SD3.5 Large", "sd3", (38, 0), 2432, "sd3", steps=28, cfg=4.5, rms=True, pooled=2048
    ),
    "sd3.5-large-turbo": Architecture(
        "SD3.5 Large Turbo", "sd3", (38, 0), 2432, "distilled", steps=4, rms=True, pooled=2048
    ),
    "mid": Architecture("Flux, 6 blocks of 1024", "flux", (2, 4), 1024, "flux", 10, guidance=True),
    "small": Architecture(
        "Flux, 2 blocks of 256", "flux", (1, 1), 256, "flux", 10, guidance=True, context=64
    ),
}


def empty_network(architecture: Architecture) -> torch.nn.Module:
    """ComfyUI's network of that size on the meta device: shapes and code, no weights."""
    import comfy.ops

    options: dict[str, Any] = {
        "dtype": torch.bfloat16,
        "device": "meta",
        "operations": comfy.ops.manual_cast,
    }
    if architecture.family == "flux":
        return _flux(architecture, options)
    from comfy.ldm.modules.diffusionmodules.mmdit import OpenAISignatureMMDITWrapper

    options["input_size"] = None
    return OpenAISignatureMMDITWrapper(
        patch_size=2,
        in_channels=16,
        depth=architecture.depth[0],
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


def _flux(architecture: Architecture, options: dict[str, Any]) -> torch.nn.Module:
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
        axes_dim=FLUX_AXES,
        theta=10000,
        qkv_bias=True,
        guidance_embed=architecture.guidance,
        **newer,
        **options,
    )


def host_model(architecture: Architecture, device: torch.device | str, dtype: torch.dtype):
    """ComfyUI's model around that network, found by its own detection; weights are not set."""
    import comfy.model_detection

    weights = empty_network(architecture).state_dict()
    config = comfy.model_detection.model_config_from_unet(weights, "")
    if config is None:
        raise ValueError(f"This ComfyUI does not recognise {architecture.name}: use 0.3.75 or up.")
    # ComfyUI before 0.4 takes every Flux for the full-size one of 24 heads.
    if architecture.family == "flux":
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
