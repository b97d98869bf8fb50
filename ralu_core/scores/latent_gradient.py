"""The paper's ablation "latent gradient": no decode."""

from __future__ import annotations

import torch

from .score import Evidence, Need, Score, needed_library, of_tokens


class LatentGradient(Score):
    """Mean gradient magnitude of the clean estimate under each coarse token."""

    name = "latent_gradient"
    needs = Need.LATENT
    words = "latent_gradient: no decode, no VAE; about as good as canny in our tests"

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        return latent_scores(evidence.denoised, evidence.grid)

    def check(self) -> None:
        needed_library("kornia")


def latent_scores(latent: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """(B, C, h, w) half-size clean latent -> (B, rows, columns) float32; each picture's largest
    score is 1.

    grid  rows and columns of coarse tokens; they divide h and w.
    """
    from kornia.filters import spatial_gradient

    dx, dy = spatial_gradient(latent.float()).unbind(2)
    return of_tokens(torch.hypot(dx, dy).mean(1), grid)  # one map; norm(dim=2) makes C
