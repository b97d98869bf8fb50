"""Growth that repeats: each of four siblings is a copy, and matched noise hides that (RALU)."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F

from ..latents.flow import Jump
from ..latents.noise import sibling_noise
from ..latents.tokens import spread
from .growth import Growth


class Nearest(Growth):
    """Copies with noise of covariance I - c * ones(4, 4): together white (RALU eq. 4-6)."""

    @abstractmethod
    def mean_of_siblings(self, noise: torch.Tensor, patch: int) -> torch.Tensor:
        """Average (B, C, H, W) over the four pixels that one coarse pixel becomes; same shape."""

    def join_noise(
        self, grown: torch.Tensor, white: torch.Tensor, jump: Jump, patch: int
    ) -> torch.Tensor:
        noise = sibling_noise(white, jump.c, lambda one: self.mean_of_siblings(one, patch))
        return grown.add_(noise, alpha=jump.start_sigma)


class Pixel(Nearest):
    """Each latent pixel is repeated over a 2x2 block."""

    name = "pixel"
    words = "pixel repeats each latent pixel"

    def grow(self, coarse: torch.Tensor, patch: int) -> torch.Tensor:
        return spread(coarse)

    def mean_of_siblings(self, noise: torch.Tensor, patch: int) -> torch.Tensor:
        return spread(F.avg_pool2d(noise, 2))


class Token(Nearest):
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

    def mean_of_siblings(self, noise: torch.Tensor, patch: int) -> torch.Tensor:
        b, c, h, w = noise.shape
        blocks = noise.reshape(b, c, h // (2 * patch), 2, patch, w // (2 * patch), 2, patch)
        rows = blocks[:, :, :, 0] + blocks[:, :, :, 1]  # sums, not one mean over two axes
        mean = (rows[..., 0, :] + rows[..., 1, :]) / 4  # (B, C, h, p, w, p): one coarse patch
        return self.grow(mean.reshape(b, c, h // 2, w // 2), patch)
