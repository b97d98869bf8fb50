"""Plans on the seed's own noise, against formulas written down anew over SciPy's DCT."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from runs import LATENT, choose_by, normal
from scipy.fft import dctn, idctn

from ralu_core import CallCost, Source, StageEnd, StageTask, Start, multistep, run_plan, sample
from ralu_core.crossings import Matched, Onward
from ralu_core.growth import GROWTHS, Projected, growth_named
from ralu_core.latents.flow import Jump, shift_sigma
from ralu_core.latents.grid import FULL, HALF, MIXED
from ralu_core.plans import early_own, own_noise, plain, two_sizes

PROJECTED = [name for name, growth in GROWTHS.items() if isinstance(growth, Projected)]
SIZE = (2, 3, 16, 24)  # a full-size latent; half of it is no power of two


def projected(name: str) -> Projected:
    growth = growth_named(name)
    assert isinstance(growth, Projected)
    return growth


def matrix_of(operator, rows: int, columns: int) -> torch.Tensor:
    """The dense matrix of a linear map of (1, 1, rows, columns) latents: (out, in), float64."""
    basis = torch.eye(rows * columns, dtype=torch.float64).reshape(-1, 1, rows, columns)
    return operator(basis).flatten(1).T


@pytest.mark.parametrize("z", [2.0, 3.3, 6.3])
@pytest.mark.parametrize("name", PROJECTED)
def test_grown_noise_and_what_joins_it_are_white_together(name: str, z: float) -> None:
    growth, jump = projected(name), Jump(z, 0.6)
    grow = matrix_of(lambda x: growth.grow(jump.signal * x, 2), 4, 8)
    join = matrix_of(lambda x: growth.join_noise(torch.zeros_like(x), x, jump, 2), 8, 16)
    covariance = jump.end_sigma**2 * grow @ grow.T + join @ join.T
    expected = jump.start_sigma**2 * torch.eye(128, dtype=torch.float64)
    torch.testing.assert_close(covariance, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", PROJECTED)
def test_halved_noise_is_white(name: str) -> None:
    halve = matrix_of(lambda x: projected(name).halve_noise(x, 2), 8, 16)
    torch.testing.assert_close(
        halve @ halve.T, torch.eye(32, dtype=torch.float64), rtol=0, atol=1e-6
    )


def test_the_dct_is_scipys() -> None:
    coarse, fine = normal(1, 2, 3, 6, 10), normal(2, 2, 3, 12, 20)
    spectrum = np.zeros((2, 3, 12, 20))
    spectrum[..., :6, :10] = 2 * dctn(coarse.numpy(), axes=(2, 3), norm="ortho")
    grown = torch.from_numpy(idctn(spectrum, axes=(2, 3), norm="ortho")).float()
    torch.testing.assert_close(growth_named("dct").grow(coarse, 2), grown, rtol=0, atol=1e-5)
    halved = projected("dct").halve_noise(fine, 2).double()
    torch.testing.assert_close(halved, low_of(fine), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", PROJECTED)
def test_a_picture_grows_alike_alone_and_in_a_batch(name: str) -> None:
    coarse, fine = normal(1, 3, 4, 6, 10), normal(2, 3, 4, 12, 20)
    growth = projected(name)
    for one in range(3):
        item = slice(one, one + 1)
        assert torch.equal(growth.grow(coarse, 2)[item], growth.grow(coarse[item], 2))
        assert torch.equal(growth.mean(fine, 2)[item], growth.mean(fine[item], 2))


@pytest.mark.parametrize("growth", ["dct", "pixel"])
def test_where_nothing_is_drawn_the_noise_of_the_seed_returns(growth: str) -> None:
    """A model that sees nothing keeps the noise it got, and at full size that is the seed's."""
    noise = normal(3, *SIZE)
    begun = []

    def still(task: StageTask, start: Start) -> StageEnd:
        x = start.take()
        begun.append((x, task.white))
        end = x * task.stage.end / task.stage.start
        return StageEnd(end, torch.zeros_like(end))

    def draw(number: int) -> torch.Tensor:
        raise AssertionError("a run on its own noise draws none")

    plan = own_noise(3.0, growth=growth)
    run_plan(plan, Source.from_noise(noise), still, choose_by(LATENT), draw)
    (half, half_white), (full, full_white) = begun
    assert half.shape[-2:] == (8, 12) and torch.equal(half, half_white)
    assert torch.equal(full_white, noise)
    start = plan.stages[1].start
    torch.testing.assert_close(full, start * noise, rtol=0, atol=1e-6)


def test_a_jump_above_two_noises_what_half_size_held_anew() -> None:
    own, new = normal(1, *SIZE), normal(2, *SIZE)
    again = Matched(0.8, 4.0, "dct", own=True)
    noise = again.noise(own, lambda: new, 2)
    assert not again.remembers and Matched(0.8, 2.0, "dct", own=True).remembers
    held = projected("dct").mean_of_siblings
    torch.testing.assert_close(held(noise, 2), held(new, 2), rtol=0, atol=1e-5)
    torch.testing.assert_close(noise - held(noise, 2), own - held(own, 2), rtol=0, atol=1e-5)


def low_of(fine: torch.Tensor) -> torch.Tensor:
    """The lower half of the frequencies at half size."""
    h, w = fine.shape[-2:]
    spectrum = dctn(fine.numpy(), axes=(2, 3), norm="ortho")[..., : h // 2, : w // 2]
    return torch.from_numpy(idctn(spectrum, axes=(2, 3), norm="ortho")).double()


def embedded(low: torch.Tensor) -> torch.Tensor:
    """The adjoint of `low_of`."""
    b, c, h, w = low.shape
    spectrum = np.zeros((b, c, 2 * h, 2 * w))
    spectrum[..., :h, :w] = dctn(low.numpy(), axes=(2, 3), norm="ortho")
    return torch.from_numpy(idctn(spectrum, axes=(2, 3), norm="ortho"))


def bent(x: torch.Tensor, sigma: float, layout=None) -> torch.Tensor:
    """Some clean estimate that is not linear."""
    return torch.tanh(0.7 * x + 0.2) * (1 - 0.3 * sigma)


def by_hand(noise: torch.Tensor, shift: float, low: int, high: int, s: float) -> torch.Tensor:
    """The run as its formulas have it: growth from the last clean estimate and its noise, and a
    slope whose held part is the last half-size step's."""
    levels = [float(shift_sigma(shift / 2, u)) for u in even(shift_sigma(2 / shift, s), low)]
    x, last, width = low_of(noise), None, 0.0
    for sigma, following in pairwise(levels):
        denoised = bent(x, sigma)
        velocity, step = (x - denoised) / sigma, following - sigma
        bend = 0 if last is None else step / (2 * width) * (velocity - last)
        before, last, width = (x, denoised, sigma), velocity, step
        x = x + step * (velocity + bend)
    eps, start = (x - (1 - s) * denoised) / s, 2 * s / (1 + s)
    rest = noise.double() - embedded(low_of(noise))
    x = start * (embedded(eps) + rest) + (1 - start) * 2 * embedded(denoised)
    x_q, d_q, q = before
    kept = embedded((x_q - (1 - q) * d_q) / q) - 2 * embedded(d_q)
    top = shift_sigma(1 / shift, start)
    last = None
    levels = [float(shift_sigma(shift, top * (1 - k / high))) for k in range(high + 1)]
    for sigma, following in pairwise(levels):
        velocity, step = (x - bent(x, sigma)) / sigma, following - sigma
        if last is None:
            last = velocity + kept - embedded(low_of(velocity))
            width = sigma - 2 * q / (1 + q)
        x = x + step * (velocity + step / (2 * width) * (velocity - last))
        last, width = velocity, step
    return x


def even(bottom: float, steps: int) -> list[float]:
    return [1 + (bottom - 1) * k / steps for k in range(steps + 1)]


@pytest.mark.parametrize(("low", "high", "switch"), [(4, 5, 0.8), (1, 2, 0.65), (3, 1, 0.7)])
def test_a_whole_run_is_that_of_the_formulas(low: int, high: int, switch: float) -> None:
    noise = normal(3, *SIZE)
    plan = own_noise(3.0, (low, high), switch=switch)
    x = sample(bent, None, Source.from_noise(noise.double()), plan, 0).x
    torch.testing.assert_close(x, by_hand(noise, 3.0, low, high, switch), rtol=0, atol=2e-6)


def test_without_a_memory_the_first_step_is_eulers() -> None:
    forgetful = multistep(bent)

    def forget(task: StageTask, start: Start) -> StageEnd:
        return forgetful(task, Start(start.take()))

    plan, source = own_noise(3.0), Source.from_noise(normal(3, *SIZE))
    ends = [
        run_plan(plan, source, run, choose_by(LATENT), lambda stream: source.noise).x
        for run in (forgetful, forget)
    ]
    assert (ends[0] - ends[1]).abs().max() > 1e-3


def test_the_last_step_is_kept_only_for_a_crossing_that_remembers() -> None:
    seen: list[bool] = []

    def run(task: StageTask, start: Start) -> StageEnd:
        end = multistep(bent)(task, start)
        assert (end.last is not None) == task.keep_last
        seen.append(task.keep_last)
        return end

    source = Source.from_noise(normal(3, *SIZE))
    for plan in (own_noise(3.0), two_sizes(3.0)):
        run_plan(plan, source, run, choose_by(LATENT), lambda stream: source.noise)
    assert seen == [True, False, False, False]


@pytest.mark.parametrize(("before", "after"), [(HALF, MIXED), (MIXED, FULL)])
def test_own_noise_leads_from_half_to_full_only(before, after) -> None:
    with pytest.raises(ValueError, match="from half to full, got"):
        Matched(0.8, 2.0, "dct", own=True).check(before, after)


def test_own_noise_needs_a_growth_that_a_mean_undoes() -> None:
    with pytest.raises(ValueError, match="token, pixel, dct, enlarger, got 'bicubic'"):
        Matched(0.8, 2.0, "bicubic", own=True)


def test_a_run_that_begins_at_full_size_begins_on_the_same_noise() -> None:
    noise = normal(3, *SIZE)
    plan = own_noise(3.0).begun_at(0.6)
    whites = []

    def look(task: StageTask, start: Start) -> StageEnd:
        whites.append(task.white)
        x = start.take()
        return StageEnd(x, x)

    run_plan(plan, Source.from_noise(noise), look, choose_by(LATENT), lambda stream: noise)
    assert [torch.equal(white, noise) for white in whites] == [True]


def test_another_growth_is_for_other_crossings() -> None:
    plan = own_noise(3.0)
    assert plan.growing_by("token") == plan


def test_guidance_may_be_paid_at_half_size_alone() -> None:
    plan = own_noise(3.0, (4, 6), switch=0.7, guide_full=False)
    assert [stage.guided for stage in plan.stages] == [True, False]
    assert plan.name == "own noise 4-6, guided at half size"
    cost = CallCost(blocks=2, width=64, text_tokens=8)
    half, full = cost.flops(64), cost.flops(256)
    assert cost.plan_flops(plan, 16, 16, guided=True) == 4 * 2 * half + 6 * full
    assert cost.plan_flops(plan, 16, 16) == 4 * half + 6 * full
    assert cost.speed_up(plan, 16, 16, 20, guided=True) == pytest.approx(
        20 * 2 * full / (4 * 2 * half + 6 * full)
    )


def test_plain_steps_may_go_without_guidance_below_a_level() -> None:
    whole, split = plain(3.0, (6,), order=2), plain(3.0, (6,), order=2, guided_above=0.8)
    upper, lower = split.stages
    assert upper.guided and not lower.guided and split.crossings == (Onward(upper.end),)
    assert (*upper.sigmas, *lower.sigmas[1:]) == whole.stages[0].sigmas
    assert min(upper.sigmas[:-1]) > 0.8 >= max(lower.sigmas)
    source = Source.from_noise(normal(3, *SIZE))
    one, other = (sample(bent, None, source, plan, 0).x for plan in (whole, split))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)  # as if there were no crossing


@pytest.mark.parametrize("shift", [1.0, 3.0, 9.0])
def test_early_steps_at_two_sizes_are_own_noise_with_the_early_spread(shift: float) -> None:
    """Stages, levels and crossing; run where both sizes and all of full size are guided."""
    first = max(shift, min(12.0, 4 * shift))
    same, plan = own_noise(shift, (2, 4), switch=0.95), early_own(shift, guided_above=0.7)
    half, full = same.stages
    half, full = half.spread(first / 2, shift / 2), full.spread(first, shift)
    levels = (*plan.stages[1].sigmas, *(s for one in plan.stages[2:] for s in one.sigmas[1:]))
    assert plan.stages[0].sigmas == half.sigmas and levels == full.sigmas
    assert plan.crossings[0] == same.crossings[0] and plan.model_shift == shift
    assert all(s.straight_guidance and s.restrained and s.order == 2 for s in plan.stages)
    assert [(s.settles, s.corrected) for s in plan.stages[:2]] == [(0.0, False), (0.5, True)]
    assert all(one.settles == 0.5 and one.corrected for one in plan.stages[2:])
    assert [one.guided for one in plan.stages] == [True, True, False][: len(plan.stages)]
    assert all(sigma > 0.7 for sigma in plan.stages[1].sigmas[:-1])
    assert all(one.start <= 0.7 for one in plan.stages[2:])
    assert plan.name == "early own noise 2-4, guided above 0.7"
    source = Source.from_noise(normal(3, *SIZE))
    guided = early_own(shift)
    assert guided.name == "early own noise 2-4" and len(guided.stages) == 2
    half = replace(half, restrained=True)
    settled = replace(
        same, stages=(half, replace(full, settles=0.5, restrained=True, corrected=True))
    )
    one, other = (sample(bent, None, source, some, 0).x for some in (guided, settled))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)  # nothing here adds guidance


def test_guidance_must_reach_a_step() -> None:
    with pytest.raises(ValueError, match="got guided_above 1: choose it below 1"):
        plain(3.0, (6,), guided_above=1.0)
    with pytest.raises(ValueError, match=r"got guided_above 0.98: choose it below 0.974"):
        early_own(3.0, guided_above=0.98)


def test_onward_stays_at_full_size() -> None:
    with pytest.raises(ValueError, match="from full to full, got half to full"):
        Onward(0.5).check(HALF, FULL)
