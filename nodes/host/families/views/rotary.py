"""Networks that rotate queries and keys by their places: attention is split by size."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from comfy.ldm.flux.math import apply_rope1

from .....ralu_core.latents.packing import Packing
from .....ralu_core.latents.views import ONE_TEXT, View
from ..positions import stretched
from .rule import Rule
from .split import OVERRIDE, Joint, SplitAttention, Turn

PLACE, ALL = slice(1, 3), slice(None)  # of the ids: row and column, and every one


class Rotations:
    """Turns keys that are rotated already on by more: rotations compose.

    moves  (B, M, 2) rows and columns to move by.
    axes   which of the ids move; the others stand still.
    """

    def __init__(
        self,
        embedder: Any,
        packing: Packing,
        moves: torch.Tensor,
        axes: slice = PLACE,
    ):
        self.embedder, self.packing, self.moves, self.axes = embedder, packing, moves, axes
        self._known: dict[tuple, torch.Tensor] = {}  # the same for all blocks of a call

    def __call__(self, keys: torch.Tensor) -> torch.Tensor:
        """(n, heads, M, d) -> the same, rotated on."""
        rows, device = keys.shape[0], keys.device
        if (rows, device) not in self._known:
            moves = self.packing.rows(self.moves, rows).to(device)
            ids = moves.new_zeros(*moves.shape[:2], len(self.embedder.axes_dim))
            ids[..., self.axes] = moves
            # Not by the instance, whose method is replaced for the ids of the call's own tokens.
            self._known[rows, device] = type(self.embedder).forward(self.embedder, ids)
        return apply_rope1(keys, self._known[rows, device])


@dataclass(frozen=True)
class Rotary(Rule):
    """Text and picture in one attention, text first, rotated by the ids of an `EmbedND`.

    embedder    the network's member that turns ids (B, L, axes) into rotations.
    texts       2 where a second copy of the text can travel in a call; else `why_one`.
    origin      the side of a grid in tokens -> which of them the family counts from.
    text_start  the grid of a picture -> the place of its text's first token, on all axes.
    """

    embedder: str = "pe_embedder"
    texts: int = 2
    why_one: str = ""
    origin: Callable[[int], int] = lambda side: 0
    text_start: Callable[[tuple[int, int]], int] = lambda grid: 0

    def check(self, view: View, options: dict, name: str) -> None:
        if not view.corrected:
            return
        if 0 < self.texts < view.texts:
            raise ValueError(
                f"RALU's mixed stage cannot carry the text of {name} twice, as {self.why_one}: set "
                f"the plan's views to {ONE_TEXT!r}."
            )
        if self.texts and options.get("patches", {}).get("post_input"):
            raise ValueError(
                "RALU splits the attention of its mixed stage by the size of tokens, and a model "
                "patch adds tokens of its own beside the text: remove the patch, or set the plan's "
                "views to 'paper'."
            )

    def attention(
        self, network: Any, packing: Packing, asked: list[int], text: int, options: dict
    ) -> SplitAttention | None:
        layout = packing.layout
        if not layout.is_split:
            return None
        self.check_call(text, packing)
        turns = self.turns(network, packing, text, options)
        near, before = layout.view.near, options.get(OVERRIDE)
        joint = functools.partial(self.joint, network, packing, asked, text)
        return SplitAttention(joint, turns, near, before)

    def check_call(self, text: int, packing: Packing) -> None:
        """ValueError for a call whose attentions nothing tells apart."""

    def joint(
        self, network: Any, packing: Packing, asked: list[int], text: int, queries: int, keys: int
    ) -> Joint | None:
        """How the tokens of an attention call lie; None where it is of other tokens."""
        copies = self.copies(packing.layout)
        if queries == keys == copies * text + sum(asked):
            return self._joint(packing, text, copies)
        return None

    def _joint(self, packing: Packing, text: int, copies: int) -> Joint:
        kept = packing.layout.kept
        return Joint(text, copies, kept, packing.tokens - kept)

    def turns(
        self, network: Any, packing: Packing, text: int, options: dict
    ) -> tuple[Turn, Turn, Turn]:
        """Of keys: coarse ones to the fine view, fine ones to the coarse view, text to the fine."""
        embedder, layout = getattr(network, self.embedder), packing.layout
        near, far = self.moves(packing)
        start = self.text_start(layout.position_grid) - self.text_start(layout.grid)
        still = near.new_full((layout.batch, text, 1), float(start))
        return (
            Rotations(embedder, packing, stretched(near, options)),
            Rotations(embedder, packing, stretched(far, options)),
            Rotations(embedder, packing, still, ALL) if start else lambda keys: keys,
        )

    def moves(self, packing: Packing) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, kept, 2) of coarse tokens to the fine view, (B, grown, 2) of fine ones back."""
        layout, kept, places = packing.layout, packing.layout.kept, packing.positions
        sides = zip(layout.grid, layout.position_grid, strict=True)
        rows, columns = (self.origin(coarse) - self.origin(fine) for coarse, fine in sides)
        near = packing.fine_positions[:, :kept] - places[:, :kept]
        far = packing.coarse_positions[:, kept:] - places[:, kept:]
        return _further(near, rows, columns), _further(far, -rows, -columns)


@dataclass(frozen=True)
class Apart(Rotary):
    """Text by an attention of its own, picture tokens among themselves."""

    texts: int = 0

    def check_call(self, text: int, packing: Packing) -> None:
        if text == packing.tokens:
            raise ValueError(
                f"RALU tells attention over the picture by its {packing.tokens} tokens, and the "
                "text has as many: change the schedule's ratio a little, or set the plan's views "
                "to 'paper'."
            )

    def joint(self, network, packing, asked, text, queries, keys) -> Joint | None:
        if queries == keys == packing.tokens:
            return self._joint(packing, 0, 1)
        return None


def _further(moves: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """By numbers: a tensor of them the host would have to copy to the device."""
    return torch.stack([moves[..., 0] + rows, moves[..., 1] + columns], dim=-1)
