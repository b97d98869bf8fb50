"""Random regions, from the seed and for each picture: what other scores have to beat."""

from __future__ import annotations

import torch

from .score import Evidence, Need, Score


class RandomOrder(Score):
    """An order of coarse tokens that depends on the seed and on the picture's number alone."""

    name = "random"
    needs = Need.NOISE
    words = "random: anywhere, from the seed"

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        drawn = evidence.noise.to(evidence.denoised.device, torch.float32)
        return torch.special.ndtr(drawn)
