"""The crossing of a plan that goes on at the same size, where something else changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..latents.checks import check_level
from ..latents.grid import FULL, Grid
from ..latents.states import Memory, StageEnd, State
from .crossing import Crossing, Place, refuse


@dataclass(frozen=True)
class Onward(Crossing):
    """Nothing happens to the state: multistep steps go on with the slope of the step before, which
    nothing mends, as what guidance added to it may be gone. ValueError for a level out of range.

    end_sigma  where the stage before it ended, in (0, 1), and where the next one starts.
    """

    end_sigma: float
    remembers = True

    def __post_init__(self) -> None:
        check_level("A crossing's end sigma", self.end_sigma)

    @property
    def start_sigma(self) -> float:
        return self.end_sigma

    def check(self, before: Grid, after: Grid) -> None:
        if (before, after) != (FULL, FULL):
            refuse(self, before, after, "from full to full")

    def noise(
        self, own: torch.Tensor, draw: Callable[[], torch.Tensor], patch: int
    ) -> torch.Tensor:
        return own

    def memory(self, last: State, place: Place) -> Memory | None:
        return Memory(last.sigma, (last.x - last.denoised) / last.sigma, lambda held: held)

    def cross(self, end: StageEnd, white: torch.Tensor, place: Place) -> torch.Tensor:
        return end.x
