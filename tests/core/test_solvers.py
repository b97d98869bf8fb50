"""The order of the steps."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from closed_form import gaussian, gaussian_end
from runs import end_of, normal, plan_of, with_stages

from ralu_core import (
    Layout,
    Plan,
    Source,
    Stage,
    sample,
)
from ralu_core.latents.grid import FULL
from ralu_core.latents.states import Guided
from ralu_core.plans import named_plan, plain


@pytest.mark.parametrize(("order", "ratio"), [(1, 2.0), (2, 4.0)])
def test_the_error_falls_with_the_order(order: int, ratio: float) -> None:
    """On the flow of a Gaussian, whose end is known; steps are uneven along the shift."""
    noise = normal(1, 1, 2, 8, 8).double()
    exact = gaussian_end(noise, 1.0, 0.5, 0.8)
    errors = [
        (end_of(plain(3.0, (steps,), order=order), gaussian(0.5, 0.8), noise) - exact).abs().max()
        for steps in (100, 200, 400)
    ]
    assert errors[0] / errors[1] == pytest.approx(ratio, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(ratio, rel=0.05)


def test_the_second_order_is_nearer_at_the_same_steps() -> None:
    noise = normal(1, 1, 2, 8, 8).double()
    exact = gaussian_end(noise, 1.0, 0.5, 0.8)
    first, second = (
        (end_of(plain(3.0, (20,), order=order), gaussian(0.5, 0.8), noise) - exact).abs().max()
        for order in (1, 2)
    )
    assert second < first / 3


@pytest.mark.parametrize("order", [1, 2])
def test_a_straight_flow_is_exact(order: int) -> None:
    noise, target = normal(1, 1, 2, 8, 8).double(), normal(2, 1, 2, 8, 8).double()
    x = end_of(plain(3.0, (7,), order=order), lambda x, sigma, layout: target, noise)
    torch.testing.assert_close(x, target, rtol=0, atol=1e-12)


@pytest.mark.parametrize("settles", [0.0, 0.5, 1.0])
def test_a_run_that_settles_ends_so_far_from_its_bend_to_the_clean_estimate(settles: float) -> None:
    """Its other steps are those of one that does not."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def denoise(x: torch.Tensor, sigma: float, layout: Layout | None) -> torch.Tensor:
        seen.append((x, gaussian(0.5, 0.8)(x, sigma, layout)))
        return seen[-1][1]

    noise = normal(1, 1, 2, 8, 8).double()
    bent = end_of(plain(3.0, (4,), order=2), denoise, noise)
    x = end_of(plain(3.0, (4,), order=2, settles=settles), denoise, noise)
    for (first, _), (second, _) in zip(seen[:4], seen[4:], strict=True):
        assert torch.equal(first, second)
    clean = seen[-1][1]
    assert not torch.allclose(bent, clean, rtol=0, atol=1e-2)
    torch.testing.assert_close(x, bent + settles * (clean - bent), rtol=0, atol=1e-12)


@pytest.mark.parametrize("settles", [-0.1, 1.1, math.nan])
def test_a_last_step_gives_up_a_share_of_its_bend(settles: float) -> None:
    with pytest.raises(ValueError, match=r"must lie between 0 and 1, got .*: 1 makes it Euler's"):
        plain(3.0, (4,), order=2, settles=settles)


def test_a_part_that_ends_before_the_picture_does_not_settle() -> None:
    noise = normal(1, 1, 2, 8, 8).double()
    settled, plain_end = (
        end_of(plain(3.0, (4,), order=2, settles=one).ended_at(0.3), gaussian(0.5, 0.8), noise)
        for one in (True, False)
    )
    assert torch.equal(settled, plain_end)


def test_the_second_order_is_exact_where_velocity_is_linear_in_sigma() -> None:
    """From its second step on; the first is Euler's. The levels are uneven."""
    levels = (0.9, 0.8, 0.55, 0.5, 0.1, 0.0)
    plan = Plan.of("steps", [Stage(FULL, levels, order=2)], ())
    noise = normal(1, 1, 1, 4, 4).double()

    def denoise(x: torch.Tensor, sigma: float, layout: Layout | None) -> torch.Tensor:
        return x - sigma * (0.7 + 3.0 * sigma)

    x = end_of(plan, denoise, noise)
    start = levels[0] * noise
    euler = start + (0.7 + 3.0 * levels[0]) * (levels[1] - levels[0])
    integral = 0.7 * (levels[-1] - levels[1]) + 1.5 * (levels[-1] ** 2 - levels[1] ** 2)
    torch.testing.assert_close(x, euler + integral, rtol=0, atol=1e-12)


def test_each_stage_begins_with_a_step_of_eulers() -> None:
    """A slope of another grid is no history of this one."""
    plan = with_stages(plan_of(steps=(1, 1, 1)), order=2)
    noise = normal(3, 1, 4, 16, 24)
    expected = end_of(plan_of(steps=(1, 1, 1)), gaussian(0.2, 0.8), noise)
    assert torch.equal(end_of(plan, gaussian(0.2, 0.8), noise), expected)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("settles", [0.5, 1.0])
def test_what_guidance_adds_goes_on_straight(parts: int, settles: float) -> None:
    """The rule spelled out; also where the plan goes on without guidance in a stage of its own."""
    without, added = gaussian(0.5, 0.8), gaussian(-0.7, 0.3)
    above = 0.8 if parts == 2 else 0
    plan = plain(3.0, (5,), order=2, settles=settles, guided_above=above)
    plan = with_stages(plan, straight_guidance=True)
    assert len(plan.stages) == parts
    guided = plan.stages[0].sigmas[: plan.stages[0].steps]
    sigmas = (*guided, *(plan.stages[1].sigmas if parts == 2 else (0.0,)))

    def strength(sigma: float) -> float:
        return -6.0 if sigma == guided[1] else 6.0  # so that it turns

    def denoise(x: torch.Tensor, sigma: float, layout: Layout | None) -> Guided | torch.Tensor:
        base = without(x, sigma, layout)
        if sigma not in guided:
            return base
        return Guided(base + strength(sigma) * (base - added(x, sigma, layout)), base)

    noise = normal(1, 1, 2, 8, 8).double()
    x, before, holds = noise, None, []
    for sigma, following in pairwise(sigmas):
        base = without(x, sigma, None)
        extra = strength(sigma) * (added(x, sigma, None) - base) / sigma * (sigma in guided)
        slope, turn, held = (x - base) / sigma, torch.zeros_like(base), extra
        if before is not None:
            turn = (following - sigma) / (sigma - before[0]) / 2 * (slope - before[1])
            turn = turn if following > 0 else (1 - settles) * turn
            if sigma in guided and following > 0:
                holds.append(min(1.0, (before[2].norm() / (extra - before[2]).norm()).item()))
                held = holds[-1] * extra
        before = sigma, slope, extra
        x = x + (following - sigma) * (slope + turn + held)
    assert min(holds) < 0.9  # what the rule takes away is seen here
    torch.testing.assert_close(end_of(plan, denoise, noise), x, rtol=0, atol=1e-12)
    bent = end_of(plain(3.0, (5,), order=2, settles=settles), denoise, noise)
    if parts == 1:
        assert not torch.allclose(bent, x, rtol=0, atol=1e-3)


@pytest.mark.parametrize("shift", [1.0, 5.0])
def test_restrained_steps_bend_no_further_than_even_ones(shift: float) -> None:
    """The rule spelled out; at shift 1 all steps are even, and it changes nothing."""
    plan = with_stages(plain(shift, (6,), order=2), restrained=True)
    denoise, noise = gaussian(0.5, 0.8), normal(1, 1, 2, 8, 8).double()
    x, before, bends = noise, None, []
    for sigma, following in pairwise(plan.stages[0].sigmas):
        slope, turn = (x - denoise(x, sigma, None)) / sigma, torch.zeros_like(x)
        if before is not None:
            bends.append((following - sigma) / (sigma - before[0]) / 2)
            turn = min(bends[-1], 0.5) * (slope - before[1])
        before = sigma, slope
        x = x + (following - sigma) * (slope + turn)
    ours = end_of(plan, denoise, noise)
    torch.testing.assert_close(ours, x, rtol=0, atol=1e-12)
    bent = end_of(plain(shift, (6,), order=2), denoise, noise)
    assert (max(bends) > 0.5 + 1e-9) is (shift > 1)
    assert torch.allclose(ours, bent, rtol=0, atol=1e-9) is (shift == 1)


@pytest.mark.parametrize("part", ["alone", "denoised", "unguided"])
def test_an_estimate_is_of_the_states_shape(part: str) -> None:
    """One of the first picture alone would be broadcast over the batch."""

    def denoise(x: torch.Tensor, _sigma: float, _layout: Layout | None) -> torch.Tensor | Guided:
        if part == "alone":
            return x[:1]
        return Guided(x[:1], x) if part == "denoised" else Guided(x, x[:1])

    source = Source.from_noise(normal(1, 2, 4, 8, 8))
    with pytest.raises(ValueError, match=r"the state's shape \(2, 4, 8, 8\), got \(1, 4, 8, 8\): "):
        sample(denoise, None, source, named_plan("early second order 6"), 0)
