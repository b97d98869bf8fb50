"""RALU's crossing: grow, rescale, add matched noise.

x <- a * Up(x) + b * z puts the sample back on the model's own trajectory at `start_sigma`: signal
1 - start_sigma, white noise of standard deviation start_sigma on every token (RALU eq. 4-6).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..growth import DEFAULT_GROWTH, growth_named
from ..latents.flow import Jump
from ..latents.grid import FULL, HALF, MIXED, Grid
from ..latents.noise import kept_noise
from ..latents.states import StageEnd
from ..latents.tokens import pick
from .crossing import Crossing, Place, refuse

PAIRS = {(HALF, MIXED), (MIXED, FULL), (HALF, FULL)}


@dataclass(frozen=True)
class Matched(Crossing):
    """One change of resolution. ValueError for a growth or a law that does not exist.

    end_sigma  where the stage before it ended, in (0, 1).
    z          noise jump, at least 2; c = 1 / z^2.
    growth     one of `growth.GROWTHS`, by name.
    kept       law of the noise on tokens that do not grow, one of `noise.KEPT_NOISE`.
    """

    end_sigma: float
    z: float
    growth: str = DEFAULT_GROWTH
    kept: str = "exact"

    def __post_init__(self) -> None:
        growth_named(self.growth)
        kept_noise(self.kept)

    @property
    def jump(self) -> Jump:
        return Jump(self.z, self.end_sigma)

    @property
    def start_sigma(self) -> float:
        return self.jump.start_sigma

    def check(self, before: Grid, after: Grid) -> None:
        if (before, after) not in PAIRS:
            refuse(self, before, after, "from half or mixed to a larger grid")

    def cross(self, end: StageEnd, white: torch.Tensor, place: Place) -> torch.Tensor:
        layout = place.layout
        if place.before is HALF:
            return place.after.join(
                lambda: self._grown(end.x, white, place.patch),
                lambda: self._kept(end.x, pick(white)),
                layout,
            )
        assert layout is not None  # before a full grid, only the half one has none
        fine = layout.fine_pixels
        return torch.where(
            fine, self._kept(end.x, white), self._grown(pick(end.x), white, place.patch)
        )

    def _kept(self, state: torch.Tensor, white: torch.Tensor) -> torch.Tensor:
        noise = kept_noise(self.kept)(white, self.jump.c)
        return (self.jump.signal * state).add_(noise, alpha=self.start_sigma)

    def _grown(self, coarse: torch.Tensor, white: torch.Tensor, patch: int) -> torch.Tensor:
        growth = growth_named(self.growth)
        grown = growth.grow(self.jump.signal * coarse, patch)
        return growth.join_noise(grown, white, self.jump, patch)
