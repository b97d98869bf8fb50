"""Regions evenly spaced, whatever the picture: what other scores have to beat."""

from __future__ import annotations

import torch

from .score import Evidence, Need, Score

# Powers of 1 / 1.32472 (the root of x^3 = x + 1): steps of the plane's evenest sequence (Roberts).
DOWN, RIGHT = 0.7548776662466927, 0.5698402909980532


class Even(Score):
    """A lattice of coarse tokens that stays even at every ratio."""

    name = "even"
    needs = Need.LATENT
    words = "even: evenly spaced, whatever the picture"

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        rows, columns = (torch.arange(side, dtype=torch.float64) for side in evidence.grid)
        phase = (rows[:, None] * DOWN + columns * RIGHT) % 1
        scores = (1 - phase).float().to(evidence.denoised.device)
        return scores.expand(len(evidence.denoised), -1, -1).clone()
