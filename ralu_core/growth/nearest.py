"""Growth that repeats: each of four siblings is a copy, and matched noise hides that (RALU)."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..latents.tokens import spread
from .growth import Projected


class Pixel(Projected):
    """Each latent pixel is repeated over a 2x2 block."""

    name = "pixel"
    words = "pixel repeats each latent pixel"

    def grow(self, coarse: torch.Tensor, patch: int) -> torch.Tensor:
        return spread(coarse)

    def mean(self, fine: torch.Tensor, patch: int) -> torch.Tensor:
        return F.avg_pool2d(fine, 2)


class Token(Projected):
    """Each patch is tiled into its four children, as the released code does (packed tokens).

    Siblings lie a patch apart here, not side by side as under `Pixel`.
    """

    name = "token"
    words = "token repeats each 2x2 patch as the authors' code does"

    def grow(self, coarse: torch.Tensor, patch: int) -> torch.Tensor:
        b, c, h, w = coarse.shape
        patches = coarse.reshape(b, c, h // patch, patch, w // patch, patch)
        tiles = coarse.new_empty(b, c, h // patch, 2, patch, w // patch, 2, patch)
        for column in range(patch):  # column by column: writes lie further together
            tiles[:, :, :, 0, :, :, 0, column] = patches[..., column]
            tiles[:, :, :, 0, :, :, 1, column] = patches[..., column]
        tiles[:, :, :, 1] = tiles[:, :, :, 0]
        return tiles.reshape(b, c, 2 * h, 2 * w)

    def mean(self, fine: torch.Tensor, patch: int) -> torch.Tensor:
        b, c, h, w = fine.shape
        blocks = fine.reshape(b, c, h // (2 * patch), 2, patch, w // (2 * patch), 2, patch)
        rows = blocks[:, :, :, 0] + blocks[:, :, :, 1]  # sums, not one mean over two axes
        mean = (rows[..., 0, :] + rows[..., 1, :]) / 4  # (B, C, h, p, w, p): one coarse patch
        return mean.reshape(b, c, h // 2, w // 2)
