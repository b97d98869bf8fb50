"""What a crossing must say: from which grid to which, to which noise level, and how."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..latents.grid import Grid
from ..latents.layout import Layout
from ..latents.states import Memory, StageEnd, State


@dataclass(frozen=True)
class Place:
    """Where a crossing happens: the grids before and after it, and their tokens.

    layout  of the mixed grid among them; None where neither is mixed.
    patch   latent pixels along one token.
    """

    before: Grid
    after: Grid
    layout: Layout | None
    patch: int


class Crossing(ABC):
    """How a state passes from one stage to the next. A new kind: a file, used by a plan's file.

    end_sigma  where the stage before it ended, in (0, 1).
    remembers  whether the stage after it goes on with the steps of the one before, see `memory`.
    """

    end_sigma: float
    remembers = False

    @property
    @abstractmethod
    def start_sigma(self) -> float:
        """Where the next stage starts."""

    @abstractmethod
    def check(self, before: Grid, after: Grid) -> None:
        """ValueError where it does not lead from the one grid to the other."""

    def noise(
        self, own: torch.Tensor, draw: Callable[[], torch.Tensor], patch: int
    ) -> torch.Tensor:
        """(B, C, H, W) the white noise that `cross` is given.

        own   that the run began with.
        draw  draws new noise of that shape.
        """
        return draw()

    def halve_noise(self, own: torch.Tensor, patch: int) -> torch.Tensor | None:
        """The noise that a run from half size has to begin with for this crossing, of the
        full-size noise (B, C, H, W); None where it may be any."""
        return None

    def memory(self, last: State, place: Place) -> Memory | None:
        """The last step of the stage before, for multistep steps after it."""
        return None

    @abstractmethod
    def cross(self, end: StageEnd, white: torch.Tensor, place: Place) -> torch.Tensor:
        """The state that the next stage starts from.

        white  (B, C, H, W) full-size standard normal noise of this crossing, on x's device.
        """


def refuse(crossing: Crossing, before: Grid, after: Grid, ways: str) -> None:
    """Say that a kind of crossing does not lead there; `ways` tells where it does."""
    raise ValueError(
        f"{type(crossing).__name__} leads {ways}, got {before.name} to {after.name}: use another "
        "crossing between these stages."
    )
