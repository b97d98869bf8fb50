"""What a stage and a plan are, whatever method made them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from runs import PLAN, chain

from ralu_core import Plan, Stage
from ralu_core.crossings import Matched, Renoised, Repeated
from ralu_core.latents.flow import spaced_levels
from ralu_core.latents.grid import FULL, HALF, MIXED
from ralu_core.plans import early, named_plan
from ralu_core.plans.presets import FLUX_DEV_SHIFT

HALF_STAGE = Stage(HALF, (1.0, 0.9, 0.7))
UP = Matched(0.7, 4.0)


def full_stage(start: float, end: float = 0.0) -> Stage:
    return Stage.spaced(FULL, 3, start, end, shift=2.0)


@pytest.mark.parametrize(
    "sigmas", [(), (1.0,), (1.0, 1.0, 0.5), (0.5, 0.7), (1.1, 0.5), (0.5, -0.1), (1.0, math.nan)]
)
def test_sigmas_must_fall(sigmas: tuple) -> None:
    with pytest.raises(ValueError, match=r"sigmas must fall from at most 1 .*: for example"):
        Stage(HALF, sigmas)


@pytest.mark.parametrize("ratio", [None, 0.0, 1.0, math.nan])
def test_a_mixed_stage_needs_a_ratio(ratio: float | None) -> None:
    with pytest.raises(ValueError, match="Ratio must lie between 0 and 1"):
        Stage(MIXED, (1.0, 0.5), ratio=ratio)


@pytest.mark.parametrize("shift", [1.0, 3.0, FLUX_DEV_SHIFT, 6.0, 15.0])
@pytest.mark.parametrize("count", [4, 5, 6, 10])
@pytest.mark.parametrize(
    ("words", "times"),
    [("", 4.0), (", guided above 0.7", 4.0), (", from 2.5 times the shift", 2.5)],
)
def test_early_plans_begin_close_at_high_noise_and_end_as_the_model_does(
    count: int, words: str, times: float, shift: float
) -> None:
    name, first = f"early second order {count}{words}", max(shift, min(times * shift, 12.0))
    plan = named_plan(name, shift)
    levels = (*plan.stages[0].sigmas, *(s for stage in plan.stages[1:] for s in stage.sigmas[1:]))
    assert levels == pytest.approx(spaced_levels(first, 1.0, 0.0, count, shift))
    assert all((one.shift, one.end_shift) == (first, shift) for one in plan.stages)
    assert plan.model_shift == shift and plan.name == name
    assert all(one.straight_guidance and one.order == 2 for one in plan.stages)
    assert all(one.settles == 0.5 for one in plan.stages)
    assert all(one.restrained and one.corrected for one in plan.stages)
    first, *others = plan.stages
    assert first.guided and (
        "guided" not in words or all(sigma > 0.7 for sigma in first.sigmas[:-1])
    )
    assert len(others) == (1 if "guided" in words and levels[-2] <= 0.7 else 0)
    assert all(not one.guided and one.start <= 0.7 for one in others)


@pytest.mark.parametrize("times", [0.5, math.nan])
def test_early_steps_begin_at_no_less_than_the_models_shift(times: float) -> None:
    assert early(3.0, (6,), times=1.0).stages[0].shift == 3.0
    with pytest.raises(ValueError, match=f"time the model's or more, got {times:g}: try 4"):
        early(3.0, (6,), times=times)


@pytest.mark.parametrize("end_shift", [5.0, 0.0, -1.0])
def test_a_stage_has_a_falling_shift(end_shift: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 and at most that at its start"):
        Stage(FULL, (1.0, 0.5, 0.0), 3.0, end_shift=end_shift)


def test_stages_are_numbered_one_after_another() -> None:
    """By its number a stage has noise of its own."""
    made = PLAN
    alike = tuple(replace(stage, number=1) for stage in made.stages)
    with pytest.raises(ValueError, match=r"got \[1, 1, 1\]: make the plan by `Plan.of`"):
        replace(made, stages=alike)


def test_unknown_views_are_told_of_any_plan() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        named_plan("plain", 3.0).seeing("nonsense")


@pytest.mark.parametrize("order", [0, 3])
def test_orders_are_one_and_two(order: int) -> None:
    with pytest.raises(ValueError, match=f"order must be 1 or 2, got {order}: 1 is Euler"):
        Stage(FULL, (1.0, 0.5), order=order)


def test_steps_before_the_regions_are_those_of_the_stage_before() -> None:
    assert PLAN.steps_before_regions == PLAN.stages[0].steps > 0
    later = PLAN.begun_at(PLAN.stages[2].start)
    assert later.stages[0].grid is MIXED and later.steps_before_regions == 0
    assert named_plan("second order 10", FLUX_DEV_SHIFT).steps_before_regions == 0


def test_views_are_of_a_mixed_stage_and_known() -> None:
    assert Stage(MIXED, (1.0, 0.5), ratio=0.3).views == "paper"
    assert Stage(MIXED, (1.0, 0.5), ratio=0.3, views="views").views == "views"
    with pytest.raises(ValueError, match="Only a mixed stage has views, got 'views' on the full"):
        Stage(FULL, (1.0, 0.5), views="views")
    with pytest.raises(ValueError, match="one of paper; views; views, one text, got 'mine'"):
        Stage(MIXED, (1.0, 0.5), ratio=0.3, views="mine")


@pytest.mark.parametrize("stages", [0, 2, 3])
def test_there_is_a_crossing_between_each_two_stages(stages: int) -> None:
    ends = [full_stage(1.0)] * stages
    crossings = [] if stages != 3 else [Repeated(0.5)]
    with pytest.raises(ValueError, match=f"each two stages, got {stages} stages and .*: add or"):
        Plan.of("plan", ends, crossings)


@pytest.mark.parametrize(
    ("crossing", "start"),
    [
        (Matched(0.69, 4.0), Matched(0.69, 4.0).start_sigma),
        (UP, 0.8),
        (UP, UP.start_sigma + 1e-5),
    ],
)
def test_levels_must_meet(crossing: Matched, start: float) -> None:
    Plan.of("plan", [HALF_STAGE, full_stage(UP.start_sigma)], [UP])
    with pytest.raises(ValueError, match=r"lead from the end of one stage \(0\.7\) to the start"):
        Plan.of("plan", [HALF_STAGE, full_stage(start)], [crossing])


def test_a_crossing_must_fit_its_grids() -> None:
    stages = full_stage(1.0, 0.7), Stage(HALF, (0.7, 0.4)), full_stage(0.4)
    up = Renoised(0.4)
    with pytest.raises(ValueError, match="Repeated leads from half to full, got full to half: use"):
        Plan.of("plan", stages, [Repeated(0.7), up])
    Plan.of("plan", stages, [Renoised(0.7), up])


@pytest.mark.parametrize(
    ("last", "got"), [(full_stage(1.0, 0.1), "full and 0.1"), (Stage(HALF, (0.7, 0.0)), "half and")]
)
def test_a_plan_ends_with_a_whole_picture(last: Stage, got: str) -> None:
    with pytest.raises(ValueError, match=f"end at full size and at sigma 0, got {got}"):
        Plan.of("plan", [last], ())


def test_growth_and_model_shift_are_those_of_the_plan() -> None:
    plan = chain((FULL, HALF, FULL)).growing_by("lanczos")
    down, up = plan.crossings
    assert isinstance(down, Renoised) and isinstance(up, Matched) and up.growth == "lanczos"
    with pytest.raises(ValueError, match=r"Model shift must be above 0 .*, got nan"):
        replace(plan, model_shift=math.nan)


def test_tokens_are_those_of_the_grids() -> None:
    plan = chain((HALF, MIXED, FULL, HALF, FULL))
    assert plan.tokens(64, 64) == (1024, 1945, 4096, 1024, 4096)
    assert plan.ratio == 0.3 and chain((HALF, FULL)).ratio is None


@pytest.mark.parametrize("grids", [(FULL,), (HALF, FULL), (FULL, HALF, FULL), (HALF, MIXED, FULL)])
def test_begun_at_keeps_the_numbers_and_never_rises(grids: tuple) -> None:
    plan = chain(grids)
    for start in (step / 50 for step in range(1, 51)):
        run = plan.begun_at(start)
        assert run.stages[0].start == start
        assert max(stage.start for stage in run.stages) == start
        assert run.stages[-1].end == 0
        assert [stage.number for stage in run.stages] == [
            stage.number for stage in plan.stages[len(plan.stages) - len(run.stages) :]
        ]
        assert run.stages[1:] == plan.stages[len(plan.stages) - len(run.stages) + 1 :]


def test_no_later_stage_may_start_above_the_begin() -> None:
    """Not the next alone: here the third starts highest."""
    jump = Renoised(0.4, jump=9.0)
    stages = [full_stage(1.0, 0.8), Stage(HALF, (0.8, 0.7)), full_stage(0.7, 0.5)]
    stages += [Stage(HALF, (0.5, 0.4)), full_stage(jump.start_sigma)]
    crossings = [Renoised(0.8), Repeated(0.7), Renoised(0.5), jump]
    plan = Plan.of("plan", stages, crossings)
    assert jump.start_sigma > 0.85
    assert [stage.number for stage in plan.begun_at(0.84).stages] == [5]
    assert [stage.number for stage in plan.begun_at(jump.start_sigma).stages] == [1, 2, 3, 4, 5]
    assert [stage.number for stage in plan.begun_at(0.9).stages] == [1, 2, 3, 4, 5]


def test_a_run_that_begins_late_is_not_made_longer() -> None:
    late = PLAN.begun_at(0.95)
    assert late.begun_at(1.0) == late
    with pytest.raises(ValueError, match=r"above 0 and at most 0.95, got 0.97; 1 runs the whole"):
        late.begun_at(0.97)


@pytest.mark.parametrize("start", [0.2, 0.3])
def test_a_run_begins_above_what_it_leaves(start: float) -> None:
    with pytest.raises(ValueError, match=r"above 0.3 and at most 1, got 0.\d; 1 runs the whole"):
        PLAN.ended_at(0.3).begun_at(start)


def test_parts_of_a_stage_whose_shift_falls_are_spread_as_it_is() -> None:
    whole = full_stage(1.0).spread(12.0, 3.0)
    assert whole.sigmas == spaced_levels(12.0, 1.0, 0.0, 3, 3.0)
    for k, level in enumerate(whole.sigmas[1:-1], 1):
        assert whole.ended_at(level).sigmas == pytest.approx(whole.sigmas[: k + 1])
        assert whole.begun_at(level).sigmas == pytest.approx(whole.sigmas[k:])
    begun = whole.begun_at(0.8)
    assert begun.sigmas == spaced_levels(12.0, 0.8, 0.0, begun.steps, 3.0)


def test_a_stages_levels_are_floats_however_they_are_given() -> None:
    stage = Stage(FULL, (1.0, 0.5, 0.0))
    for levels in ([1, 0.5, 0], torch.tensor([1, 0.5, 0]), np.array([1, 0.5, 0])):
        other = Stage(FULL, levels)  # type: ignore[arg-type]
        assert other == stage and hash(other) == hash(stage)


def test_full_size_alone_needs_no_whole_coarse_tokens() -> None:
    """As `sample` needs none for it."""
    assert named_plan("early second order 6").tokens(15, 17) == (255,)
    with pytest.raises(ValueError, match="an even, positive number of tokens each way, got 15 x 1"):
        named_plan("FLUX 7x").tokens(15, 17)
    with pytest.raises(ValueError, match="a positive number of tokens each way, got 0 x 4; "):
        named_plan("plain").tokens(0, 4)
