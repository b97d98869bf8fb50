"""What a stage leaves behind for the crossing and the choice of regions that follow it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class State:
    """One step of a stage: x at noise level sigma, and the model's clean estimate there."""

    sigma: float
    x: torch.Tensor
    denoised: torch.Tensor


@dataclass(frozen=True, eq=False)
class Guided:
    """A model's clean estimate, and the one without guidance beside it, (B, C, H, W) both."""

    denoised: torch.Tensor
    unguided: torch.Tensor


@dataclass(frozen=True, eq=False)
class StageEnd:
    """How a stage ended; what follows is computed where x lies.

    x         the state at the stage's last sigma.
    denoised  the model's last clean estimate.
    history   its steps in order, kept only where the run was told that somebody reads them.
    last      where its last step began, for a crossing that carries its slope over; its estimate is
              the one without guidance where that goes on straight. None where unknown.
    """

    x: torch.Tensor
    denoised: torch.Tensor
    history: tuple[State, ...] = ()
    last: State | None = None


@dataclass(frozen=True, eq=False)
class Memory:
    """The last step before a crossing, as the stage after it remembers it.

    sigma     the noise level at which it lies for the new grid.
    velocity  (B, C, H, W) of it on the new grid, what the old one could hold.
    held      (B, C, H, W) -> the part that the old grid could hold, same shape.
    """

    sigma: float
    velocity: torch.Tensor
    held: Callable[[torch.Tensor], torch.Tensor]

    def slope(self, velocity: torch.Tensor) -> torch.Tensor:
        """The velocity at `sigma`, given that of the first step after: where the old grid held
        nothing, the same."""
        return velocity + self.velocity - self.held(velocity)
