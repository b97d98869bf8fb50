"""Tell a model where the tokens of a packed call lie, for the length of that call.

Both families get one method of the network replaced on the instance and restored in `finally`:
Flux computes rotary ids in `process_img`, SD3 cuts its learned table in `cropped_pos_embed`.
Nothing is registered on the MODEL, no weight is read raw, and no forward pass is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from ...ralu_core.layout import Layout
from ...ralu_core.tokens import PATCH


@contextmanager
def token_positions(network, layout: Layout, rows: int) -> Iterator[list[bool]]:
    """While open, the network places its first `layout` tokens where the layout says.

    network  the diffusion model that the host is about to call, compiled or not.
    layout   of the packed call, on the call's device.
    rows     rows of the call, a multiple of the layout's batch.
    Yields a list that stays empty if the network never asks: its result would be scrambled.
    """
    network = getattr(network, "_orig_mod", network)
    if hasattr(network, "cropped_pos_embed"):
        name, make = "cropped_pos_embed", _table_positions
    else:
        name, make = "process_img", _rotary_positions
    asked: list[bool] = []
    shadowed = network.__dict__.get(name)
    setattr(network, name, make(network, layout, rows, asked))
    try:
        yield asked
    finally:
        delattr(network, name)
        if shadowed is not None:
            setattr(network, name, shadowed)


def _rotary_positions(network, layout: Layout, rows: int, asked: list[bool]) -> Callable:
    original = network.process_img
    positions = layout.rows(layout.positions, rows)
    count = positions.shape[1]

    def process_img(x, index=0, h_offset=0, w_offset=0, **kwargs):
        if asked:  # a reference image: it follows the picture that it is placed beside
            if index == 0:  # "uxo" counts from the picture's corner, and the call's is 1 x N
                h_offset += (layout.position_grid[0] - 1) * PATCH
                w_offset += (layout.position_grid[1] - count) * PATCH
            return original(x, index=index, h_offset=h_offset, w_offset=w_offset, **kwargs)
        asked.append(True)
        tokens, ids = original(x, index=index, h_offset=h_offset, w_offset=w_offset, **kwargs)
        ids = ids.clone()  # the host expands one picture's ids over the rows
        ids[:, :, 1:3] = positions
        rope = (kwargs.get("transformer_options") or {}).get("rope_options") or {}
        for axis, name in ((1, "y"), (2, "x")) if rope else ():
            ids[:, :, axis] *= rope.get(f"scale_{name}", 1.0)
            ids[:, :, axis] += rope.get(f"shift_{name}", 0.0)
        return tokens, ids

    return process_img


def _table_positions(network, layout: Layout, rows: int, asked: list[bool]) -> Callable:
    original = network.cropped_pos_embed
    positions, grid = layout.positions, layout.position_grid
    # Where the picture fills the table, positions past the last row read that row.
    margin = 1 if max(grid) + 2 <= network.pos_embed_max_size else 0

    def cropped_pos_embed(hw, device=None):
        asked.append(True)
        # Asked for a grid larger by two, the centred crop starts exactly one token earlier.
        h, w = (side + 2 * margin for side in grid)
        table = original((h * PATCH, w * PATCH), device=device)[0]
        # On the device of the call: a model that is loaded in part leaves its table on the CPU.
        device = table.device if device is None else device
        table = table.to(device, torch.float32).reshape(h, w, -1)
        return layout.rows(interpolate_table(table, (positions + margin).to(device)), rows)

    return cropped_pos_embed


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
