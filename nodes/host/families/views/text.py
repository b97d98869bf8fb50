"""A second copy of the text in one call, for the fine tokens' view."""

from __future__ import annotations

import torch


def repeat_text(mask: torch.Tensor, text: int) -> torch.Tensor:
    """An attention mask for a call that carries its text twice.

    mask  (n, text), or (n, text + N, text + N); ValueError for others.
    text  tokens of one copy, which come first.
    """
    if mask.ndim == 2 and mask.shape[1] == text:
        return torch.cat([mask, mask], dim=1)
    if mask.ndim == 3 and mask.shape[1] == mask.shape[2] > text:
        mask = torch.cat([mask[:, :text], mask], dim=1)
        return torch.cat([mask[..., :text], mask], dim=2)
    raise ValueError(
        f"RALU cannot repeat an attention mask of shape {tuple(mask.shape)} for a second copy of "
        f"{text} text tokens: set the plan's views to 'views, one text', or remove the mask."
    )
