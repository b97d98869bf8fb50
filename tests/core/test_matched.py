"""The law of a matched crossing, by statistics with fixed seeds.

An entry of a sample covariance over n draws of variance v has a standard error of v / sqrt(n) off
the diagonal and v * sqrt(2 / n) on it. The bound of 5 standard errors is passed by all 2000 or so
entries of a right law in all but one of a thousand seeds.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from runs import normal

from ralu_core.crossings import Crossing, Matched, Place
from ralu_core.growth import GROWTHS, Projected, growth_named
from ralu_core.growth.interpolated import Interpolated
from ralu_core.growth.spectral import Spectral
from ralu_core.latents.flow import signal_scale, stage_start
from ralu_core.latents.grid import FULL, HALF, MIXED, Grid
from ralu_core.latents.layout import Layout
from ralu_core.latents.noise import KEPT_NOISE, sibling_noise
from ralu_core.latents.packing import Packing
from ralu_core.latents.states import StageEnd
from ralu_core.latents.tokens import patchify, pick, spread

DRAWS = 20_000
BOUND = 5.0
PROJECTED = [name for name, growth in GROWTHS.items() if isinstance(growth, Projected)]
NEAREST = [name for name in PROJECTED if not isinstance(GROWTHS[name], Spectral)]
INTERPOLATED = [name for name, growth in GROWTHS.items() if isinstance(growth, Interpolated)]
FINE = torch.tensor([[True, False, False], [False, True, True]])  # coarse tokens grown early
SETTINGS = [(0.7, 6.317), (0.55, 3.47), (0.3, 2.0)]  # end sigma, z
RELEASED = SETTINGS[1]


class Run(NamedTuple):
    crossing: Matched
    layout: Layout
    noise: torch.Tensor  # (DRAWS, 1, 8, 12) what is left of the result without its signal


def to_mixed(
    crossing: Crossing, coarse: torch.Tensor, layout: Layout, white: torch.Tensor
) -> torch.Tensor:
    return cross(crossing, coarse, white, HALF, MIXED, layout)


def to_full(
    crossing: Crossing, mixed: torch.Tensor, layout: Layout, white: torch.Tensor
) -> torch.Tensor:
    return cross(crossing, mixed, white, MIXED, FULL, layout)


def cross(
    crossing: Crossing,
    x: torch.Tensor,
    white: torch.Tensor,
    before: Grid,
    after: Grid,
    layout: Layout | None,
) -> torch.Tensor:
    return crossing.cross(StageEnd(x, x), white, Place(before, after, layout, 2))


def upsample(coarse: torch.Tensor, growth: str) -> torch.Tensor:
    return growth_named(growth).grow(coarse, 2)


def pack(layout: Layout, state: torch.Tensor) -> torch.Tensor:
    (packing,) = Packing.parts(layout)
    return packing.pack(state)


def layout_of(draws: int) -> Layout:
    return Layout(FINE.expand(draws, -1, -1))


def grown_early(crossing: Matched) -> Run:
    """The first crossing: (x of stage 1's end on the coarse grid) to a mixed state."""
    layout, end = layout_of(DRAWS), crossing.end_sigma
    clean = normal(1, 1, 1, 4, 6).expand(DRAWS, -1, -1, -1)
    x = end * normal(2, DRAWS, 1, 4, 6) + (1 - end) * clean
    mixed = to_mixed(crossing, x, layout, normal(3, DRAWS, 1, 8, 12))
    signal = torch.where(layout.fine_pixels, upsample(clean, crossing.growth), spread(clean))
    return Run(crossing, layout, mixed - (1 - crossing.start_sigma) * signal)


def grown_late(crossing: Matched) -> Run:
    """The second: a mixed state with white noise on all its tokens to a full state."""
    layout, end = layout_of(DRAWS), crossing.end_sigma
    clean = layout.settle(normal(1, 1, 1, 8, 12).expand(DRAWS, -1, -1, -1))
    x = end * layout.settle(normal(2, DRAWS, 1, 8, 12)) + (1 - end) * clean
    full = to_full(crossing, x, layout, normal(3, DRAWS, 1, 8, 12))
    signal = torch.where(layout.fine_pixels, clean, upsample(pick(clean), crossing.growth))
    return Run(crossing, layout, full - (1 - crossing.start_sigma) * signal)


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
    run = grown_early(Matched(end_sigma, z, upsampling))
    assert torch.equal(run.layout.settle(run.noise), run.noise)
    tokens = pack(run.layout, run.noise).flatten(1)  # (DRAWS, 15 tokens * 4)
    assert tokens.shape[1] == (3 + 4 * 3) * 4
    assert_independent(tokens, torch.full((60,), run.crossing.start_sigma**2))


@pytest.mark.parametrize("upsampling", NEAREST)
@pytest.mark.parametrize(("end_sigma", "z"), SETTINGS)
def test_noise_is_white_on_every_token_of_the_full_state(
    end_sigma: float, z: float, upsampling: str
) -> None:
    run = grown_late(Matched(end_sigma, z, upsampling))
    tokens = patchify(run.noise).flatten(1)
    assert_independent(tokens, torch.full((96,), run.crossing.start_sigma**2))


@pytest.mark.parametrize("siblings", ["pixel", "none"])
def test_the_bound_sees_a_wrong_sibling_law(siblings: str) -> None:
    end, z = RELEASED
    start, scale = stage_start(z, end), signal_scale(z, end)
    white = normal(3, DRAWS, 1, 8, 12)
    growth = GROWTHS.get(siblings)
    wrong = white
    if isinstance(growth, Projected):
        wrong = sibling_noise(white, 1 / z**2, lambda one: growth.mean_of_siblings(one, 2))
    noise = scale * end * upsample(normal(2, DRAWS, 1, 4, 6), "token") + start * wrong
    scores = z_scores(patchify(noise).flatten(1), torch.full((96,), start**2))
    assert scores.abs().max() > 2 * BOUND


@pytest.mark.parametrize("make", [grown_early, grown_late])
@pytest.mark.parametrize("upsampling", INTERPOLATED)
def test_interpolation_keeps_the_noise_level_of_every_pixel(make, upsampling: str) -> None:
    run = make(Matched(0.55, 2.5, upsampling))
    pixels = run.noise.flatten(1)
    deviations = z_scores(pixels, torch.full((96,), run.crossing.start_sigma**2)).diagonal()
    assert deviations.abs().max() < BOUND


def test_released_noise_on_kept_tokens_is_one_plus_c_times_too_strong() -> None:
    end_sigma, z = RELEASED
    crossing = Matched(end_sigma, z, "token", "released")
    excess = 1 + crossing.jump.c
    assert crossing.jump.c == pytest.approx(0.08305, abs=1e-5)
    variance = crossing.start_sigma**2

    early = grown_early(crossing)
    tokens = pack(early.layout, early.noise).flatten(1)
    expected = torch.cat([torch.full((12,), excess), torch.ones(48)]) * variance
    assert_independent(tokens, expected)

    late = grown_late(crossing)
    fine = late.layout.fine_pixels[0].flatten()
    assert_independent(late.noise.flatten(1), torch.where(fine, excess, 1.0) * variance)


@pytest.mark.parametrize("kept", KEPT_NOISE)
@pytest.mark.parametrize("upsampling", GROWTHS)
def test_the_signal_factor_is_exact(upsampling: str, kept: str) -> None:
    crossing = Matched(0.55, 3.47, upsampling, kept)
    layout, silence = layout_of(1), torch.zeros(1, 1, 8, 12)
    coarse, fine = normal(1, 1, 1, 4, 6), layout.fine_pixels
    signal = 1 - crossing.start_sigma

    mixed = to_mixed(crossing, (1 - 0.55) * coarse, layout, silence)
    grown = upsample(coarse, upsampling)
    torch.testing.assert_close(mixed, signal * torch.where(fine, grown, spread(coarse)))

    clean = layout.settle(normal(2, 1, 1, 8, 12))
    full = to_full(crossing, (1 - 0.55) * clean, layout, silence)
    grown = upsample(pick(clean), upsampling)
    torch.testing.assert_close(full, signal * torch.where(fine, clean, grown))


def test_kept_coarse_tokens_take_every_second_pixel_of_the_noise() -> None:
    """The same pixels as the half grid has, so that a seed means one picture."""
    crossing, layout, white = Matched(0.55, 3.47), layout_of(1), normal(3, 1, 1, 8, 12)
    mixed = to_mixed(crossing, torch.zeros(1, 1, 4, 6), layout, white)
    noise = crossing.start_sigma * (1 - crossing.jump.c) ** 0.5 * spread(pick(white))
    coarse = ~layout.fine_pixels
    torch.testing.assert_close(mixed[coarse], noise[coarse])


def test_start_sigma_and_c() -> None:
    crossing = Matched(0.7, 6.317)
    assert crossing.start_sigma == pytest.approx(1 - 0.06353374700861941, abs=1e-12)
    assert crossing.jump.c == pytest.approx(0.02506, abs=1e-5)


def test_pictures_cross_alone_as_in_a_batch() -> None:
    fine = torch.stack([FINE, ~FINE, FINE.flip(0)])
    white = normal(4, 3, 2, 8, 12)
    coarse = normal(5, 3, 2, 4, 6)
    crossing = Matched(0.55, 3.47)
    mixed = to_mixed(crossing, coarse, Layout(fine), white)
    full = to_full(crossing, mixed, Layout(fine), white)
    for i in range(3):
        one = slice(i, i + 1)
        alone = to_mixed(crossing, coarse[one], Layout(fine[one]), white[one])
        assert torch.equal(alone, mixed[one])
        assert torch.equal(to_full(crossing, alone, Layout(fine[one]), white[one]), full[one])


@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("grids", [(HALF, MIXED), (MIXED, FULL), (HALF, FULL)], ids=str)
@pytest.mark.parametrize("growth", GROWTHS)
def test_every_growth_puts_every_pixel_at_the_start_level(
    growth: str, grids: tuple[Grid, Grid], patch: int
) -> None:
    """The law of any growth: the grown signal times 1 - start_sigma, and noise of start_sigma."""
    before, after = grids
    draws, rows, columns = 10_000, 4 * patch, 6 * patch
    layout = None if grids == (HALF, FULL) else Layout(FINE.expand(draws, -1, -1), patch)
    crossing = Matched(0.55, 3.47, growth)
    crossing.check(before, after)
    half = normal(1, 1, 1, rows // 2, columns // 2)
    clean = before.join(lambda: normal(2, 1, 1, rows, columns), lambda: half, one(layout))
    noise = before.noise(normal(3, draws, 1, rows, columns), layout)
    x = 0.55 * noise + (1 - 0.55) * clean
    place = Place(before, after, layout, patch)
    state = crossing.cross(StageEnd(x, x), normal(4, draws, 1, rows, columns), place)

    silent = Place(before, after, one(layout), patch)
    end = StageEnd((1 - 0.55) * clean, clean)
    mean = crossing.cross(end, torch.zeros(1, 1, rows, columns), silent)
    left = (state - mean).flatten(1)
    variance = torch.full((rows * columns,), crossing.start_sigma**2)
    assert z_scores(left, variance).diagonal().abs().max() < BOUND
    assert (left.double().mean(0) / (variance.double() / draws).sqrt()).abs().max() < BOUND
    kept = one(layout)
    if before is MIXED and kept is not None:
        signal = (1 - crossing.start_sigma) * clean
        torch.testing.assert_close(
            mean[:, :, kept.fine_pixels[0, 0]], signal[:, :, kept.fine_pixels[0, 0]]
        )


def one(layout: Layout | None) -> Layout | None:
    """The layout of the first picture."""
    return None if layout is None else Layout(layout.fine[:1], layout.patch)


@pytest.mark.parametrize(
    "grids", [(HALF, HALF), (FULL, HALF), (FULL, MIXED), (MIXED, HALF), (FULL, FULL)], ids=str
)
def test_it_leads_to_larger_grids_only(grids: tuple[Grid, Grid]) -> None:
    before, after = grids
    with pytest.raises(ValueError, match=f"Matched leads .*, got {before.name} to {after.name}: "):
        Matched(0.55, 3.47).check(before, after)


def test_names_are_checked_at_once() -> None:
    with pytest.raises(ValueError, match=r"Upsampling must be one of token, .*, got 'nearest'"):
        Matched(0.55, 3.47, "nearest")
    with pytest.raises(ValueError, match=r"Kept noise must be one of exact, released, got 'all'"):
        Matched(0.55, 3.47, kept="all")


@pytest.mark.parametrize("z", [1.5, float("nan"), float("inf")])
@pytest.mark.parametrize("growth", ["pixel", "bilinear"])
def test_a_jump_is_at_least_two(z: float, growth: str) -> None:
    with pytest.raises(ValueError, match="z must be a finite number of at least 2"):
        Matched(0.5, z, growth)
