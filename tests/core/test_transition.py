"""The law of a transition, by statistics with fixed seeds.

An entry of a sample covariance over n draws of variance v has a standard error of v / sqrt(n) off
the diagonal and v * sqrt(2 / n) on it. The bound of 5 standard errors is passed by all 2000 or so
entries of a right law in all but one of a thousand seeds.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch

from ralu_core.flow import signal_scale, stage_start
from ralu_core.layout import Layout
from ralu_core.noise import sibling_noise
from ralu_core.tokens import patchify, pick, spread
from ralu_core.transition import Transition
from ralu_core.upsampling import UPSAMPLING, upsample

DRAWS = 20_000
BOUND = 5.0
NEAREST = ("token", "pixel")
INTERPOLATED = ("bilinear", "bicubic", "lanczos")
FINE = torch.tensor([[True, False, False], [False, True, True]])  # coarse tokens grown early
SETTINGS = [(0.7, 6.317), (0.55, 3.47), (0.3, 2.0)]  # end sigma, z
RELEASED = SETTINGS[1]


class Run(NamedTuple):
    transition: Transition
    layout: Layout
    noise: torch.Tensor  # (DRAWS, 1, 8, 12) what is left of the result without its signal


def layout_of(draws: int) -> Layout:
    return Layout(FINE.expand(draws, -1, -1))


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def grown_early(transition: Transition) -> Run:
    """The first transition: (x of stage 1's end on the coarse grid) to a mixed state."""
    layout, end = layout_of(DRAWS), transition.end_sigma
    clean = normal(1, 1, 1, 4, 6).expand(DRAWS, -1, -1, -1)
    x = end * normal(2, DRAWS, 1, 4, 6) + (1 - end) * clean
    mixed = transition.to_mixed(x, layout, normal(3, DRAWS, 1, 8, 12))
    signal = torch.where(layout.fine_pixels, upsample(clean, transition.upsampling), spread(clean))
    return Run(transition, layout, mixed - (1 - transition.start_sigma) * signal)


def grown_late(transition: Transition) -> Run:
    """The second: a mixed state with white noise on all its tokens to a full state."""
    layout, end = layout_of(DRAWS), transition.end_sigma
    clean = layout.settle(normal(1, 1, 1, 8, 12).expand(DRAWS, -1, -1, -1))
    x = end * layout.settle(normal(2, DRAWS, 1, 8, 12)) + (1 - end) * clean
    full = transition.to_full(x, layout, normal(3, DRAWS, 1, 8, 12))
    signal = torch.where(layout.fine_pixels, clean, upsample(pick(clean), transition.upsampling))
    return Run(transition, layout, full - (1 - transition.start_sigma) * signal)


def z_scores(rows: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """How far the covariance of (n, d) rows is from diag(variance), in standard errors."""
    rows = rows.double()
    n = rows.shape[0]
    errors = torch.outer(variance, variance).double().sqrt() / n**0.5
    errors.diagonal().mul_(2**0.5)
    return (rows.T @ rows / n - torch.diag(variance.double())) / errors


def assert_independent(rows: torch.Tensor, variance: torch.Tensor) -> None:
    assert z_scores(rows, variance).abs().max() < BOUND
    means = rows.double().mean(0) / (variance.double() / rows.shape[0]).sqrt()
    assert means.abs().max() < BOUND


@pytest.mark.parametrize("upsampling", NEAREST)
@pytest.mark.parametrize(("end_sigma", "z"), SETTINGS)
def test_noise_is_white_on_every_token_of_the_mixed_state(
    end_sigma: float, z: float, upsampling: str
) -> None:
    run = grown_early(Transition(end_sigma, z, upsampling))
    assert torch.equal(run.layout.settle(run.noise), run.noise)
    tokens = run.layout.pack(run.noise).flatten(1)  # (DRAWS, 15 tokens * 4)
    assert tokens.shape[1] == (3 + 4 * 3) * 4
    assert_independent(tokens, torch.full((60,), run.transition.start_sigma**2))


@pytest.mark.parametrize("upsampling", NEAREST)
@pytest.mark.parametrize(("end_sigma", "z"), SETTINGS)
def test_noise_is_white_on_every_token_of_the_full_state(
    end_sigma: float, z: float, upsampling: str
) -> None:
    run = grown_late(Transition(end_sigma, z, upsampling))
    tokens = patchify(run.noise).flatten(1)
    assert_independent(tokens, torch.full((96,), run.transition.start_sigma**2))


@pytest.mark.parametrize("siblings", ["pixel", "none"])
def test_the_bound_sees_a_wrong_sibling_law(siblings: str) -> None:
    end, z = RELEASED
    start, scale = stage_start(z, end), signal_scale(z, end)
    white = normal(3, DRAWS, 1, 8, 12)
    wrong = white if siblings == "none" else sibling_noise(white, 1 / z**2, siblings)
    noise = scale * end * upsample(normal(2, DRAWS, 1, 4, 6), "token") + start * wrong
    scores = z_scores(patchify(noise).flatten(1), torch.full((96,), start**2))
    assert scores.abs().max() > 2 * BOUND


@pytest.mark.parametrize("make", [grown_early, grown_late])
@pytest.mark.parametrize("upsampling", INTERPOLATED)
def test_interpolation_keeps_the_noise_level_of_every_pixel(make, upsampling: str) -> None:
    run = make(Transition(0.55, 2.5, upsampling))
    pixels = run.noise.flatten(1)
    deviations = z_scores(pixels, torch.full((96,), run.transition.start_sigma**2)).diagonal()
    assert deviations.abs().max() < BOUND


def test_released_noise_on_kept_tokens_is_one_plus_c_times_too_strong() -> None:
    end_sigma, z = RELEASED
    transition = Transition(end_sigma, z, "token", "released")
    excess = 1 + transition.c
    assert transition.c == pytest.approx(0.08305, abs=1e-5)
    variance = transition.start_sigma**2

    early = grown_early(transition)
    tokens = early.layout.pack(early.noise).flatten(1)
    expected = torch.cat([torch.full((12,), excess), torch.ones(48)]) * variance
    assert_independent(tokens, expected)

    late = grown_late(transition)
    fine = late.layout.fine_pixels[0].flatten()
    assert_independent(late.noise.flatten(1), torch.where(fine, excess, 1.0) * variance)


@pytest.mark.parametrize("kept", ["exact", "released"])
@pytest.mark.parametrize("upsampling", UPSAMPLING)
def test_the_signal_factor_is_exact(upsampling: str, kept: str) -> None:
    transition = Transition(0.55, 3.47, upsampling, kept)
    layout, silence = layout_of(1), torch.zeros(1, 1, 8, 12)
    coarse, fine = normal(1, 1, 1, 4, 6), layout.fine_pixels
    signal = 1 - transition.start_sigma

    mixed = transition.to_mixed((1 - 0.55) * coarse, layout, silence)
    grown = upsample(coarse, upsampling)
    torch.testing.assert_close(mixed, signal * torch.where(fine, grown, spread(coarse)))

    clean = layout.settle(normal(2, 1, 1, 8, 12))
    full = transition.to_full((1 - 0.55) * clean, layout, silence)
    grown = upsample(pick(clean), upsampling)
    torch.testing.assert_close(full, signal * torch.where(fine, clean, grown))


def test_start_sigma_and_c() -> None:
    transition = Transition(0.7, 6.317)
    assert transition.start_sigma == pytest.approx(1 - 0.06353374700861941, abs=1e-12)
    assert transition.c == pytest.approx(0.02506, abs=1e-5)


def test_pictures_cross_alone_as_in_a_batch() -> None:
    fine = torch.stack([FINE, ~FINE, FINE.flip(0)])
    white = normal(4, 3, 2, 8, 12)
    coarse = normal(5, 3, 2, 4, 6)
    transition = Transition(0.55, 3.47)
    mixed = transition.to_mixed(coarse, Layout(fine), white)
    full = transition.to_full(mixed, Layout(fine), white)
    for i in range(3):
        one = slice(i, i + 1)
        alone = transition.to_mixed(coarse[one], Layout(fine[one]), white[one])
        assert torch.equal(alone, mixed[one])
        assert torch.equal(transition.to_full(alone, Layout(fine[one]), white[one]), full[one])
