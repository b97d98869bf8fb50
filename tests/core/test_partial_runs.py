"""Plans that begin later, and plans that leave noise to another run."""

from __future__ import annotations

import math

import pytest
import torch
from runs import PLAN

from ralu_core import Plan, Stage
from ralu_core.crossings import Matched
from ralu_core.latents.flow import spaced_levels
from ralu_core.latents.grid import FULL, HALF, MIXED
from ralu_core.plans import early, named_plan


def test_a_stage_without_a_shift_keeps_its_levels_below_a_later_start() -> None:
    stage = Stage(FULL, (1.0, 0.8, 0.5, 0.2, 0.0))
    assert stage.begun_at(0.6).sigmas == (0.6, 0.5, 0.2, 0.0)
    assert stage.begun_at(0.5).sigmas == (0.5, 0.2, 0.0)


def test_a_stage_ends_early_at_its_own_levels() -> None:
    bare = Stage(FULL, (1.0, 0.8, 0.5, 0.2, 0.0))
    assert bare.ended_at(0.6).sigmas == (1.0, 0.8, 0.6)
    whole = Stage.spaced(FULL, 8, 0.9, 0.0, shift=2.0)
    for k in range(1, 8):
        level = float(torch.tensor(whole.sigmas[k]))  # as hosts hand it on
        assert whole.ended_at(level).sigmas == pytest.approx(whole.sigmas[: k + 1])
        assert whole.begun_at(level).sigmas == pytest.approx(whole.sigmas[k:])
    assert whole.begun_at(1e-7).sigmas == (1e-7, 0.0)  # however little is left


@pytest.mark.parametrize("start", [0.2, 0.43, 0.56, 0.9])
@pytest.mark.parametrize("count", [5, 10])
def test_early_steps_are_as_many_in_a_run_that_begins_later(count: int, start: float) -> None:
    whole = early(3.0, (count,))
    begun = whole.begun_at(start)
    (stage,) = begun.stages
    assert begun.steps == whole.steps and stage.start == start and stage.end == 0.0
    assert stage.sigmas == pytest.approx(spaced_levels(12.0, start, 0.0, count, 3.0))
    assert len(begun.ended_at(start / 2).stages[0].sigmas) <= count


def test_early_steps_without_guidance_are_its_share_in_a_run_that_begins_later() -> None:
    plan = early(3.0, (10,), guided_above=0.7)
    lower = plan.stages[-1]
    assert not lower.guided
    begun = plan.begun_at(lower.sigmas[2])
    assert begun.stages[0].sigmas == pytest.approx(lower.sigmas[2:])


def test_a_plan_can_leave_noise_to_another_run() -> None:
    last = PLAN.stages[-1]
    part = PLAN.ended_at(0.3)
    assert part.ends[-1] == part.leaves == 0.3
    assert part.stages[:-1] == PLAN.stages[:-1] and part.crossings == PLAN.crossings
    assert PLAN.ended_at(0.0) == PLAN
    assert PLAN.begun_at(0.2).ended_at(0.1).stages[0].start == 0.2
    for level in (last.start, 1.0, -0.1, math.nan):
        with pytest.raises(ValueError, match=r"can stop at full size, from sigma .*: let it run"):
            PLAN.ended_at(level)


def test_a_plan_stops_in_an_earlier_stage_that_is_at_full_size() -> None:
    plan = named_plan("second order 6, guided above 0.8")
    upper, lower = plan.stages
    assert plan.full_from == 1.0
    assert [stage.number for stage in plan.ended_at(upper.end).stages] == [1]
    early, late = plan.ended_at(upper.sigmas[1]), plan.ended_at(lower.sigmas[1])
    assert early.ends == (upper.sigmas[1],) and early.crossings == ()
    assert late.ends == (upper.end, lower.sigmas[1]) and late.crossings == plan.crossings


def test_a_plan_whose_starts_rise_stops_after_the_last_stage_above() -> None:
    """Stage 2 begins below sigma .7, stage 3 above it."""
    crossings = Matched(0.5, 2.0), Matched(0.4, 10.0)
    starts = 1.0, *(one.start_sigma for one in crossings)
    stages = [
        Stage(HALF, (starts[0], 0.5)),
        Stage(MIXED, (starts[1], 0.4), ratio=0.3),
        Stage(FULL, (starts[2], 0.8, 0.0)),
    ]
    plan = Plan.of("rising", stages, crossings)
    assert starts[1] < 0.7 < starts[2]
    ended = plan.ended_at(0.7)
    assert [stage.number for stage in ended.stages] == [1, 2, 3] and ended.leaves == 0.7
