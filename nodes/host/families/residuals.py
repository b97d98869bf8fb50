"""What ControlNets add to a network's tokens."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ....ralu_core.latents.packing import Packing


def each_residual(change: Callable[[torch.Tensor], torch.Tensor], control: dict) -> dict:
    """A ControlNet's residuals, each changed once: one tensor may serve many blocks."""
    changed: dict[int, torch.Tensor] = {}

    def once(residual):
        if residual is None:
            return None
        if id(residual) not in changed:
            changed[id(residual)] = change(residual)
        return changed[id(residual)]

    return {key: [once(residual) for residual in residuals] for key, residuals in control.items()}


def bank_or_tokens(packings: list[Packing], bank: torch.Tensor) -> torch.Tensor:
    """A residual (n, 5hw, D) of a whole batch, as it travels to the network's call.

    Gathered at once where all pictures have equally many tokens; else the bank of both sizes, from
    which each part of the batch takes its own in `own_tokens`.
    """
    h, w = packings[0].layout.grid
    _checked(bank, 5 * h * w)
    return bank if packings[0].is_part else packings[0].take(bank)


def own_tokens(packing: Packing, control: dict) -> dict:
    """The residuals of the packing's tokens, from what `bank_or_tokens` let travel."""
    if packing.is_part:
        return each_residual(packing.take, control)
    return each_residual(lambda residual: _checked(residual, packing.tokens), control)


def _checked(residual: torch.Tensor, tokens: int) -> torch.Tensor:
    if residual.shape[1] != tokens:
        raise ValueError(
            f"RALU needs ControlNet residuals of {tokens} tokens in its mixed stage, got "
            f"{residual.shape[1]}: apply the ControlNet with ComfyUI's own Apply node."
        )
    return residual
