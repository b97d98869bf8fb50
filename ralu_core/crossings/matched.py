"""RALU's crossing: grow, rescale, add matched noise.

x <- a * Up(x) + b * z puts the sample back on the model's own trajectory at `start_sigma`: signal
1 - start_sigma, white noise of standard deviation start_sigma on every token (RALU eq. 4-6). Exact
for growth by copies; by `dct` from half to full alone, see `growth.spectral`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from ..growth import DEFAULT_GROWTH, GROWTHS, Growth, Projected, growth_named
from ..latents.checks import MIN_Z, check_level, check_z
from ..latents.flow import Jump, stage_start
from ..latents.grid import FULL, HALF, MIXED, Grid
from ..latents.noise import kept_noise
from ..latents.states import Memory, StageEnd, State
from ..latents.tokens import pick
from .crossing import Crossing, Place, refuse

PAIRS = {(HALF, MIXED), (MIXED, FULL), (HALF, FULL)}


@dataclass(frozen=True)
class Matched(Crossing):
    """One change of resolution. ValueError for a growth or a law that does not exist, and for a
    level or a z out of range.

    end_sigma  where the stage before it ended, in (0, 1).
    z          noise jump, at least 2; c = 1 / z^2.
    growth     one of `growth.GROWTHS`, by name, or one that was fitted.
    kept       law of the noise on tokens that do not grow, one of `noise.KEPT_NOISE`.
    own        whether half size began with what it can hold of the run's own full-size noise, and
               the rest of that same noise joins here, so that the sample stays on the trajectory
               of its seed; from half to full only, with a growth that a mean undoes. Where z is
               above 2, what is noised again is new noise.
    """

    end_sigma: float
    z: float
    growth: str | Growth = DEFAULT_GROWTH
    kept: str = "exact"
    own: bool = False

    def __post_init__(self) -> None:
        growth = growth_named(self.growth)
        kept_noise(self.kept)
        check_level("A crossing's end sigma", self.end_sigma)
        check_z(self.z)
        if self.own and not isinstance(growth, Projected):
            fitting = ", ".join(name for name, one in GROWTHS.items() if isinstance(one, Projected))
            raise ValueError(
                f"A crossing on the run's own noise grows by one of {fitting}, got "
                f"{self.growth!r}: others have no noise that half size could have begun with."
            )

    def growing_by(self, growth: str | Growth) -> Matched:
        """The same by another growth, but on the run's own noise for one that half size would have
        begun otherwise for."""
        other = growth_named(growth)
        begins_as = other.begins_as if isinstance(other, Projected) else None
        if self.own and begins_as != self._projected.begins_as:
            return self
        return replace(self, growth=growth)

    @property
    def remembers(self) -> bool:
        return self.own and self.z == MIN_Z

    @property
    def jump(self) -> Jump:
        return Jump(self.z, self.end_sigma)

    @property
    def start_sigma(self) -> float:
        return self.jump.start_sigma

    def check(self, before: Grid, after: Grid) -> None:
        if self.own and (before, after) != (HALF, FULL):
            refuse(self, before, after, "on the run's own noise from half to full")
        if (before, after) not in PAIRS:
            refuse(self, before, after, "from half or mixed to a larger grid")

    def noise(
        self, own: torch.Tensor, draw: Callable[[], torch.Tensor], patch: int
    ) -> torch.Tensor:
        if not self.own:
            return draw()
        if self.z == MIN_Z:  # then the held part of the noise has no weight
            return own
        new = draw()
        held = self._projected.mean_of_siblings
        return own + held(new, patch) - held(own, patch)

    def halve_noise(self, own: torch.Tensor, patch: int) -> torch.Tensor | None:
        return self._projected.halve_noise(own, patch) if self.own else None

    def memory(self, last: State, place: Place) -> Memory | None:
        if not self.remembers:
            return None
        sigma, growth = last.sigma, self._projected
        noise = (last.x - (1 - sigma) * last.denoised) / sigma
        # Of white noise, half size holds twice what the growth of its values says.
        velocity = growth.grow(noise / 2 - last.denoised, place.patch)
        more = growth.refinement(last.denoised, place.patch)
        if more is not None:  # of which half size held a part
            velocity -= growth.mean_of_siblings(more, place.patch)
        return Memory(
            stage_start(MIN_Z, sigma),
            velocity,
            lambda fine: growth.mean_of_siblings(fine, place.patch),
        )

    @property
    def _projected(self) -> Projected:
        growth = growth_named(self.growth)
        assert isinstance(growth, Projected)  # see __post_init__
        return growth

    def cross(self, end: StageEnd, white: torch.Tensor, place: Place) -> torch.Tensor:
        layout = place.layout
        if place.before is HALF:
            return place.after.join(
                lambda: self._grown(end.x, end.denoised, white, place.patch),
                lambda: self._kept(end.x, pick(white)),
                layout,
            )
        assert layout is not None  # before a full grid, only the half one has none
        fine = layout.fine_pixels
        coarse = pick(end.x), pick(end.denoised)
        return torch.where(fine, self._kept(end.x, white), self._grown(*coarse, white, place.patch))

    def _kept(self, state: torch.Tensor, white: torch.Tensor) -> torch.Tensor:
        noise = kept_noise(self.kept)(white, self.jump.c)
        return (self.jump.signal * state).add_(noise, alpha=self.start_sigma)

    def _grown(
        self, coarse: torch.Tensor, clean: torch.Tensor, white: torch.Tensor, patch: int
    ) -> torch.Tensor:
        growth = growth_named(self.growth)
        grown = growth.grow(self.jump.signal * coarse, patch)
        state = growth.join_noise(grown, white, self.jump, patch)
        more = growth.refinement(clean, patch)
        return state if more is None else state.add_(more, alpha=1 - self.start_sigma)
