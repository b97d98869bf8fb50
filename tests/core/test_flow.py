from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ralu_core.flow import (
    check_end_sigmas,
    check_shift,
    check_steps,
    check_z,
    fit_shift,
    shift_sigma,
    signal_scale,
    stage_start,
)


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0, math.exp(1.15), 25.3])
def test_inverse_shift_undoes_shift(shift: float) -> None:
    sigma = np.linspace(0, 1, 101)
    np.testing.assert_allclose(shift_sigma(1 / shift, shift_sigma(shift, sigma)), sigma, atol=1e-14)


def test_shift_by_hand() -> None:
    assert shift_sigma(3.0, 0.5) == 0.75
    assert (shift_sigma(3.0, 0.0), shift_sigma(3.0, 1.0)) == (0.0, 1.0)


def test_shift_keeps_the_kind_and_shape_of_sigma() -> None:
    sigma = torch.rand(2, 3, generator=torch.Generator().manual_seed(0))
    shifted = shift_sigma(3.0, sigma)
    assert isinstance(shifted, torch.Tensor) and shifted.shape == (2, 3)
    assert shifted[1, 2].item() == pytest.approx(shift_sigma(3.0, sigma[1, 2].item()), abs=1e-6)
    assert isinstance(shift_sigma(3.0, 0.2), float)


@pytest.mark.parametrize("end_sigma", [0.8, 0.55, 0.1])
@pytest.mark.parametrize("z", [2.0, 6.317, 100.0])
def test_jump_matches_the_papers_coefficients(z: float, end_sigma: float) -> None:
    e = 1 - end_sigma
    d = end_sigma * z
    assert signal_scale(z, end_sigma) == pytest.approx(1 / (d + e), rel=1e-14)
    assert stage_start(z, end_sigma) == pytest.approx(d / (d + e), rel=1e-14)


@pytest.mark.parametrize("end_sigma", [0.8, 0.55, 0.1])
def test_jump_leaves_signal_and_noise_that_sum_to_one(end_sigma: float) -> None:
    signal = signal_scale(6.0, end_sigma) * (1 - end_sigma)
    assert signal + stage_start(6.0, end_sigma) == pytest.approx(1, rel=1e-14)


@pytest.mark.parametrize("shift", [1.0, 3.0, math.exp(1.15), 25.28])
def test_fit_shift_finds_the_shift_of_float32_levels(shift: float) -> None:
    half, quarter = (float(np.float32(shift_sigma(shift, sigma))) for sigma in (0.5, 0.75))
    assert fit_shift(half, quarter) == pytest.approx(shift, rel=1e-5)


@pytest.mark.parametrize(
    ("half", "quarter"),
    [(0.75, 0.89), (1.0, 1.0), (0.0, 0.0), (1.6, 4.1), (math.nan, 0.9), (0.75, math.nan)],
)
def test_fit_shift_refuses_other_flows(half: float, quarter: float) -> None:
    with pytest.raises(ValueError, match=r"must follow one shift map .* use a Flux or SD3 model"):
        fit_shift(half, quarter)


@pytest.mark.parametrize(
    "steps", [(4, 5), (4, 5, 6, 7), (4, 0, 6), (4, -1, 6), (4, 5.0, 6), (True, 5, 6), (4, 5, 1001)]
)
def test_steps_must_be_three_whole_numbers(steps: tuple) -> None:
    with pytest.raises(ValueError, match="three whole numbers from 1 to 1000"):
        check_steps(steps)


@pytest.mark.parametrize(
    "ends",
    [
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
    with pytest.raises(ValueError, match=r"from below 1 to exactly 0 .*: set end_sigma_2 below"):
        check_end_sigmas(ends)


@pytest.mark.parametrize("shift", [0.0, -1.0, 100.1, math.inf, math.nan])
def test_shift_must_lie_above_zero_and_below_its_bound(shift: float) -> None:
    with pytest.raises(ValueError, match="Model shift must be above 0 and at most 100, got"):
        check_shift("Model shift", shift)


@pytest.mark.parametrize("z", [1.99, 0.0, -3.0, math.inf, math.nan])
def test_z_must_be_finite_and_at_least_two(z: float) -> None:
    with pytest.raises(ValueError, match="z must be a finite number of at least 2, got"):
        check_z(z)


def test_checks_return_plain_tuples() -> None:
    assert check_steps([4, 5, 6]) == (4, 5, 6)
    assert check_end_sigmas([0.7, 0.55, 0]) == (0.7, 0.55, 0.0)


def test_end_sigmas_may_be_a_thousandth_apart() -> None:
    for thousandths in range(2, 1000):
        ends = (thousandths / 1000, (thousandths - 1) / 1000, 0.0)
        assert check_end_sigmas(ends) == ends
