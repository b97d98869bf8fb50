from __future__ import annotations

import math

import numpy as np
import pytest

from ralu_core.latents.checks import (
    check_end_sigmas,
    check_one_per_stage,
    check_ratio,
    check_shift,
    check_shifts,
    check_steps,
    check_z,
)


@pytest.mark.parametrize(
    "steps", [(), (4, 0, 6), (4, -1, 6), (4, 5.0, 6), (True, 5, 6), (4, 5, 1001)]
)
def test_steps_must_be_whole_numbers(steps: tuple) -> None:
    with pytest.raises(ValueError, match="whole numbers from 1 to 1000, one per stage, got"):
        check_steps(steps)


@pytest.mark.parametrize(
    "ends",
    [
        (),
        (0.7, 0.55),
        (0.55, 0.7, 0.0),
        (0.7, 0.7, 0.0),
        (1.0, 0.5, 0.0),
        (0.7, 0.5, 0.1),
        (0.7, -0.1, 0.0),
        (math.nan, 0.5, 0.0),
        (0.7, math.nan, 0.0),
        (math.inf, 0.5, 0.0),
        (0.9999, 0.5, 0.0),
        (0.7, 0.6999, 0.0),
        (0.7, 1e-20, 0.0),
    ],
)
def test_end_sigmas_must_fall_from_below_one_to_zero(ends: tuple) -> None:
    with pytest.raises(ValueError, match=r"from below 1 to exactly 0 .*: set each below"):
        check_end_sigmas(ends)


@pytest.mark.parametrize("shift", [0.0, -1.0, 100.1, math.inf, math.nan])
def test_shift_must_lie_above_zero_and_below_its_bound(shift: float) -> None:
    with pytest.raises(ValueError, match="Model shift must be above 0 and at most 100, got"):
        check_shift("Model shift", shift)


@pytest.mark.parametrize("z", [1.99, 0.0, -3.0, math.inf, math.nan])
def test_z_must_be_finite_and_at_least_two(z: float) -> None:
    with pytest.raises(ValueError, match="z must be a finite number of at least 2, got"):
        check_z(z)


@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.1, math.nan])
def test_the_ratio_must_lie_between_zero_and_one(ratio: float) -> None:
    with pytest.raises(ValueError, match="Ratio must lie between 0 and 1, both excluded, got"):
        check_ratio(ratio)


def test_shifts_name_the_stage() -> None:
    with pytest.raises(ValueError, match="Shift of stage 2 must be above 0"):
        check_shifts((5.0, math.nan, 2.0))


@pytest.mark.parametrize("values", [(5.0, 2.0), (5.0, 2.0, 2.0, 2.0)])
def test_every_stage_needs_its_number(values: tuple) -> None:
    with pytest.raises(ValueError, match=r"Shifts must be 3 numbers, one per stage, got .*: add"):
        check_one_per_stage("Shifts", values, 3)
    check_one_per_stage("Shifts", values, len(values))


def test_one_number_is_told_as_one() -> None:
    with pytest.raises(
        ValueError, match=r"Steps must be 1 number, one per stage, got \(2, 3\): add"
    ):
        check_steps((2, 3), 1)
    assert check_steps([2], 1) == (2,)


def test_checks_return_plain_tuples() -> None:
    assert check_steps([4, 5, 6]) == (4, 5, 6)
    assert check_end_sigmas([0.7, 0.55, 0]) == (0.7, 0.55, 0.0)
    assert check_shifts([5, 2.5]) == (5.0, 2.5)


def test_end_sigmas_may_be_a_thousandth_apart() -> None:
    for thousandths in range(2, 1000):
        ends = (thousandths / 1000, (thousandths - 1) / 1000, 0.0)
        assert check_end_sigmas(ends) == ends


def test_whole_numbers_of_numpy_are_whole() -> None:
    taken = check_steps(np.array([4, 5, 6]))
    assert taken == (4, 5, 6) and all(type(n) is int for n in taken)
    with pytest.raises(ValueError, match="Steps must be whole numbers"):
        check_steps(np.array([4.0, 5.0]))
