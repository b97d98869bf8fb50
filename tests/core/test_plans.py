"""The laws that every named plan obeys, and the plans of other methods."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from closed_form import Known
from runs import LATENT, SIZE, normal, with_stages

from ralu_core import Frame, Plan, Source, sample
from ralu_core.__main__ import FLUX_DEV
from ralu_core.cost import References
from ralu_core.crossings import Matched, Renoised, Repeated
from ralu_core.latents.flow import shift_sigma, spaced_levels
from ralu_core.latents.grid import FULL, HALF
from ralu_core.plans import (
    bottleneck,
    early,
    early_own,
    named_plan,
    names,
    own_noise,
    plain,
    ralu,
    two_sizes,
)
from ralu_core.plans.ralu import matching_numbers, noise_jump
from ralu_core.plans.text import PlanFacts

SHIFTS = (1.0, 3.0, 7.5)
# What makes a plan of steps alone, and how many numbers of them it takes.
OF_STEPS = {plain: 1, early: 1, two_sizes: 2, own_noise: 2, early_own: 2, bottleneck: 3}


@pytest.fixture(params=[(name, shift) for name in names() for shift in SHIFTS], ids=str)
def plan(request: pytest.FixtureRequest) -> Plan:
    name, shift = request.param
    return named_plan(name, shift)


def by_euler(plan: Plan) -> Plan:
    """Its steps of first order, which end exactly where a model knows its picture."""
    return with_stages(plan, order=1)


@pytest.mark.parametrize("name", names())
def test_a_plan_may_be_copied_and_sent_elsewhere(name: str) -> None:
    plan = named_plan(name, 3.0)
    for again in (copy.deepcopy(plan), pickle.loads(pickle.dumps(plan))):
        assert again == plan and again is not plan
        kept = zip(again.stages, plan.stages, strict=True)
        assert all(one.grid is other.grid for one, other in kept)
        assert again.is_full == plan.is_full and again.begun_at(0.5) == plan.begun_at(0.5)


@pytest.mark.parametrize("maker", OF_STEPS)
def test_a_plan_takes_one_number_of_steps_per_stage(maker: Callable) -> None:
    count = OF_STEPS[maker]
    rule = rf"Steps must be {count} numbers?, one per stage, got \(.*\): add or remove some\."
    for wrong in (0, count - 1, count + 1):
        with pytest.raises(ValueError, match=rule):
            maker(3.0, (2,) * wrong)


@pytest.mark.parametrize("steps", [0, -1, 1.5, 2.0, "2", None, True, 1001])
@pytest.mark.parametrize("maker", OF_STEPS)
def test_steps_of_a_plan_are_whole_numbers(maker: Callable, steps: object) -> None:
    for place in range(OF_STEPS[maker]):
        values: list[object] = [2] * OF_STEPS[maker]
        values[place] = steps
        with pytest.raises(ValueError, match="Steps must be whole numbers from 1 to 1000, one per"):
            maker(3.0, values)


@pytest.mark.parametrize("shift", [1.0, 3.0, 25.0])
@pytest.mark.parametrize("name", names())
def test_a_named_plan_has_its_name(name: str, shift: float) -> None:
    assert named_plan(name, shift).name == name


def test_levels_fall_within_stages_from_one_to_zero(plan: Plan) -> None:
    assert plan.stages[0].start == 1 and plan.stages[-1].end == 0
    for stage in plan.stages:
        assert all(a > b for a, b in pairwise(stage.sigmas))
    assert plan.stages[-1].grid is FULL  # or the run would end at another size


def test_stages_are_numbered_and_crossings_meet_them(plan: Plan) -> None:
    assert [stage.number for stage in plan.stages] == list(range(1, len(plan.stages) + 1))
    for crossing, (before, after) in zip(plan.crossings, pairwise(plan.stages), strict=True):
        assert crossing.end_sigma == pytest.approx(before.end, abs=1e-9)
        assert crossing.start_sigma == pytest.approx(after.start, abs=1e-9)


def test_it_samples_what_the_model_knows(plan: Plan) -> None:
    target = normal(1, *SIZE)
    model = Known(target)
    result = sample(model, None, Source.from_noise(normal(3, *SIZE)), by_euler(plan), 0, LATENT)
    torch.testing.assert_close(result.x, target, rtol=0, atol=1e-5)
    levels = [sigma for stage in plan.stages for sigma in stage.sigmas[:-1]]
    assert [sigma for _, sigma in model.calls] == levels
    assert len(levels) == plan.total_steps
    assert (result.layout is None) == (plan.ratio is None)


def test_it_may_begin_at_any_level(plan: Plan) -> None:
    target, clean = normal(1, *SIZE), normal(2, *SIZE)
    source = Source(normal(3, *SIZE), clean, clean[..., ::2, ::2])
    for start in (0.97, 0.8, 0.5, 0.05):
        run = by_euler(plan).begun_at(start)
        assert run.stages[0].start == start
        result = sample(Known(target), None, source, run, 0, LATENT)
        torch.testing.assert_close(result.x, target, rtol=0, atol=1e-5)


def test_its_tokens_are_counted(plan: Plan) -> None:
    whole = plan.tokens(32, 48)
    assert len(whole) == len(plan.stages) and whole[-1] == 32 * 48
    assert all(32 * 48 // 4 <= count <= 32 * 48 for count in whole)


def test_it_is_told_in_words(plan: Plan) -> None:
    frame = Frame.of_picture(1024, 768)
    cost = FLUX_DEV
    speed_up = cost.speed_up(plan, *frame.fine_grid, 50)
    lines = PlanFacts(plan, frame, 50, speed_up).lines()
    assert lines[0].startswith(f"{plan.name}: {plan.total_steps} steps")
    told = [line for line in lines if line.startswith("stage ")]
    assert len(told) == len(plan.stages)
    for line, count in zip(told, plan.tokens(*frame.fine_grid), strict=True):
        assert line.endswith(f", {count} tokens")
    assert lines[-1] == (
        f"predicted at 768x1024: {speed_up:.2f}x fewer model FLOPs than 50 plain steps"
    )
    assert any("JS distance" in line for line in lines) == (matching_numbers(plan) is not None)


@pytest.mark.parametrize("name", ["FLUX 5x", "own noise 3-5", "plain"])
def test_references_are_counted_in_every_call(name: str) -> None:
    plan = named_plan(name)
    tokens, half = 4096, 1024
    full, pooled = References(tokens), References(tokens, half)
    stages, counts = FLUX_DEV.stage_flops(plan, 64, 64, references=pooled), plan.tokens(64, 64)
    for stage, count, flops in zip(plan.stages, counts, stages, strict=True):
        read = half if stage.grid is HALF else tokens
        assert flops == stage.steps * FLUX_DEV.flops(count + read)
    saved = [FLUX_DEV.speed_up(plan, 64, 64, 50, references=one) for one in (pooled, full)]
    alone = FLUX_DEV.speed_up(plan, 64, 64, 50)
    if any(stage.grid is HALF for stage in plan.stages):
        assert min(alone, saved[0]) > saved[1]
    else:
        assert alone == pytest.approx(saved[0]) and saved[0] == saved[1]


def test_a_saving_is_told_of_the_users_own_steps_first_and_never_as_a_fraction() -> None:
    plan, frame = named_plan("FLUX 5x"), Frame.of_picture(1024, 1024)
    speed_up = FLUX_DEV.speed_up(plan, *frame.fine_grid, 50)
    facts = PlanFacts(plan, frame, 50, speed_up, own_steps=4)
    assert facts.saving == (
        f"{50 / speed_up / 4:.2f}x more model FLOPs than 4 plain steps; published: "
        f"{speed_up:.2f}x fewer model FLOPs than 50 plain steps"
    )
    assert facts.lines()[-1] == f"predicted at 1024x1024: {facts.saving}"
    unpublished = replace(facts, plan=replace(plan, baseline_steps=None))
    assert unpublished.saving == f"{50 / speed_up / 4:.2f}x more model FLOPs than 4 plain steps"


@pytest.mark.parametrize(
    ("name", "counts"), [("early second order 7", (63 * 63,)), ("FLUX 5x", (1024, 1636, 4096))]
)
def test_tokens_are_those_that_are_sampled_of_a_size_that_splits_into_no_patches(name, counts):
    plan, frame = named_plan(name), Frame.of_picture(1000, 1000)
    assert PlanFacts(plan, frame, 20, 1.0).tokens == counts


def test_one_step_is_no_steps() -> None:
    plan, frame = named_plan("4-step distilled"), Frame.of_picture(1024, 1024)
    lines = PlanFacts(plan, frame, 4, 1.0).lines()
    assert lines[2].startswith("stage 1: 1 step, sigma") and "stage 3: 2 steps, " in lines[4]


def test_plain_is_one_stage_on_the_models_levels() -> None:
    [stage] = plain(3.0, (20,)).stages
    assert stage.grid is FULL and stage.sigmas == spaced_levels(3.0, 1.0, 0.0, 20)
    assert plain(3.0, order=2).stages[0].order == 2
    assert noise_jump(plain(3.0)) is None
    assert noise_jump(own_noise(3.0)) is None  # its own noise has no jump of NT-Matching's


@pytest.mark.parametrize("fresh", [True, False])
def test_two_sizes_share_one_schedule(fresh: bool) -> None:
    plan = two_sizes(3.0, (8, 6), fresh=fresh)
    low, high = plan.stages
    assert (low.grid, high.grid, plan.steps) == (HALF, FULL, (8, 6))
    assert low.sigmas + high.sigmas[1:] == spaced_levels(3.0, 1.0, 0.0, 14)
    assert isinstance(plan.crossings[0], Renoised if fresh else Repeated)
    assert plan.name == ("two sizes" if fresh else "two sizes, repeated")
    own = two_sizes(3.0, (1, 2), sigmas=(1.0, 0.6, 0.3, 0.0))
    assert [stage.sigmas for stage in own.stages] == [(1.0, 0.6), (0.6, 0.3, 0.0)]


def test_bottleneck_is_full_half_full() -> None:
    plan = bottleneck(3.0, (1, 6, 4), turn=0.7, jump=2.0)
    assert [stage.grid for stage in plan.stages] == [FULL, HALF, FULL]
    first, low, last = plan.stages
    assert first.sigmas + low.sigmas[1:] == spaced_levels(3.0, 1.0, 0.7, 7)
    assert last.start == shift_sigma(2.0, 0.7) and not isinstance(plan.crossings[0], Matched)


@pytest.mark.parametrize("begins", ["whole", "later", "at the jump"])
def test_every_stage_sees_the_steps_of_the_whole_run(begins: str) -> None:
    """From where it begins, or above a stage that starts as high."""
    whole = ralu((2, 3, 2), (0.7, 0.55, 0.0), (4.4, 2.1, 2.0), 4.0, 0.3, 3.0)
    jump = whole.stages[1].start
    plan, done = whole.begun_at({"whole": 1.0, "later": 0.95, "at the jump": jump}[begins]), 0
    assert len(plan.stages) == 3
    for stage in plan.stages:
        levels = plan.levels_from(stage)
        assert len(levels) == plan.total_steps + 1
        assert levels[done : done + len(stage.sigmas)] == stage.sigmas
        as_high = done > 0 and stage.start == plan.stages[0].start
        assert levels[0] == (1.0 if as_high else plan.stages[0].start) and levels[-1] == 0
        assert all(a > b for a, b in pairwise(levels))
        done += stage.steps


@pytest.mark.parametrize(
    ("steps", "levels", "told"),
    [
        ((8, 6), 11, r"8 \+ 6 steps lie between 15 noise levels, got 11"),
        ((8, 6, 2), 15, "Steps must be 2 numbers, one per stage"),
        ((0, 6), 7, "Steps must be whole numbers from 1"),
    ],
)
def test_two_sizes_have_a_level_more_than_steps(steps: tuple, levels: int, told: str) -> None:
    sigmas = tuple(1 - k / (levels - 1) for k in range(levels))
    with pytest.raises(ValueError, match=told):
        two_sizes(3.0, steps, sigmas=sigmas)


@pytest.mark.parametrize("level", [0.0, 1.0, 1.5])
def test_where_half_size_ends_is_named(level: float) -> None:
    with pytest.raises(ValueError, match=f"The switch must lie between 0 and 1, .* got {level}"):
        own_noise(3.0, switch=level)
    with pytest.raises(ValueError, match=f"The turn must lie between 0 and 1, .* got {level}"):
        bottleneck(3.0, turn=level)


def test_two_sizes_take_levels_of_any_sequence() -> None:
    levels = (1.0, 0.8, 0.5, 0.0)
    plan = two_sizes(3.0, (1, 2), sigmas=np.array(levels))  # type: ignore[arg-type]
    assert plan == two_sizes(3.0, (1, 2), sigmas=levels)
    with pytest.raises(ValueError, match="lie between 4 noise levels, got 0"):
        two_sizes(3.0, (1, 2), sigmas=())
