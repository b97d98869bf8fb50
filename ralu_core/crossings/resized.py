"""Crossings that know nothing of matched noise: what other methods, and naive ones, do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..latents.checks import check_level
from ..latents.flow import shift_sigma
from ..latents.grid import FULL, HALF, Grid
from ..latents.states import StageEnd
from ..latents.tokens import spread
from .crossing import Crossing, Place, refuse


@dataclass(frozen=True)
class Renoised(Crossing):
    """Resize the clean estimate and add new noise, as a second pass over a resized latent does.
    ValueError for a level or a jump out of range.

    end_sigma  where the stage before it ended, in (0, 1).
    jump       the next stage starts at a level this many times higher in sigma / (1 - sigma), at
               least 1.
    The estimate grows by bicubic interpolation, and shrinks by the mean over 2x2 latent pixels.
    """

    end_sigma: float
    jump: float = 1.0

    def __post_init__(self) -> None:
        check_level("A crossing's end sigma", self.end_sigma)
        if not 1 <= self.jump < float("inf"):
            raise ValueError(
                f"A jump must be a finite number of at least 1, got {self.jump}: 1 goes on at the "
                "same noise level."
            )

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
    """Repeat every latent pixel of the noisy state, and go on at the same noise level. ValueError
    for a level out of range."""

    end_sigma: float

    def __post_init__(self) -> None:
        check_level("A crossing's end sigma", self.end_sigma)

    @property
    def start_sigma(self) -> float:
        return self.end_sigma

    def check(self, before: Grid, after: Grid) -> None:
        if (before, after) != (HALF, FULL):
            refuse(self, before, after, "from half to full")

    def noise(
        self, own: torch.Tensor, draw: Callable[[], torch.Tensor], patch: int
    ) -> torch.Tensor:
        return own

    def cross(self, end: StageEnd, white: torch.Tensor, place: Place) -> torch.Tensor:
        return spread(end.x)
