"""One stage of a sampling plan. Data, no more."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

from ..latents.checks import check_end_shift, check_ratio, check_shift
from ..latents.flow import even_level, spaced_levels
from ..latents.grid import Grid
from ..latents.views import PAPER, view_named

# Decimals have no exact float, and hosts hand on float32; a whole number of steps missed by less
# than this is met.
_ROUNDING = 1e-5
ORDERS = (1, 2)


@dataclass(frozen=True)
class Stage:
    """One stage of a plan. ValueError if its numbers cannot run.

    grid    HALF, MIXED or FULL, see `latents.grid`.
    sigmas  noise levels, falling, in [0, 1]; one more than steps.
    shift   h along which the levels are spread, in (0, 100]; None where they follow none.
    end_shift  what h falls to over the levels from 1 to 0, above 0 and at most h, see
            `flow.level_at`; None keeps it.
    ratio   on the mixed grid: share of the coarse tokens that are fine, in (0, 1).
    order   of the multistep steps that the plan was made for: 1 is Euler.
    number  1 for a plan's first stage, and so on; a run that begins later keeps them.
    guided  whether guidance that takes a second call of the model is paid for here; models that
            need none are not concerned.
    views   on the mixed grid: how tokens see each other, one of `latents.views.VIEWS_KNOWN`.
    settles  how much of its bend the step to sigma 0 gives up, in [0, 1]: at 1 it is Euler's, and a
            run ends on the clean estimate; what mends the step before it comes on top.
    straight_guidance  whether what guidance adds to the velocity goes on by Euler's rule, and by
            less where it turned far, see `steps.Steps`: strong guidance turns faster than its slope
            tells.
    restrained  whether no step bends further than steps of equal length do, see `steps.Steps`.
    corrected   whether the velocity at each step's end mends the step, see `steps.Steps`; nothing
            mends a stage's last.
    keeps_steps  whether a run that begins later takes all steps over what is left, as ComfyUI's own
             do at denoise below 1; else as many as lie there.
    """

    grid: Grid
    sigmas: tuple[float, ...]
    shift: float | None = None
    ratio: float | None = None
    order: int = 1
    number: int = 1
    views: str = PAPER
    guided: bool = True
    settles: float = 0.0
    straight_guidance: bool = False
    restrained: bool = False
    corrected: bool = False
    end_shift: float | None = None
    keeps_steps: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigmas", tuple(map(float, self.sigmas)))
        falling = all(a > b for a, b in itertools.pairwise(self.sigmas))
        if len(self.sigmas) < 2 or not falling or self.sigmas[0] > 1 or self.sigmas[-1] < 0:
            raise ValueError(
                "A stage's sigmas must fall from at most 1 to at least 0 in one step or more, got "
                f"{tuple(round(s, 4) for s in self.sigmas)}: for example (1.0, 0.85, 0.7)."
            )
        if self.grid.is_mixed:
            check_ratio(self.ratio or 0.0)
        if self.shift is not None:
            check_shift(f"Shift of stage {self.number}", self.shift)
        if self.end_shift is not None:
            check_end_shift(self.shift, self.end_shift)
        if self.order not in ORDERS:
            raise ValueError(f"A stage's order must be 1 or 2, got {self.order}: 1 is Euler.")
        if not 0 <= self.settles <= 1:
            raise ValueError(
                f"How much of its bend a last step gives up must lie between 0 and 1, got "
                f"{self.settles:g}: 1 makes it Euler's."
            )
        if view_named(self.views).corrected and not self.grid.is_mixed:
            raise ValueError(
                f"Only a mixed stage has views, got {self.views!r} on the {self.grid.name} grid: "
                f"leave them at {PAPER!r}."
            )

    @classmethod
    def spaced(
        cls,
        grid: Grid,
        steps: int,
        start: float,
        end: float,
        *,
        shift: float,
        ratio: float | None = None,
        order: int = 1,
        views: str = PAPER,
    ) -> Stage:
        """A stage of so many steps from sigma `start` to `end`, even before the shift."""
        return cls(grid, spaced_levels(shift, start, end, steps), shift, ratio, order, views=views)

    def spread(self, shift: float, end_shift: float | None = None) -> Stage:
        """The same steps between the same ends, along other shifts."""
        sigmas = spaced_levels(shift, self.start, self.end, self.steps, end_shift)
        return replace(self, sigmas=sigmas, shift=shift, end_shift=end_shift)

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def start(self) -> float:
        """Where the stage starts; after a jump that is above the end of the stage before."""
        return self.sigmas[0]

    @property
    def end(self) -> float:
        return self.sigmas[-1]

    def begun_at(self, sigma: float) -> Stage:
        """The rest of the stage from `sigma`, below its start and above its end.

        Its steps are scaled by the part of the stage that is left, measured before the shift,
        where steps are even, and rounded up, if it does not keep them.
        """
        if self.shift is None:
            return replace(self, sigmas=(sigma, *(s for s in self.sigmas if s < sigma)))
        levels = (self.start, sigma, self.end)
        whole, start, stop = (even_level(self.shift, level, self.end_shift) for level in levels)
        share = 1.0 if self.keeps_steps else (start - stop) / (whole - stop)
        return self._scaled(share, sigma, self.end)

    def ended_at(self, sigma: float) -> Stage:
        """The part of the stage down to `sigma`, below its start and above its end; its steps are
        scaled as those of `begun_at`."""
        if self.shift is None:
            return replace(self, sigmas=(*(s for s in self.sigmas if s > sigma), sigma))
        levels = (self.start, sigma, self.end)
        start, stop, end = (even_level(self.shift, level, self.end_shift) for level in levels)
        return self._scaled((start - stop) / (start - end), self.start, sigma)

    def _scaled(self, share: float, start: float, end: float) -> Stage:
        """A part of the stage, its steps in proportion, spread as they were."""
        steps = steps_of_part(self.steps, share)
        assert self.shift is not None  # the callers' case
        return replace(self, sigmas=spaced_levels(self.shift, start, end, steps, self.end_shift))


def steps_of_part(steps: int, share: float) -> int:
    """How many of so many even steps a part of them takes, rounded up; at least one."""
    return max(1, math.ceil(steps * share - _ROUNDING))
