"""Networks that cut their positions out of a learned table, in `cropped_pos_embed`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .....ralu_core.latents.packing import Packing
from .shadow import shadowed


@contextmanager
def learned_table(network, packing: Packing, rows: int) -> Iterator[list[int]]:
    """While open, the table is read at the packing's positions, between its entries as well.

    rows  of the call, a multiple of the packing's batch.
    """
    original = network.cropped_pos_embed
    layout = packing.layout
    positions = packing.fine_positions if layout.is_split else packing.positions
    grid, patch = layout.position_grid, layout.patch
    # Where the picture fills the table, positions past the last row read that row.
    margin = 1 if max(grid) + 2 <= network.pos_embed_max_size else 0
    asked: list[int] = []

    def cropped_pos_embed(hw, device=None):
        asked.append(packing.tokens)
        # Asked for a grid larger by two, the centred crop starts exactly one token earlier.
        h, w = (side + 2 * margin for side in grid)
        table = original((h * patch, w * patch), device=device)[0]
        # On the device of the call: a model that is loaded in part leaves its table on the CPU.
        device = table.device if device is None else device
        table = table.to(device, torch.float32).reshape(h, w, -1)
        return packing.rows(interpolate_table(table, positions.to(device) + margin), rows)

    with shadowed(network, "cropped_pos_embed", cropped_pos_embed):
        yield asked


def interpolate_table(table: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Bilinear reading of an (h, w, D) table at (n, N, 2) rows and columns: (n, N, D)."""
    h, w, _ = table.shape
    low = positions.floor().long()
    part = (positions - low).unbind(-1)
    y, x = low[..., 0], low[..., 1]
    y2, x2 = (y + 1).clamp(max=h - 1), (x + 1).clamp(max=w - 1)
    top = torch.lerp(table[y, x], table[y, x2], part[1][..., None])
    bottom = torch.lerp(table[y2, x], table[y2, x2], part[1][..., None])
    return torch.lerp(top, bottom, part[0][..., None])
