"""Attention biases between text and picture, as ComfyUI's Apply Style Model makes them (Redux)."""

from __future__ import annotations

import torch

from ....ralu_core.latents.packing import Packing


def joint_bias(packing: Packing, bias: torch.Tensor, rows: int) -> torch.Tensor:
    """(1 or rows, T + 4hw, T + 4hw) -> (rows, T + N, T + N); coarse tokens take means."""
    bias = bias.expand(rows, -1, -1) if bias.shape[0] == 1 else bias
    return _gather_image_rows(packing, _gather_image_rows(packing, bias).mT).mT


def _gather_image_rows(packing: Packing, mask: torch.Tensor) -> torch.Tensor:
    h, w = packing.layout.grid
    text = mask.shape[1] - 4 * h * w
    fine = mask[:, text:]
    children = fine.reshape(mask.shape[0], h, 2, w, 2, -1)
    coarse = children.mean(dim=(2, 4)).reshape(mask.shape[0], h * w, -1)
    return torch.cat([mask[:, :text], packing.gather(coarse, fine)], dim=1)
