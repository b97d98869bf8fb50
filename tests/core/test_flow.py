from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ralu_core.latents.flow import (
    Jump,
    even_level,
    level_at,
    shift_sigma,
    signal_scale,
    spaced_levels,
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


@pytest.mark.parametrize("end_sigma", [0.8, 0.55, 0.1])
@pytest.mark.parametrize("z", [2.0, 6.317])
def test_a_jump_has_the_numbers_of_its_functions(z: float, end_sigma: float) -> None:
    jump = Jump(z, end_sigma)
    assert jump.start_sigma == stage_start(z, end_sigma)
    assert jump.signal == signal_scale(z, end_sigma)
    assert jump.c == 1 / z**2


@pytest.mark.parametrize(
    ("shift", "steps", "phrase"), [(0.0, 5, "Shift must be above 0"), (3.0, 0, "Steps must be")]
)
def test_levels_need_a_shift_and_steps(shift: float, steps: int, phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase):
        spaced_levels(shift, 1.0, 0.0, steps)


@pytest.mark.parametrize(
    ("start", "end", "steps"), [(1.0, 0.0, 20), (0.93, 0.55, 1), (0.9, 0.0, 7)]
)
def test_spaced_levels_are_even_before_the_shift(start: float, end: float, steps: int) -> None:
    levels = spaced_levels(3.0, start, end, steps)
    assert (levels[0], levels[-1], len(levels)) == (start, end, steps + 1)
    gaps = np.diff([shift_sigma(1 / 3.0, level) for level in levels])
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-9)


@pytest.mark.parametrize(("shift", "end_shift"), [(12.0, 3.0), (4.0, 1.0), (2.0, 2.0), (36.0, 9.0)])
def test_a_falling_shift_begins_as_one_and_ends_as_the_other(
    shift: float, end_shift: float
) -> None:
    """Near 1 and near 0 its levels are those of a shift that stays, and between they fall."""
    levels = [level_at(shift, even / 50, end_shift) for even in range(50, -1, -1)]
    assert levels[0] == 1 and levels[-1] == 0 and levels == sorted(levels, reverse=True)
    near = 1e-6
    first, last = (level_at(shift, even, end_shift) for even in (1 - near, near))
    assert 1 - first == pytest.approx(1 - shift_sigma(shift, 1 - near), rel=1e-4)
    assert last == pytest.approx(shift_sigma(end_shift, near), rel=1e-4)
    for even in (0.0, 0.07, 0.5, 0.93, 1.0):
        level = level_at(shift, even, end_shift)
        assert even_level(shift, level, end_shift) == pytest.approx(even, abs=1e-12)
        if shift == end_shift:
            assert level == pytest.approx(level_at(shift, even))
    assert even_level(shift, 0.0, end_shift) == 0.0


@pytest.mark.parametrize(("start", "end", "steps"), [(1.0, 0.0, 4), (0.9, 0.3, 3), (0.6, 0.0, 1)])
def test_levels_of_a_falling_shift_are_even_before_it(start: float, end: float, steps: int) -> None:
    levels = spaced_levels(12.0, start, end, steps, 3.0)
    even = [even_level(12.0, level, 3.0) for level in levels]
    gaps = np.diff(even)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-9)
    assert (levels[0], levels[-1]) == (start, end)


@pytest.mark.parametrize("end_shift", [0.0, -1.0, 3.1])
def test_a_shift_falls(end_shift: float) -> None:
    with pytest.raises(ValueError, match=r"above 0 and at most that at its start, 3.0, got"):
        spaced_levels(3.0, 1.0, 0.0, 4, end_shift)
