"""A feature space without training: statistics of gradients and details at four scales."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_ycbcr
from kornia.filters import laplacian, spatial_gradient
from kornia.geometry.transform import pyrdown

SCALES = 4
FLOOR = 1e-5  # keeps logarithms of empty scales finite; below one level of 255, squared


def texture_features(pictures: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) in [0, 1] -> (B, 44): 11 numbers at each of four scales, each half the last.

    Of brightness: log energy of the gradient across and down, of both diagonals and of the
    Laplacian; the peakedness (log fourth moment over squared second) of gradient and Laplacian;
    how unevenly the gradient's energy lies over 4x4 fields; mean and log variance. Of colour: log
    energy of both gradients.
    """
    parts, level = [], rgb_to_ycbcr(pictures.float())
    for _ in range(SCALES):
        parts.append(_level_features(level))
        level = pyrdown(level)
    return torch.cat(parts, 1)


def _level_features(level: torch.Tensor) -> torch.Tensor:
    bright, colour = level[:, :1], level[:, 1:]
    across, down = spatial_gradient(bright).unbind(2)
    detail = laplacian(bright, 3)
    energy = (across.square() + down.square())[:, 0]
    fields = F.adaptive_avg_pool2d(energy, 4).flatten(1)
    columns = [
        _log_energy(across),
        _log_energy(down),
        _log_energy(across + down),
        _log_energy(across - down),
        _log_energy(detail),
        _peakedness(across + down),
        _peakedness(detail),
        ((fields + FLOOR).log()).std(1),
        bright.mean((1, 2, 3)),
        (bright.var((1, 2, 3)) + FLOOR).log(),
        _log_energy(spatial_gradient(colour).flatten(1, 2)),
    ]
    return torch.stack(columns, 1)


def _log_energy(values: torch.Tensor) -> torch.Tensor:
    return (values.square().mean((1, 2, 3)) + FLOOR).log()


def _peakedness(values: torch.Tensor) -> torch.Tensor:
    squares = values.square()
    second = squares.mean((1, 2, 3)) + FLOOR
    return (squares.square().mean((1, 2, 3)) / second.square() + 1).log()
