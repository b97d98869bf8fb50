"""The opposite of step variance: what has settled grows first (Fresco, arXiv 2601.07462)."""

from __future__ import annotations

import torch

from .score import Evidence, Need, Score
from .step_variance import step_variance


class Settled(Score):
    """One less the variance of the clean estimate over the stage's last steps."""

    name = "settled"
    needs = Need.HISTORY
    least_steps = 2
    words = "settled: where the last steps of stage 1 no longer changed"

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        return 1 - step_variance(evidence)
