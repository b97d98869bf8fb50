"""Synthetic defects of known strength, for training the judge and for testing every metric.

Each takes pictures (B, 3, H, W) in [0, 1] and strengths (B,) in [0, 1]; strength 0 changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d

BLUR_SIGMA = 3.0  # pixels
JAGGED = 4  # pixels a side of the squares that jagged edges are made of
STEP = 0.12  # largest offset of a block
WAVE = 0.08  # amplitude of the grid
NOISE = 0.12  # standard deviation
Defect = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def blur(pictures: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    blurred = gaussian_blur2d(pictures, (19, 19), (BLUR_SIGMA, BLUR_SIGMA))
    return _blend(pictures, blurred, strength)


def jagged(pictures: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Edges in steps, as nearest-neighbour upsampling draws them."""
    rows = pictures[..., ::JAGGED, ::JAGGED]
    steps = F.interpolate(rows, size=pictures.shape[-2:], mode="nearest")
    return _blend(pictures, steps, strength)


def noise(pictures: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(len(pictures))
    grains = torch.randn(pictures.shape, generator=generator)
    return (pictures + NOISE * _column(strength) * grains).clamp(0, 1)


def blocks(pictures: torch.Tensor, strength: torch.Tensor, period: int = 16) -> torch.Tensor:
    """An offset of its own for each square of `period` pixels."""
    b, _, h, w = pictures.shape
    generator = torch.Generator().manual_seed(period)
    offsets = torch.rand(b, 1, h // period, w // period, generator=generator) * 2 - 1
    offsets = F.interpolate(offsets, size=(h, w), mode="nearest")
    return (pictures + STEP * _column(strength) * offsets).clamp(0, 1)


def grid(pictures: torch.Tensor, strength: torch.Tensor, period: int = 16) -> torch.Tensor:
    """A wave that repeats every `period` pixels both ways."""
    h, w = pictures.shape[-2:]
    rows = torch.sin(torch.arange(h) * 2 * math.pi / period + 0.5)
    columns = torch.sin(torch.arange(w) * 2 * math.pi / period + 0.5)
    wave = (rows.view(-1, 1) + columns) / 2
    return (pictures + WAVE * _column(strength) * wave).clamp(0, 1)


def copies(pictures: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Each 32x32 square holds the same 16x16 pixels four times, as a tiled coarse token would."""
    b, c, h, w = pictures.shape
    corners = pictures.reshape(b, c, h // 32, 2, 16, w // 32, 2, 16)[:, :, :, :1, :, :, :1]
    tiled = corners.expand(-1, -1, -1, 2, -1, -1, 2, -1).reshape(b, c, h, w)
    return _blend(pictures, tiled, strength)


DEFECTS: dict[str, Defect] = {
    "blur": blur,
    "jagged": jagged,
    "noise": noise,
    "blocks": blocks,
    "grid": grid,
    "copies": copies,
}


def _blend(pictures: torch.Tensor, spoiled: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    return pictures + _column(strength) * (spoiled - pictures)


def _column(strength: torch.Tensor) -> torch.Tensor:
    return strength.view(-1, 1, 1, 1)
