"""Steps that are mended when the velocity at their end is known."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from closed_form import gaussian, gaussian_end
from runs import end_of, normal, with_stages

from ralu_core import Layout
from ralu_core.latents.states import Guided, Memory
from ralu_core.plans import plain
from ralu_core.solvers import Denoise
from ralu_core.steps import Steps, trusted

MARK = 0.5  # how far an item's velocity turns


def towards(velocity_at) -> Denoise:
    """A denoiser whose velocity depends on the level alone."""
    return lambda x, sigma, layout: x - sigma * velocity_at(sigma)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_velocity_that_is_even_in_sigma_is_met(order: int, shift: float) -> None:
    """The first step, which has no slope, is mended, and so is every one but the last."""
    a, b = normal(2, 1, 2, 4, 4).double(), normal(3, 1, 2, 4, 4).double()
    denoise, noise = towards(lambda sigma: a + b * sigma), normal(1, 1, 2, 4, 4).double()
    bare = plain(shift, (5,), order=order)
    mended = with_stages(bare, corrected=True)
    last, end = mended.stages[0].sigmas[-2:]
    exact = noise - a - b / 2
    if order == 1:  # the last step goes by its start, and nothing mends it
        exact = exact + (end - last) * (last - end) / 2 * b
    torch.testing.assert_close(end_of(mended, denoise, noise), exact, rtol=0, atol=1e-12)
    without = end_of(bare, denoise, noise)
    assert (without - exact).abs().max() > 1e-3


@pytest.mark.parametrize(("order", "restrained"), [(1, False), (2, False), (2, True)])
def test_mended_steps_are_of_second_order(order: int, restrained: bool) -> None:
    """On the flow of a Gaussian, whose end is known; Euler's steps and restrained ones gain."""
    noise = normal(1, 1, 2, 8, 8).double()
    exact = gaussian_end(noise, 1.0, 0.5, 0.8)

    def error(steps: int, corrected: bool) -> float:
        plan = plain(5.0, (steps,), order=order)
        plan = with_stages(plan, restrained=restrained, corrected=corrected)
        return (end_of(plan, gaussian(0.5, 0.8), noise) - exact).norm().item()

    assert error(400, True) / error(800, True) > 2.5  # the first order has 2, the second 4
    if order == 1 or restrained:
        assert error(6, True) < 0.9 * error(6, False)


def test_the_rule_spelled_out_with_guidance_that_goes_straight() -> None:
    without, added = gaussian(0.5, 0.8), gaussian(-0.7, 0.3)
    plan = plain(3.0, (5,), order=2, settles=True)
    plan = with_stages(plan, straight_guidance=True, corrected=True)

    def denoise(x: torch.Tensor, sigma: float, layout: Layout | None) -> Guided:
        base = without(x, sigma, layout)
        return Guided(base + 6 * (base - added(x, sigma, layout)), base)

    def turned(new: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
        ratio = (new - old).flatten(1).norm(dim=1) / old.flatten(1).norm(dim=1)
        return ratio[:, None, None, None]

    def share(new: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
        return (2 / turned(new, old) - 1).clamp(0, 1)

    noise = normal(1, 2, 2, 8, 8).double()
    x, before = noise, None
    for sigma, following in pairwise(plan.stages[0].sigmas):
        guided, base = denoise(x, sigma, None).denoised, without(x, sigma, None)
        v, g = (x - base) / sigma, (base - guided) / sigma
        went, held = v, g
        if before is not None:
            level, old_v, old_g, old_went, old_held = before
            if following > 0:
                went = v + (following - sigma) / (sigma - level) / 2 * (v - old_v)
                held = (1 / turned(g, old_g)).clamp(max=1) * g
            mended = share(v, old_v) * ((v + old_v) / 2 - old_went)
            mended = mended + share(g, old_g) * ((g + old_g) / 2 - old_held)
            x = x + (sigma - level) * mended
        before = sigma, v, g, went, held
        x = x + (following - sigma) * (went + held)
    torch.testing.assert_close(end_of(plan, denoise, noise), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("turn", "share"), [(0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (1.25, 0.6), (1.6, 0.25), (2.0, 0.0)]
)
def test_how_far_a_step_is_trusted(turn: float, share: float) -> None:
    """Of each item by itself, whatever lies beside it."""
    before = normal(1, 3, 2, 4, 4).double()
    turns = torch.tensor([turn, MARK, 3.0], dtype=torch.float64)[:, None, None, None]
    away = normal(2, 3, 2, 4, 4).double()
    away = away * (before.flatten(1).norm(dim=1) / away.flatten(1).norm(dim=1))[:, None, None, None]
    found = trusted(before + turns * away, before)
    assert found.shape == (3, 1, 1, 1)
    assert found.flatten().tolist() == pytest.approx([share, 1.0, 0.0])


@pytest.mark.parametrize("turned", [False, True])
def test_nothing_to_compare_with_is_no_trouble(turned: bool) -> None:
    """Guidance that is 0 until now: what came of nothing is not trusted, and nothing is NaN."""
    nothing = torch.zeros(1, 2, 4, 4)
    assert trusted(nothing + float(turned), nothing).item() == (0.0 if turned else 1.0)


@pytest.mark.parametrize(
    ("turn", "held"), [(0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (1.25, 0.8), (2.0, 0.5)]
)
@pytest.mark.parametrize("straight", [False, True])
def test_guidance_that_turned_goes_on_by_less(turn: float, held: float, straight: bool) -> None:
    """Of each item by itself; after nothing there is nothing to tell by, and the last step ends on
    the clean estimate."""
    guidance = 0.1 * normal(1, 3, 2, 4, 4).double()
    away = normal(2, 3, 2, 4, 4).double()
    away = (
        away * (guidance.flatten(1).norm(dim=1) / away.flatten(1).norm(dim=1))[:, None, None, None]
    )
    turns = torch.tensor([turn, 4.0, 0.0], dtype=torch.float64)[:, None, None, None]
    kept = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)[:, None, None, None]
    steps, x = Steps(2), torch.zeros_like(guidance)
    levels = (1.0, 0.75), (0.75, 0.0 if straight else 0.5)
    for (sigma, following), added in zip(
        levels, (kept * guidance, guidance + turns * away), strict=True
    ):
        unguided = x  # without guidance nothing would move
        after = steps.take(x, unguided - sigma * added, sigma, following, straight, unguided)
        went, x = (after - x) / (following - sigma), after
    shares = torch.ones(3) if straight else torch.tensor([held, 0.25, 1.0])
    torch.testing.assert_close(went, shares.double()[:, None, None, None] * added)


@pytest.mark.parametrize("pull", [0.8, 1.2, 1.9])
def test_a_stiff_velocity_stays_bounded(pull: float) -> None:
    """Steps that turn a velocity by `pull` times itself are stable by Euler's rule until 2, and by
    the mended one only while it is trusted no further than that."""
    x, steps = torch.ones(1, 1, 1, 1, dtype=torch.float64), Steps(1, corrected=True)
    for number in range(60):  # levels a unit apart, falling
        sigma = 100.0 - number
        x = steps.take(x, x + sigma * pull * -x, sigma, sigma - 1)
        assert x.abs() < 3
    assert x.abs() < 0.1


def test_what_is_kept_is_not_mended() -> None:
    keep = torch.zeros(1, 1, 4, 4)
    keep[..., 2:] = 1
    ends = []
    for corrected in (False, True):
        x, steps = torch.ones(1, 2, 4, 4), Steps(2, corrected=corrected)
        for sigma, following in pairwise((1.0, 0.8, 0.5, 0.2)):
            x = steps.take(x, x - sigma * (1 + sigma**2), sigma, following, within=keep)
        ends.append(x)
    assert torch.equal(ends[0][..., :2], ends[1][..., :2])
    assert (ends[0] - ends[1])[..., 2:].abs().min() > 1e-3


@pytest.mark.parametrize("guided", [False, True])
def test_what_is_kept_tells_nothing_of_what_is_painted(guided: bool) -> None:
    """A mask's painted part goes as it would alone: turns are measured there."""
    paint = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    paint[..., :2] = 1
    levels = tuple(pairwise((1.0, 0.85, 0.6, 0.3)))
    unguided, denoised = (30 * normal(n, 3, 1, 2, 4, 4).double() for n in (4, 5))
    unguided[..., :2] /= 10
    denoised[..., :2] /= 15

    def end(columns: slice, within: torch.Tensor | None) -> torch.Tensor:
        x = normal(6, 1, 2, 4, 4).double()[..., columns]
        steps = Steps(2, corrected=True)
        for (sigma, following), base, estimate in zip(levels, unguided, denoised, strict=True):
            base, estimate = base[..., columns], estimate[..., columns]
            without = base if guided else None
            x = steps.take(x, estimate, sigma, following, unguided=without, within=within)
        return x

    masked = end(slice(None), paint)
    alone, all_counts = end(slice(2), None), end(slice(None), None)
    torch.testing.assert_close(masked[..., :2], alone)
    assert (all_counts[..., :2] - alone).abs().max() > 1e-2


@pytest.mark.parametrize("settles", [0.0, 0.5])
def test_what_is_kept_stays_on_its_line_and_what_is_set_free_begins_anew(settles: float) -> None:
    """Kept, x is (1 - sigma) clean + sigma noise; then it goes as from a first step there."""
    clean, noise = normal(1, 1, 2, 4, 4).double(), normal(2, 1, 2, 4, 4).double()
    levels = tuple(pairwise((1.0, 0.8, 0.5, 0.2, 0.0)))
    masks = [torch.tensor([1.0, 0.0, 0.0, 1.0]).expand(1, 1, 4, 4)] * 2
    masks += [torch.tensor([1.0, 1.0, 0.0, 1.0]).expand(1, 1, 4, 4)] * 2

    def end(of_masks: list[torch.Tensor | None], start: int = 0) -> torch.Tensor:
        sigma = levels[start][0]
        x, steps = (1 - sigma) * clean + sigma * noise, Steps(2, corrected=True)
        for number, (level, following) in enumerate(levels[start:], start):
            mask, drawn = of_masks[number], normal(10 + number, 1, 2, 4, 4).double()
            estimate = drawn if mask is None else torch.where(mask == 1, drawn, clean)
            x = steps.take(x, estimate, level, following, settles * (following == 0), within=mask)
        return x

    ended = end(list(masks))
    torch.testing.assert_close(ended[..., 2], clean[..., 2], rtol=0, atol=1e-12)
    column = slice(1, 2)
    freed = torch.zeros(1, 1, 4, 4)
    freed[..., column] = 1  # alone, so that it alone says how far velocities turn
    alone = end([torch.zeros(1, 1, 4, 4)] * 2 + [freed] * 2)
    anew = end([freed] * 4, start=2)
    torch.testing.assert_close(alone[..., column], anew[..., column], rtol=0, atol=1e-12)


@pytest.mark.parametrize("corrected", [False, True])
def test_guidance_after_a_step_without_it_is_whole(corrected: bool) -> None:
    """As after a first step: nothing tells how it turns, and nothing is mended by it."""
    x, added = normal(1, 1, 2, 4, 4).double(), normal(2, 1, 2, 4, 4).double()
    steps = Steps(2, corrected=corrected)
    x = steps.take(x, x, 1.0, 0.75)
    after = steps.take(x, x - 0.75 * added, 0.75, 0.5, unguided=x)
    torch.testing.assert_close(after, x - 0.25 * added)


@pytest.mark.parametrize("corrected", [False, True])
def test_a_step_without_guidance_after_one_with_it_mends_none(corrected: bool) -> None:
    x, added = normal(1, 1, 2, 4, 4).double(), normal(2, 1, 2, 4, 4).double()
    steps = Steps(2, corrected=corrected)
    x = steps.take(x, x - added, 1.0, 0.75, unguided=x)
    assert torch.equal(steps.take(x, x, 0.75, 0.5), x)


def test_a_memory_bends_what_is_painted_alone() -> None:
    x, velocity, before = (normal(n, 1, 2, 4, 4).double() for n in (1, 2, 3))
    paint = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    paint[..., :2] = 1
    steps = Steps(2, Memory(0.9, before, held=lambda fine: fine))
    after = steps.take(x, x - 0.8 * velocity, 0.8, 0.7, within=paint)
    went = velocity + paint * 0.5 * (velocity - before)
    torch.testing.assert_close(after, x - 0.1 * went, rtol=0, atol=1e-12)


@pytest.mark.parametrize("level", [float, torch.tensor])
@pytest.mark.parametrize("following", [0.7, 0.5])
def test_a_restrained_step_bends_no_further_than_one_as_long_as_the_last(
    level, following: float
) -> None:
    """Whether hosts tell levels as numbers or as tensors."""
    x, first, second = (normal(n, 1, 2, 4, 4) for n in (1, 2, 3))
    steps = Steps(2, restrained=True)
    x = steps.take(x, x - first, level(1.0), level(0.9))
    after = steps.take(x, x - 0.9 * second, level(0.9), level(following))
    went = second + 0.5 * (second - first)
    torch.testing.assert_close(after, x + (following - 0.9) * went)


@pytest.mark.parametrize("level", [float, torch.tensor])
@pytest.mark.parametrize("restrained", [False, True])
def test_a_level_that_repeats_changes_nothing_and_tells_no_slope(level, restrained: bool) -> None:
    """As a schedule's rounded levels do; the step after it is Euler's, the next bends again."""
    denoise, noise = gaussian(0.5, 0.8), normal(1, 1, 2, 4, 4).double()

    def run(steps: Steps, x: torch.Tensor, *levels: float) -> torch.Tensor:
        for sigma, following in pairwise(levels):
            x = steps.take(x, denoise(x, sigma, None), level(sigma), level(following))
        return x

    repeated = run(Steps(2, restrained=restrained), noise, 0.9, 0.7, 0.7, 0.4, 0.1)
    anew = run(Steps(2, restrained=restrained), noise, 0.9, 0.7)
    torch.testing.assert_close(
        repeated, run(Steps(2, restrained=restrained), anew, 0.7, 0.4, 0.1), rtol=0, atol=1e-12
    )
    mended = run(Steps(2, restrained=restrained, corrected=True), noise, 0.9, 0.7, 0.7, 0.4, 0.1)
    assert torch.isfinite(mended).all()
