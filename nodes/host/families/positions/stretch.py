"""ScaleROPE's factors: how far apart the places of tokens lie."""

from __future__ import annotations

import torch


def stretched(places: torch.Tensor, options: dict) -> torch.Tensor:
    """(..., 2) rows and columns by the factors in a call's transformer_options, 1 without them."""
    rope = options.get("rope_options") or {}
    rows, columns = rope.get("scale_y", 1.0), rope.get("scale_x", 1.0)
    return torch.stack([places[..., 0] * rows, places[..., 1] * columns], dim=-1)
