"""Growth in the frequency domain: the coarse latent becomes the low half of the fine one's DCT.

At z = 2 nothing that the coarse stages computed is noised again: noise joins only where no signal
was. On Haar blocks instead of a DCT, `nearest.Pixel`, that is the expansion of Fresco (arXiv
2601.07462).

From half to full size the noise is exactly white. Into or out of a mixed stage a part of the coarse
latent grows alone, and tokens on both sides of the border share noise: they correlate by up to .007
at a z of 6.26, .016 at 4 and .11 at 2; published ones run from 4 to 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch

from .growth import Projected


class Spectral(Projected):
    """Orthonormal DCT-II along both axes: twice the coarse coefficients, zero above them."""

    name = "dct"
    words = "dct keeps every frequency apart"

    def grow(self, coarse: torch.Tensor, patch: int) -> torch.Tensor:
        return 2 * _along_axes(coarse, lambda size: half_band(2 * size).T)

    def mean(self, fine: torch.Tensor, patch: int) -> torch.Tensor:
        return _along_axes(fine, half_band) / 2


@lru_cache(maxsize=4)  # the sides of one size, on both grids
@torch.inference_mode(False)  # or what is kept could take no part in gradients later
def half_band(size: int) -> torch.Tensor:
    """(size / 2, size) float32: reads a signal's lower half of frequencies at half its length.

    Its rows are orthonormal, so white noise stays white, of the same variance. Not to be written
    to: it is kept.
    """
    return (_dct(size // 2).T @ _dct(size)[: size // 2]).float()


def _dct(size: int) -> torch.Tensor:
    """The orthonormal DCT-II as a matrix (size, size), float64."""
    frequency = torch.arange(size, dtype=torch.float64)[:, None]
    place = torch.arange(size, dtype=torch.float64)[None] + 0.5
    matrix = torch.cos(math.pi / size * frequency * place) * (2 / size) ** 0.5
    matrix[0] /= 2**0.5
    return matrix


def _along_axes(latent: torch.Tensor, matrix_for: Callable[[int], torch.Tensor]) -> torch.Tensor:
    """Multiply both axes of (B, C, H, W), picture by picture, so that none depends on its batch."""
    rows, columns = (matrix_for(size).to(latent) for size in latent.shape[-2:])
    return torch.stack([rows @ picture @ columns.T for picture in latent])
