"""Crossings that know nothing of matched noise: what other methods, and naive ones, do."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..latents.flow import shift_sigma
from ..latents.grid import FULL, HALF, Grid
from ..latents.states import StageEnd
from ..latents.tokens import spread
from .crossing import Crossing, Place, refuse


@dataclass(frozen=True)
class Renoised(Crossing):
    """Resize the clean estimate and add new noise, as a second pass over a resized latent does.

    end_sigma  where the stage before it ended, in (0, 1).
    jump       the next stage starts at a level this many times higher in sigma / (1 - sigma).
    The estimate grows by bicubic interpolation, and shrinks by the mean over 2x2 latent pixels.
    """

    end_sigma: float
    jump: float = 1.0

    @property
    def start_sigma(self) -> float:
        return shift_sigma(self.jump, self.end_sigma)

    def check(self, before: Grid, after: Grid) -> None:
        if {before, after} != {HALF, FULL}:
            refuse(self, before, after, "between half and full")

    def cross(self, end: StageEnd, white: torch.Tensor, place: Place) -> torch.Tensor:
        clean = place.after.join(
            lambda: F.interpolate(end.denoised, scale_factor=2, mode="bicubic"),
            lambda: F.avg_pool2d(end.denoised, 2),
            None,
        )
        noise = place.after.noise(white, None)
        return self.start_sigma * noise + (1 - self.start_sigma) * clean


@dataclass(frozen=True)
class Repeated(Crossing):
    """Repeat every latent pixel of the noisy state, and go on at the same noise level."""

    end_sigma: float

    @property
    def start_sigma(self) -> float:
        return self.end_sigma

    def check(self, before: Grid, after: Grid) -> None:
        if (before, after) != (HALF, FULL):
            refuse(self, before, after, "from half to full")

    def cross(self, end: StageEnd, white: torch.Tensor, place: Place) -> torch.Tensor:
        return spread(end.x)
