"""AViTS's score: what attends to the text, and what the last steps still changed. No decode."""

from __future__ import annotations

import torch

from .score import Evidence, Need, Score
from .step_variance import step_variance
from .text_attention import stretched


class AViTS(Score):
    """The mean of text attention and step variance, each stretched over [0, 1]."""

    name = "avits"
    needs = Need.HISTORY | Need.ATTENTION
    least_steps = 2
    words = "avits: half text_attention, half step_variance, as in AViTS"

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        return (stretched(evidence.to_text) + stretched(step_variance(evidence))) / 2
