"""The stage schedule: which noise levels each of the three stages visits, on how many tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .flow import (
    STAGES,
    check_end_sigmas,
    check_shift,
    check_shifts,
    check_steps,
    check_z,
    shift_sigma,
    stage_start,
)

# Decimal ratios and shares have no exact float; a whole number missed by less than this is met.
_ROUNDING = 1e-9


def selected_count(ratio: float, coarse_count: int) -> int:
    """How many of coarse_count coarse tokens become fine in stage 2: floor(ratio * coarse_count).

    100 * 0.29 is 28.999999999999996 in floats; this gives the 29 that was asked for, where the
    released code gives 28.
    """
    return math.floor(ratio * coarse_count + _ROUNDING)


@dataclass(frozen=True)
class StageSchedule:
    """Everything that fixes the noise levels of a three-stage run. ValueError if it cannot run.

    steps        model calls per stage, 1 to 1000 each.
    end_sigmas   where each stage ends: below 1, falling, the last exactly 0.
    shifts       h of each stage, in (0, 100].
    z            noise jump between grids, >= 2; the paper's 1/sqrt(c).
    ratio        share of the coarse tokens that become fine in stage 2, in (0, 1).
    model_shift  h of the model the schedule is meant for, in (0, 100].
    Stages are numbered 0, 1, 2 here; text for users says 1 to 3.
    """

    steps: tuple[int, int, int]
    end_sigmas: tuple[float, float, float]
    shifts: tuple[float, float, float]
    z: float
    ratio: float
    model_shift: float

    def __post_init__(self) -> None:
        if not 0 < self.ratio < 1:
            raise ValueError(
                f"Ratio must lie between 0 and 1, both excluded, got {self.ratio}; "
                "the paper uses 0.1 to 0.3."
            )
        checked = {
            "steps": check_steps(self.steps),
            "end_sigmas": check_end_sigmas(self.end_sigmas),
            "shifts": check_shifts(self.shifts),
            "z": check_z(self.z),
            "ratio": float(self.ratio),
            "model_shift": check_shift("Model shift", self.model_shift),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def start_sigmas(self) -> tuple[float, float, float]:
        """Where each stage starts; after a jump that is above the end of the stage before."""
        first, second, _ = self.end_sigmas
        return 1.0, stage_start(self.z, first), stage_start(self.z, second)

    @property
    def c(self) -> float:
        """The paper's c = 1 / z**2, the correlation of sibling noise; 0 < c <= 1/4."""
        return self.z**-2

    @property
    def total_steps(self) -> int:
        """Model calls of a whole run."""
        return sum(self.steps)

    def sigmas(self, stage: int) -> list[float]:
        """The steps + 1 falling noise levels of a stage, both ends exact."""
        start, end = self.start_sigmas[stage], self.end_sigmas[stage]
        return _shifted_levels(self.shifts[stage], start, end, self.steps[stage])

    def truncated(self, start_sigma: float) -> list[tuple[int, list[float]]]:
        """The run that begins at start_sigma in (0, 1], as (stage, noise levels) pairs.

        For denoise below 1: no stage may start above start_sigma, or its jump would paint over
        more of the picture than was asked for. The first stage is the earliest, so the cheapest,
        for which that holds; it begins exactly at start_sigma. Its steps are scaled by the part
        of the stage that is left, measured before the shift, where steps are even, and rounded
        up. Later stages run whole.
        """
        if not 0 < start_sigma <= 1:
            raise ValueError(
                f"Start sigma must be above 0 and at most 1, got {start_sigma}; "
                "1 runs the whole schedule."
            )
        starts = (*self.start_sigmas[1:], 0.0)
        first = next(k for k, later in enumerate(starts) if later <= start_sigma)
        head = self._tail_of_stage(first, start_sigma)
        return [(first, head)] + [(k, self.sigmas(k)) for k in range(first + 1, STAGES)]

    def _tail_of_stage(self, stage: int, start_sigma: float) -> list[float]:
        shift, end = self.shifts[stage], self.end_sigmas[stage]
        levels = (self.start_sigmas[stage], start_sigma, end)
        whole, start, stop = (shift_sigma(1 / shift, sigma) for sigma in levels)
        share = (start - stop) / (whole - stop)
        steps = max(1, math.ceil(self.steps[stage] * share - _ROUNDING))
        return _shifted_levels(shift, start_sigma, end, steps)

    def tokens(self, height_tokens: int, width_tokens: int) -> tuple[int, int, int]:
        """Tokens per model call in each stage, for a picture of that many fine tokens.

        height_tokens, width_tokens  size of the full grid, even; 64 each at 1024 x 1024 pixels.
        """
        if min(height_tokens, width_tokens) < 2 or height_tokens % 2 or width_tokens % 2:
            raise ValueError(
                "The full grid must have an even, positive number of tokens each way, "
                f"got {height_tokens} x {width_tokens}; use a size divisible by 32 pixels."
            )
        coarse = height_tokens * width_tokens // 4
        return coarse, coarse + 3 * selected_count(self.ratio, coarse), 4 * coarse


def _shifted_levels(shift: float, start: float, end: float, steps: int) -> list[float]:
    """steps + 1 noise levels from start to end, even before the shift (paper, NT-Matching)."""
    first, last = shift_sigma(1 / shift, start), shift_sigma(1 / shift, end)
    inner = (first + (last - first) * i / steps for i in range(1, steps))
    return [start, *(shift_sigma(shift, sigma) for sigma in inner), end]
