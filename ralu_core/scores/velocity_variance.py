"""Just-in-Time's score (arXiv 2603.10744): where neighbours move apart. No decode."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .score import Evidence, Need, Score, of_tokens

WINDOW = 3  # latent pixels


class VelocityVariance(Score):
    """Variance of the last velocity over 3x3 latent pixels, mean over channels."""

    name = "velocity_variance"
    needs = Need.HISTORY
    least_steps = 1
    words = "velocity_variance: no decode, no VAE; where neighbours move apart, as in Just-in-Time"

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        last = evidence.history[-1]
        velocity = (last.x.float() - last.denoised.float()) / last.sigma
        around = F.pad(velocity, [WINDOW // 2] * 4, mode="replicate")
        mean = F.avg_pool2d(around, WINDOW, stride=1)
        spread = F.avg_pool2d(around.square(), WINDOW, stride=1) - mean.square()
        return of_tokens(spread.clamp(min=0).mean(1), evidence.grid)
