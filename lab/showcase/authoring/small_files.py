"""Small files in place of the LoRA and the upscaler that the workflows name.

ComfyUI's own loaders read them; the LoRA fits `lab.models.tiny`'s Flux.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from safetensors.torch import save_file

from lab.showcase.authoring.files import LORA, UPSCALER

FLUX_WIDTH, RANK = 256, 4
FILTERS, GROWTH = 4, 32  # of the ESRGAN; its loader expects this growth


def write_small_files(models: Path) -> None:
    """Write them below a folder of ComfyUI's models layout."""
    shapes = {LORA: _lora_shapes(), UPSCALER: _esrgan_shapes()}
    for file, shape in shapes.items():
        generator = torch.Generator().manual_seed(7)
        weights = {
            name: torch.randn(size, generator=generator) / math.sqrt(math.prod(size[1:]))
            for name, size in shape.items()
        }
        folder = models / file.directory
        folder.mkdir(parents=True, exist_ok=True)
        save_file(weights, folder / file.name)


def _lora_shapes() -> dict[str, tuple[int, ...]]:
    layer = "diffusion_model.double_blocks.0.img_attn.proj"
    return {
        f"{layer}.lora_down.weight": (RANK, FLUX_WIDTH),
        f"{layer}.lora_up.weight": (FLUX_WIDTH, RANK),
    }


def _esrgan_shapes() -> dict[str, tuple[int, ...]]:
    """One residual block, two doublings."""
    convolutions = {"conv_first": (FILTERS, 3), "conv_last": (3, FILTERS)}
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        convolutions[name] = (FILTERS, FILTERS)
    for dense in (1, 2, 3):
        for k in range(1, 6):
            out = GROWTH if k < 5 else FILTERS
            convolutions[f"body.0.rdb{dense}.conv{k}"] = (out, FILTERS + (k - 1) * GROWTH)
    weights = {f"{name}.weight": (*ends, 3, 3) for name, ends in convolutions.items()}
    biases = {f"{name}.bias": (ends[0],) for name, ends in convolutions.items()}
    return {**weights, **biases}
