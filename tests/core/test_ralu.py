from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, replace
from itertools import pairwise
from pathlib import Path

import pytest

from ralu_core.flow import shift_sigma, signal_scale
from ralu_core.schedule import StageSchedule, selected_count

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "schedules.json").read_text())


def flux_4x(**changes: object) -> StageSchedule:
    schedule = StageSchedule(
        steps=(5, 6, 7),
        end_sigmas=(0.7, 0.55, 0.0),
        shifts=(5.019, 2.589, 2.226),
        z=6.317,
        ratio=0.3,
        model_shift=3.0,
    )
    return replace(schedule, **changes)


@pytest.mark.parametrize("name", GOLDEN)
def test_released_codes_sigmas_and_coefficients(name: str) -> None:
    golden = GOLDEN[name]
    schedule = StageSchedule(
        steps=golden["N"],
        end_sigmas=tuple(1 - e for e in golden["e"]),  # type: ignore[arg-type]
        shifts=golden["h"],
        z=golden["Z"],
        ratio=0.3,
        model_shift=3.0,
    )
    for stage in range(3):
        assert schedule.sigmas(stage) == pytest.approx(golden["sigmas"][stage], abs=1e-6)
        assert 1 - schedule.start_sigmas[stage] == pytest.approx(golden["s"][stage], abs=1e-6)
    a = [signal_scale(schedule.z, end) for end in schedule.end_sigmas[:2]]
    assert a == pytest.approx(golden["a"], abs=1e-6)
    assert schedule.start_sigmas[1:] == pytest.approx(golden["b"], abs=1e-6)
    assert schedule.c == pytest.approx(golden["c"], abs=1e-9)


@pytest.mark.parametrize("steps", [(5, 6, 7), (1, 1, 1), (1000, 1000, 1000)])
def test_stage_sigmas_fall_and_have_exact_ends(steps: tuple[int, int, int]) -> None:
    schedule = flux_4x(steps=steps)
    for stage in range(3):
        sigmas = schedule.sigmas(stage)
        assert len(sigmas) == steps[stage] + 1
        assert sigmas[0] == schedule.start_sigmas[stage]
        assert sigmas[-1] == schedule.end_sigmas[stage]
        assert all(a > b for a, b in pairwise(sigmas))
    assert schedule.total_steps == sum(steps)


def test_lists_and_whole_floats_are_stored_as_the_declared_types() -> None:
    schedule = flux_4x(steps=[5, 6, 7], end_sigmas=[0.7, 0.55, 0], shifts=[5.019, 2.589, 2.226])
    assert schedule == flux_4x() and hash(schedule) == hash(flux_4x())


def test_schedule_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        flux_4x().z = 4.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"steps": (5, 0, 7)}, "three whole numbers from 1 to 1000, .* got .5, 0, 7.;"),
        ({"end_sigmas": (0.55, 0.7, 0.0)}, "fall from below 1 to exactly 0"),
        ({"shifts": (5.0, 2.0)}, "Shifts must be three numbers"),
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


@pytest.mark.parametrize(
    ("ratio", "coarse", "selected"),
    [(0.3, 1024, 307), (0.29, 100, 29), (1 / 3, 3, 1), (0.1, 1024, 102), (0.1, 9, 0), (0.7, 10, 7)],
)
def test_selected_count_is_the_floor_of_the_decimal_product(
    ratio: float, coarse: int, selected: int
) -> None:
    assert selected_count(ratio, coarse) == selected


def test_selected_count_of_every_hundredth_is_exact() -> None:
    for percent in range(1, 100):
        for coarse in (1, 7, 64, 100, 1000, 1024, 4096, 65536):
            assert selected_count(percent / 100, coarse) == percent * coarse // 100


def test_tokens_per_stage() -> None:
    assert flux_4x().tokens(64, 64) == (1024, 1945, 4096)
    assert flux_4x(ratio=0.1).tokens(64, 64) == (1024, 1330, 4096)
    assert flux_4x().tokens(18, 16) == (72, 72 + 3 * 21, 288)


@pytest.mark.parametrize("size", [(63, 64), (64, 17), (0, 64), (-2, 4)])
def test_tokens_refuses_a_grid_that_cannot_be_halved(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"even, positive number of tokens .* divisible by 32"):
        flux_4x().tokens(*size)


def test_truncated_at_one_is_the_whole_run() -> None:
    schedule = flux_4x()
    assert schedule.truncated(1.0) == [(k, schedule.sigmas(k)) for k in range(3)]


@pytest.mark.parametrize(
    ("start", "stages"),
    [(0.937, [0, 1, 2]), (0.936, [1, 2]), (0.886, [1, 2]), (0.885, [2]), (0.01, [2])],
)
def test_truncated_never_rises_above_its_start(start: float, stages: list[int]) -> None:
    schedule = flux_4x()  # stages start at 1, 0.9365 and 0.8853
    run = schedule.truncated(start)
    assert [stage for stage, _ in run] == stages
    assert max(max(sigmas) for _, sigmas in run) == start
    assert run[0][1][0] == start
    assert run[0][1][-1] == schedule.end_sigmas[stages[0]]
    assert [sigmas for _, sigmas in run[1:]] == [schedule.sigmas(k) for k in stages[1:]]


def test_truncated_scales_the_steps_of_its_first_stage() -> None:
    schedule = flux_4x(steps=(5, 6, 10), shifts=(5.0, 2.0, 2.0))
    # Before its shift stage 3 falls from 0.794 to 0, so 0.3 leaves 3.8 of its ten steps.
    for unshifted, steps in [(0.3, 4), (0.2, 3), (0.001, 1)]:
        [(stage, sigmas)] = schedule.truncated(shift_sigma(2.0, unshifted))
        assert (stage, len(sigmas)) == (2, steps + 1)


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_truncated_at_a_visited_sigma_continues_the_stage(stage: int) -> None:
    schedule = flux_4x()
    sigmas = schedule.sigmas(stage)
    following = (*schedule.start_sigmas, 0.0)[stage + 1]
    done = max(i for i, sigma in enumerate(sigmas[:-1]) if sigma >= following)
    first, head = schedule.truncated(sigmas[done])[0]
    assert first == stage
    assert head == pytest.approx(sigmas[done:], abs=1e-12)


@pytest.mark.parametrize("start", [0.0, -0.1, 1.01, math.nan, math.inf])
def test_truncated_refuses_a_start_outside_the_flow(start: float) -> None:
    with pytest.raises(ValueError, match="Start sigma must be above 0 and at most 1"):
        flux_4x().truncated(start)
