"""How much of their attention tokens pay to the text: AViTS's second score. No decode."""

from __future__ import annotations

import torch

from .score import Evidence, Need, Score


class TextAttention(Score):
    """The share of a token's attention that goes to the prompt, in the last step of the stage."""

    name = "text_attention"
    needs = Need.ATTENTION
    least_steps = 1
    words = "text_attention: no decode, no VAE; what attends most to the prompt"

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        return stretched(evidence.to_text)


def stretched(scores: torch.Tensor) -> torch.Tensor:
    """(B, rows, columns) -> float32 from 0 for each picture's least to 1 for its largest; 0 where
    all are alike."""
    scores = scores.float()
    least, most = scores.amin((1, 2), keepdim=True), scores.amax((1, 2), keepdim=True)
    return (scores - least) / (most - least).clamp(min=torch.finfo(torch.float32).tiny)
