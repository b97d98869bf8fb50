"""The scalar maths of a straight flow cut into stages, and the rules its numbers obey.

A state is x = sigma * noise + (1 - sigma) * clean, sigma in [0, 1], 1 = pure noise.
The RALU paper (arXiv 2507.08422) counts in time t = 1 - sigma.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import torch

Level = TypeVar("Level", float, "np.ndarray", "torch.Tensor")

STAGES = 3
MAX_STEPS = 1000
MAX_SHIFT = 100.0
MIN_Z = 2.0
MIN_GAP = 0.001  # between the ends of two stages: one time of the NT-Matching grid

# The host computes its noise levels in float32; one shift map fits them to about 1e-6.
_FIT_TOLERANCE = 1e-4


def shift_sigma(shift: float | Level, sigma: Level) -> Level:
    """Move a noise level along the shift map: shift*s / (1 + (shift-1)*s).

    shift  > 0, the paper's h; not ComfyUI's `ModelSamplingFlux.shift`, which is log(h).
    sigma  float, array or tensor of any shape, in [0, 1].
    Returns the same shape, in [0, 1]. `shift_sigma(1 / shift, .)` undoes it.
    """
    return shift * sigma / (1 + (shift - 1) * sigma)


def stage_start(z: float, end_sigma: float) -> float:
    """Noise level where the next stage starts, after one that ended at end_sigma.

    z          >= 2, noise jump between the grids, the paper's 1/sqrt(c).
    end_sigma  in (0, 1), where the stage ended.
    With e = 1 - end_sigma and d = z * (1 - e) this is the paper's b = d / (d + e) = 1 - s_{k+1}:
    both the new sigma and the factor on the noise that the jump adds.
    """
    return shift_sigma(z, end_sigma)


def signal_scale(z: float, end_sigma: float) -> float:
    """Factor on the upsampled state at the jump to the next stage.

    The paper's a = 1 / (d + e), e and d as in `stage_start`. The jump is
    x <- signal_scale * upsampled x + stage_start * correlated noise.
    """
    return 1 / (1 + (z - 1) * end_sigma)


def fit_shift(sigma_at_half: float, sigma_at_quarter: float) -> float:
    """Shift h of a model, from its noise levels at 50 % and 25 % of sampling.

    At percent p a shifted flow has sigma = shift_sigma(h, 1 - p), so h = s / (1 - s) at one half.
    The second level is the check: ValueError if both do not lie on one shift map.
    """
    if 0 < sigma_at_half < 1:
        shift = sigma_at_half / (1 - sigma_at_half)
        if abs(shift_sigma(shift, 0.75) - sigma_at_quarter) <= _FIT_TOLERANCE:
            return shift
    raise ValueError(
        "The model's noise levels must follow one shift map h*s / (1 + (h-1)*s), "
        f"got sigma {sigma_at_half:.6g} at 50 % and {sigma_at_quarter:.6g} at 25 % of sampling; "
        "use a Flux or SD3 model without other sampling patches."
    )


def check_steps(steps: Iterable[int]) -> tuple[int, int, int]:
    """The steps per stage as a tuple, or ValueError."""
    values = tuple(steps)
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in values)
    if len(values) != STAGES or not whole or not all(1 <= n <= MAX_STEPS for n in values):
        raise ValueError(
            f"Steps must be three whole numbers from 1 to {MAX_STEPS}, one per stage, "
            f"got {values}; for example (4, 5, 6)."
        )
    return values


def check_end_sigmas(end_sigmas: Iterable[float]) -> tuple[float, float, float]:
    """The noise levels where the stages end as a tuple, or ValueError."""
    values = tuple(float(sigma) for sigma in end_sigmas)
    gaps = [above - below for above, below in zip((1.0, *values), values, strict=False)]
    # The slack lets decimals such as 0.7 and 0.699 pass.
    falling = all(gap >= MIN_GAP - 1e-9 for gap in gaps)
    if len(values) != STAGES or not falling or values[-1] != 0:
        raise ValueError(
            "Stage end sigmas must be three numbers that fall from below 1 to exactly 0 by at "
            f"least {MIN_GAP:g} each, got {values}: set end_sigma_2 below end_sigma_1, "
            "as in (0.7, 0.55, 0.0)."
        )
    return values


def check_shift(name: str, shift: float) -> float:
    """A shift as a float, or ValueError; `name` says which one in the message."""
    if not 0 < shift <= MAX_SHIFT:
        raise ValueError(
            f"{name} must be above 0 and at most {MAX_SHIFT:g}, got {shift}; "
            "Flux and SD3 use values from 1 to about 30."
        )
    return float(shift)


def check_shifts(shifts: Iterable[float]) -> tuple[float, float, float]:
    """The shifts of the three stages as a tuple, or ValueError."""
    values = tuple(shifts)
    if len(values) != STAGES:
        raise ValueError(
            f"Shifts must be three numbers, one per stage, got {values}; "
            "for example (5.12, 2.64, 2.25)."
        )
    first, second, third = (check_shift(f"Shift of stage {k}", h) for k, h in enumerate(values, 1))
    return first, second, third


def check_z(z: float) -> float:
    """The noise jump between grids as a float, or ValueError."""
    if not MIN_Z <= z < float("inf"):
        raise ValueError(
            f"z must be a finite number of at least {MIN_Z:g}, got {z}; below that no noise "
            "can hide the copies that upsampling makes, and published values run from 4 to 8."
        )
    return float(z)
