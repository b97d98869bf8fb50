"""Words that are to be written in the picture: where they are paid attention to grows first."""

from __future__ import annotations

import torch

from .text_attention import stretched

HALFWAY = 0.5  # from the least to the most attention in a picture


def lettering_first(scores: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
    """Scores among which lettering comes before all else, within the same share of tokens.

    scores     (B, rows, columns), in [0, 1] where a threshold is to select.
    attention  (B, rows, columns) that tokens pay to the words in quotes. Those that pay more than
               halfway from their picture's least to its most are lettering, the ones that pay
               most first; where all pay alike, none is.
    Returns (B, rows, columns): of lettering above 1 and above every score, of others as it was.
    """
    paid = stretched(attention).to(scores.device)
    above = scores.amax((1, 2), keepdim=True).clamp(min=1) + paid
    return torch.where(paid > HALFWAY, above, scores)
