"""Networks that make one table of rotations from a picture's size, for the whole batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .....ralu_core.latents.packing import Packing
from .shadow import shadowed


@contextmanager
def grid_rotations(embedder, packing: Packing) -> Iterator[list[int]]:
    """While open, the table has a rotation for each of the packing's tokens; of one picture.

    The host's table has whole positions. Those between are rotated on by half a step, so that the
    limits, which have none, keep the host's numbers.
    """
    original = embedder.forward
    positions, (h, w) = packing.positions[0], packing.layout.position_grid
    asked: list[int] = []

    def forward(x: torch.Tensor, *args, **kwargs):
        asked.append(packing.tokens)
        table = original(x.new_empty(1, 1, h, w, 1), *args, **kwargs)
        low = positions.floor()
        whole = low.long()
        rotations = table[whole[:, 0] * w + whole[:, 1]]
        parts = positions - low
        turned = rotations @ turn(embedder, parts, table.shape[1]).to(rotations)
        is_between = (parts > 0).any(1)[:, None, None, None]
        return torch.where(is_between, turned, rotations)

    with shadowed(embedder, "forward", forward):
        yield asked


def turn(embedder, parts: torch.Tensor, pairs: int) -> torch.Tensor:
    """(N, pairs, 2, 2) rotations by parts (N, 2) of a step down and right; time comes first."""
    span = embedder.dim_spatial_range.to(parts)
    down, right = (
        part[:, None] / (10000.0 * factor) ** span
        for part, factor in zip(
            parts.unbind(1), (embedder.h_ntk_factor, embedder.w_ntk_factor), strict=True
        )
    )
    still = parts.new_zeros(len(parts), pairs - 2 * len(span))
    angles = torch.cat([still, down, right], dim=1)
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([cos, -sin, sin, cos], dim=-1).unflatten(-1, (2, 2))
