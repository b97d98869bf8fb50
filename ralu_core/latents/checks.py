"""The rules that the numbers of a plan obey, each told in one sentence where it is broken."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral

MAX_STEPS = 1000
MAX_SHIFT = 100.0
MIN_Z = 2.0
MIN_GAP = 0.001  # between the ends of two stages: one time of the NT-Matching grid


def check_steps(steps: Iterable[int], stages: int | None = None) -> tuple[int, ...]:
    """The steps per stage as a tuple, or ValueError.

    stages  how many there must be; None for any number from 1.
    """
    values = tuple(steps)
    if stages is not None:
        check_one_per_stage("Steps", values, stages)
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in values)
    if not values or not whole or not all(1 <= n <= MAX_STEPS for n in values):
        raise ValueError(
            f"Steps must be whole numbers from 1 to {MAX_STEPS}, one per stage, got {values}; "
            "for example (4, 5, 6)."
        )
    return tuple(int(n) for n in values)


def check_level(name: str, sigma: float) -> float:
    """A noise level between those of a picture and of noise as a float, or ValueError; `name` says
    which one in the message."""
    if not 0 < sigma < 1:
        raise ValueError(
            f"{name} must lie between 0 and 1, both excluded, got {sigma}; for example 0.7."
        )
    return float(sigma)


def check_end_sigmas(end_sigmas: Iterable[float]) -> tuple[float, ...]:
    """The noise levels where the stages end as a tuple, or ValueError."""
    values = tuple(float(sigma) for sigma in end_sigmas)
    gaps = [above - below for above, below in zip((1.0, *values), values, strict=False)]
    # The slack lets decimals such as 0.7 and 0.699 pass.
    falling = all(gap >= MIN_GAP - 1e-9 for gap in gaps)
    if not values or not falling or values[-1] != 0:
        raise ValueError(
            "Stage end sigmas must be numbers that fall from below 1 to exactly 0 by at least "
            f"{MIN_GAP:g} each, one per stage, got {values}: set each below the one before it, "
            "as in (0.7, 0.55, 0.0)."
        )
    return values


def check_shift(name: str, shift: float) -> float:
    """A shift as a float, or ValueError; `name` says which one in the message."""
    if not 0 < shift <= MAX_SHIFT:
        raise ValueError(
            f"{name} must be above 0 and at most {MAX_SHIFT:g}, got {shift}; "
            "models and their stages use values from 1 to about 30."
        )
    return float(shift)


def check_end_shift(shift: float | None, end_shift: float) -> None:
    """ValueError unless a shift falls to `end_shift`, which is above 0 and at most it."""
    if shift is None or not 0 < end_shift <= shift:
        raise ValueError(
            f"The shift at the end of a stage must be above 0 and at most that at its start, "
            f"{shift}, got {end_shift:g}: lower it."
        )


def check_shifts(shifts: Iterable[float]) -> tuple[float, ...]:
    """The shifts of the stages as a tuple, or ValueError."""
    return tuple(check_shift(f"Shift of stage {k}", h) for k, h in enumerate(shifts, 1))


def check_one_per_stage(name: str, values: tuple, stages: int) -> None:
    """ValueError unless there is one value per stage."""
    if len(values) != stages:
        raise ValueError(
            f"{name} must be {stages} number{'s' if stages > 1 else ''}, one per stage, got "
            f"{values}: add or remove some."
        )


def check_z(z: float) -> float:
    """The noise jump between grids as a float, or ValueError."""
    if not MIN_Z <= z < float("inf"):
        raise ValueError(
            f"z must be a finite number of at least {MIN_Z:g}, got {z}; below that no noise "
            "can hide the copies that upsampling makes, and published values run from 4 to 8."
        )
    return float(z)


def check_ratio(ratio: float) -> float:
    """The share of coarse tokens that grow early as a float, or ValueError."""
    if not 0 < ratio < 1:
        raise ValueError(
            f"Ratio must lie between 0 and 1, both excluded, got {ratio}; "
            "the paper uses 0.1 to 0.3."
        )
    return float(ratio)
