from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError
from itertools import pairwise
from pathlib import Path

import pytest

from ralu_core import Plan, ralu
from ralu_core.crossings import Matched
from ralu_core.latents.flow import shift_sigma
from ralu_core.plans.ralu import matching_numbers, noise_jump

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "schedules.json").read_text())


def flux_4x(**changes) -> Plan:
    numbers = {
        "steps": (5, 6, 7),
        "end_sigmas": (0.7, 0.55, 0.0),
        "shifts": (5.019, 2.589, 2.226),
        "z": 6.317,
        "ratio": 0.3,
        "model_shift": 3.0,
    }
    return ralu(**{**numbers, **changes})


@pytest.mark.parametrize("name", GOLDEN)
def test_released_codes_sigmas_and_coefficients(name: str) -> None:
    golden = GOLDEN[name]
    plan = ralu(
        steps=golden["N"],
        end_sigmas=tuple(1 - e for e in golden["e"]),
        shifts=golden["h"],
        z=golden["Z"],
        ratio=0.3,
        model_shift=3.0,
    )
    for stage, sigmas, s in zip(plan.stages, golden["sigmas"], golden["s"], strict=True):
        assert stage.sigmas == pytest.approx(sigmas, abs=1e-6)
        assert 1 - stage.start == pytest.approx(s, abs=1e-6)
    jumps = [crossing.jump for crossing in plan.crossings if isinstance(crossing, Matched)]
    assert [jump.signal for jump in jumps] == pytest.approx(golden["a"], abs=1e-6)
    assert [stage.start for stage in plan.stages[1:]] == pytest.approx(golden["b"], abs=1e-6)
    assert [jump.c for jump in jumps] == pytest.approx([golden["c"]] * 2, abs=1e-9)


@pytest.mark.parametrize("steps", [(5, 6, 7), (1, 1, 1), (1000, 1000, 1000)])
def test_stage_sigmas_fall_and_have_exact_ends(steps: tuple[int, int, int]) -> None:
    plan = flux_4x(steps=steps)
    for stage, count, end in zip(plan.stages, steps, (0.7, 0.55, 0.0), strict=True):
        assert (stage.steps, len(stage.sigmas), stage.end) == (count, count + 1, end)
        assert all(a > b for a, b in pairwise(stage.sigmas))
    starts = [1.0, *(crossing.start_sigma for crossing in plan.crossings)]
    assert [stage.start for stage in plan.stages] == starts
    assert plan.total_steps == sum(steps) and plan.steps == steps


def test_lists_and_whole_floats_are_stored_as_the_declared_types() -> None:
    plan = flux_4x(steps=[5, 6, 7], end_sigmas=[0.7, 0.55, 0], shifts=[5.019, 2.589, 2.226])
    assert plan == flux_4x() and hash(plan) == hash(flux_4x())
    assert type(flux_4x(model_shift=3).model_shift) is float


def test_a_plan_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        flux_4x().name = "other"  # type: ignore[misc]


def test_its_numbers_can_be_read_back() -> None:
    plan = flux_4x()
    assert noise_jump(plan) == 6.317 and plan.ratio == 0.3 and plan.ends == (0.7, 0.55, 0.0)
    expected = ((5, 6, 7), (0.7, 0.55, 0.0), 3.0, [5.019, 2.589, 2.226], 6.317)
    assert matching_numbers(plan) == expected


def test_views_are_its_mixed_stage_s() -> None:
    assert [stage.views for stage in flux_4x().stages] == ["paper"] * 3
    seeing = flux_4x(views="views")
    assert [stage.views for stage in seeing.stages] == ["paper", "views", "paper"]
    assert flux_4x().seeing("views") == seeing and seeing.seeing("paper") == flux_4x()


def test_growth_and_kept_noise_are_its_crossings() -> None:
    for crossing in flux_4x(growth="token", kept="released").crossings:
        assert isinstance(crossing, Matched)
        assert (crossing.growth, crossing.kept, crossing.z) == ("token", "released", 6.317)
    assert flux_4x().growing_by("token") == flux_4x(growth="token")


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"steps": (5, 0, 7)}, "whole numbers from 1 to 1000, .* got .5, 0, 7.;"),
        ({"steps": (5, 6)}, "Steps must be 3 numbers"),
        ({"end_sigmas": (0.7, 0.0)}, "Stage end sigmas must be 3 numbers"),
        ({"end_sigmas": (0.55, 0.7, 0.0)}, "fall from below 1 to exactly 0"),
        ({"shifts": (5.0, 2.0)}, "Shifts must be 3 numbers"),
        ({"shifts": (5.0, 0.0, 2.0)}, "Shift of stage 2 must be above 0"),
        ({"shifts": (5.0, 2.0, math.nan)}, "Shift of stage 3 must be above 0"),
        ({"z": 1.5}, "z must be a finite number of at least 2, got 1.5"),
        ({"ratio": 0.0}, "Ratio must lie between 0 and 1"),
        ({"ratio": 1.0}, "Ratio must lie between 0 and 1"),
        ({"ratio": math.nan}, "Ratio must lie between 0 and 1"),
        ({"model_shift": math.inf}, "Model shift must be above 0"),
    ],
)
def test_refusals(change: dict[str, object], phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase):
        flux_4x(**change)


def test_tokens_per_stage() -> None:
    assert flux_4x().tokens(64, 64) == (1024, 1945, 4096)
    assert flux_4x(ratio=0.1).tokens(64, 64) == (1024, 1330, 4096)
    assert flux_4x().tokens(18, 16) == (72, 72 + 3 * 21, 288)


@pytest.mark.parametrize("size", [(63, 64), (64, 17), (0, 64), (-2, 4)])
def test_tokens_refuses_a_grid_that_cannot_be_halved(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"even, positive number of tokens .* divisible by 32"):
        flux_4x().tokens(*size)


def test_begun_at_one_is_the_whole_run() -> None:
    assert flux_4x().begun_at(1.0) == flux_4x()


@pytest.mark.parametrize(
    ("start", "stages"),
    [(0.937, [1, 2, 3]), (0.936, [2, 3]), (0.886, [2, 3]), (0.885, [3]), (0.01, [3])],
)
def test_begun_at_never_rises_above_its_start(start: float, stages: list[int]) -> None:
    plan = flux_4x()  # stages start at 1, 0.9365 and 0.8853
    run = plan.begun_at(start)
    assert [stage.number for stage in run.stages] == stages
    assert max(max(stage.sigmas) for stage in run.stages) == start == run.stages[0].start
    assert run.stages[0].end == plan.ends[stages[0] - 1]
    assert run.stages[1:] == plan.stages[stages[0] :]
    assert run.crossings == plan.crossings[stages[0] - 1 :]


def test_begun_at_scales_the_steps_of_its_first_stage() -> None:
    plan = flux_4x(steps=(5, 6, 10), shifts=(5.0, 2.0, 2.0))
    # Before its shift stage 3 falls from 0.794 to 0, so 0.3 leaves 3.8 of its ten steps.
    for unshifted, steps in [(0.3, 4), (0.2, 3), (0.001, 1)]:
        [stage] = plan.begun_at(shift_sigma(2.0, unshifted)).stages
        assert (stage.number, stage.steps) == (3, steps)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_begun_at_a_visited_sigma_continues_the_stage(number: int) -> None:
    plan = flux_4x()
    sigmas = plan.stages[number].sigmas
    following = (*(stage.start for stage in plan.stages), 0.0)[number + 1]
    done = max(i for i, sigma in enumerate(sigmas[:-1]) if sigma >= following)
    first = plan.begun_at(sigmas[done]).stages[0]
    assert first.number == number + 1
    assert first.sigmas == pytest.approx(sigmas[done:], abs=1e-12)


@pytest.mark.parametrize("start", [0.0, -0.1, 1.01, math.nan, math.inf])
def test_begun_at_refuses_a_start_outside_the_flow(start: float) -> None:
    with pytest.raises(ValueError, match="Start sigma must be above 0 and at most 1"):
        flux_4x().begun_at(start)
