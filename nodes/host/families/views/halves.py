"""Networks that rotate the two halves of a head, by one table for the whole batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from .....ralu_core.latents.packing import Packing
from ..positions.grid_rotations import turn
from .rotary import Apart
from .split import Turn


@dataclass(frozen=True)
class Halves(Apart):
    """Text by an attention of its own; rotations by frame, row and column, as `grid_rotations`."""

    embedder: str = "pos_embedder"

    def turns(
        self, network: Any, packing: Packing, text: int, options: dict
    ) -> tuple[Turn, Turn, Turn]:
        embedder = getattr(network, self.embedder)

        def by(moves: torch.Tensor) -> Turn:
            return lambda keys: _turned(embedder, keys, moves[0].to(keys.device))

        near, far = self.moves(packing)
        return by(near), by(far), lambda keys: keys


def _turned(embedder: Any, keys: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
    """(n, heads, M, d) keys on by (M, 2) rows and columns."""
    halves = keys.float().unflatten(-1, (2, -1))
    rotations = turn(embedder, moves, halves.shape[-1]).to(halves)
    turned = torch.einsum("mpab,nhmbp->nhmap", rotations, halves)
    return turned.flatten(-2).to(keys)
