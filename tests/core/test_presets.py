from __future__ import annotations

from dataclasses import replace

import pytest

from ralu_core.crossings import Matched
from ralu_core.latents.flow import shift_sigma
from ralu_core.plans import Plan, nt_matching
from ralu_core.plans.nt_matching import js_distance
from ralu_core.plans.presets import (
    FLUX_DEV_SHIFT,
    PRESETS,
    PUBLISHED_SHIFT,
    adjusted,
    matched_plan,
    preset,
    published_baseline,
    published_plan,
)
from ralu_core.plans.ralu import matched_ralu, noise_jump

# Steps, ends as the paper's time e = 1 - sigma, shifts, c and ratio, typed off the sources.
PRINTED = {
    "FLUX 5x": ((4, 5, 6), (0.3, 0.45, 1.0), (5.12, 2.64, 2.25), 0.0177, 0.2),
    "FLUX 7x": ((2, 3, 5), (0.2, 0.3, 1.0), (8.14, 2.86, 2.19), 0.0255, 0.1),
    "FLUX 4x (released code)": ((5, 6, 7), (0.3, 0.45, 1.0), (5.019, 2.589, 2.226), 0.02506, 0.3),
    "SD3 2x": ((5, 6, 9), (0.2, 0.3, 1.0), (6.21, 2.23, 1.97), 0.0586, 0.3),
    "SD3 3x": ((3, 3, 6), (0.25, 0.3, 1.0), (6.40, 2.60, 2.23), 0.0255, 0.2),
}


def shifts_of(plan: Plan) -> tuple:
    return tuple(stage.shift for stage in plan.stages)


def z_of(plan: Plan) -> float:
    z = noise_jump(plan)
    assert z is not None
    return z


def test_names_and_order() -> None:
    assert [known.name for known in PRESETS] == [*PRINTED, "4-step distilled", "8-step distilled"]


@pytest.mark.parametrize("name", PRINTED)
def test_published_plan_holds_the_printed_numbers(name: str) -> None:
    steps, ends, shifts, c, ratio = PRINTED[name]
    plan = published_plan(preset(name))
    assert (plan.name, plan.steps, shifts_of(plan), plan.ratio) == (name, steps, shifts, ratio)
    assert [1 - sigma for sigma in plan.ends] == pytest.approx(ends, abs=1e-12)
    for crossing in plan.crossings:
        assert isinstance(crossing, Matched) and crossing.jump.c == pytest.approx(c, abs=5e-6)
    assert plan.model_shift == PUBLISHED_SHIFT == 3.0


def test_the_distilled_preset_has_four_steps_and_no_published_shifts() -> None:
    distilled = preset("4-step distilled")
    assert distilled.steps == (1, 1, 2)
    with pytest.raises(ValueError, match="No shifts are published for 4-step distilled"):
        published_plan(distilled)


def test_an_unknown_name_is_answered_with_the_names() -> None:
    with pytest.raises(ValueError, match=r"one of FLUX 5x, .*8-step distilled; got 'FLUX 6x'"):
        preset("FLUX 6x")


@pytest.mark.parametrize("known", PRESETS, ids=lambda known: known.name)
def test_img2img_takes_full_size_steps_only_below_a_denoise_of_about_0_8(known) -> None:
    plan = matched_plan(known, known.model_shift)
    stages = {
        denoise: [s.number for s in plan.begun_at(shift_sigma(known.model_shift, denoise)).stages]
        for denoise in (0.76, 0.86)
    }
    assert stages[0.76] == [3] and len(stages[0.86]) > 1


@pytest.mark.parametrize("model_shift", [1.0, 3.158193])
@pytest.mark.parametrize("known", PRESETS, ids=lambda known: known.name)
def test_matched_plan_fits_the_model_better_than_the_unmatched_shift(
    known, model_shift: float
) -> None:
    plan = matched_plan(known, model_shift)
    assert (plan.steps, plan.ends) == (known.steps, known.end_sigmas)
    assert (plan.ratio, plan.model_shift) == (known.ratio, model_shift)
    case = (known.steps, known.end_sigmas, model_shift)
    matched = js_distance(*case, shifts_of(plan), z_of(plan))
    assert matched < js_distance(*case, [model_shift] * 3, z_of(plan))


@pytest.mark.parametrize("known", PRESETS, ids=lambda known: known.name)
def test_matched_plan_keeps_what_stage_one_has_drawn(known) -> None:
    """4-step distilled has its least distance at z = 67, where 0.6 % of the signal would stay."""
    assert z_of(matched_plan(known, 3.158193)) <= 10 * 3.158193 / 3
    assert z_of(matched_plan(known, 1.0)) <= 10


@pytest.mark.parametrize(
    ("steps", "ends"),
    [((5, 5, 10), (0.7, 0.55, 0.0)), ((3, 4, 5), (0.7, 0.55, 0.0)), ((4, 4, 4), (0.8, 0.7, 0.0))],
)
def test_ones_own_steps_keep_what_stage_one_has_drawn(steps: tuple, ends: tuple) -> None:
    """The first has its least distance at z = 90, where 0.5 % of the signal would stay."""
    plan = matched_ralu(steps, ends, 0.2, FLUX_DEV_SHIFT)
    assert (plan.steps, plan.ends, plan.ratio) == (steps, ends, 0.2)
    assert z_of(plan) <= 10 * FLUX_DEV_SHIFT / 3
    assert all(1 - stage.start > 0.039 for stage in plan.stages[1:])
    own = {"published_shifts": None, "published_z": None, "steps": steps, "end_sigmas": ends}
    like = matched_plan(replace(preset("FLUX 5x"), **own), FLUX_DEV_SHIFT)
    assert (plan.stages, plan.crossings) == (like.stages, like.crossings)


def test_a_bound_of_ones_own_on_z() -> None:
    case = (5, 5, 10), (0.7, 0.55, 0.0), 0.2, FLUX_DEV_SHIFT
    assert z_of(matched_ralu(*case, max_z=4.0)) <= 4 < z_of(matched_ralu(*case))
    assert z_of(matched_ralu(*case, max_z=100.0)) > 50


def test_matched_plan_may_jump_further_for_a_larger_shift() -> None:
    assert z_of(matched_plan(preset("FLUX 5x"), 25.28)) > 10


def test_adjusted_keeps_what_is_zero() -> None:
    base = preset("FLUX 5x")
    assert adjusted(base, (0, 0, 0), (0, 0), 0) == base


def test_adjusted_ratio_keeps_the_published_shifts() -> None:
    changed = adjusted(preset("FLUX 5x"), (0, 0, 0), (0, 0), 0.25)
    assert changed.ratio == 0.25
    assert shifts_of(published_plan(changed)) == (5.12, 2.64, 2.25)


@pytest.mark.parametrize(
    ("steps", "ends", "what"),
    [((0, 0), (0, 0), "Steps"), ((4, 5, 6, 7), (0, 0), "Steps"), ((0, 0, 0), (0,), "Stage end")],
)
def test_adjusted_takes_a_number_for_every_stage(steps: tuple, ends: tuple, what: str) -> None:
    with pytest.raises(ValueError, match=rf"{what}.* must be 3 numbers, one per stage, got \("):
        adjusted(preset("FLUX 5x"), steps, ends, 0)


@pytest.mark.parametrize(("steps", "ends"), [((0, 7, 0), (0, 0)), ((0, 0, 0), (0, 0.5))])
def test_adjusted_steps_or_ends_lose_the_published_shifts(steps: tuple, ends: tuple) -> None:
    changed = adjusted(preset("FLUX 5x"), steps, ends, 0)
    assert changed.steps == ((4, 7, 6) if any(steps) else (4, 5, 6))
    assert changed.end_sigmas == ((0.7, 0.5, 0.0) if any(ends) else (0.7, 0.55, 0.0))
    with pytest.raises(ValueError, match="No shifts are published for FLUX 5x"):
        published_plan(changed)


@pytest.mark.parametrize("known", PRESETS, ids=lambda known: known.name)
def test_a_plan_knows_the_steps_that_it_stands_for(known) -> None:
    plan = matched_plan(known, known.model_shift)
    assert plan.baseline_steps == known.baseline_steps
    assert published_baseline(plan.steps, plan.ends) == known.baseline_steps
    changed = adjusted(known, (0, known.steps[1] + 1, 0), (0, 0), 0)
    assert matched_plan(changed, known.model_shift).baseline_steps is None


def test_presets_name_the_model_that_they_were_published_for() -> None:
    assert {(known.family, known.model_shift) for known in PRESETS} == {
        ("flux1", FLUX_DEV_SHIFT),
        ("flux1", 1.0),  # FLUX.1-schnell
        ("sd3", PUBLISHED_SHIFT),
        ("z_image", PUBLISHED_SHIFT),  # ours, for Z-Image-Turbo
    }


@pytest.mark.parametrize("known", PRESETS, ids=lambda known: known.name)
def test_ends_stay_as_published_for_the_published_models(known) -> None:
    for shift in {PUBLISHED_SHIFT, known.model_shift}:
        assert known.at(shift) is known


@pytest.mark.parametrize("model_shift", [1.0, 6.0, 9.01, 25.28])
def test_ends_far_from_there_keep_the_share_of_the_plain_run(model_shift: float) -> None:
    base, moved = preset("FLUX 5x"), preset("FLUX 5x").at(model_shift)
    for end, was in zip(moved.end_sigmas, base.end_sigmas, strict=True):
        assert shift_sigma(1 / model_shift, end) == pytest.approx(shift_sigma(1 / 3, was))
    plan = matched_plan(moved, model_shift)
    assert z_of(plan) <= 10 and plan.baseline_steps == base.baseline_steps
    assert moved.published_shifts is None and moved.at(model_shift) is moved
    again, at_once = moved.at(40.0), base.at(40.0)  # by way of another shift
    assert again.end_sigmas == pytest.approx(at_once.end_sigmas)
    assert again.moved == pytest.approx(at_once.moved)


def test_the_four_step_ends_hold_for_both_models_of_the_paper() -> None:
    few = preset("4-step distilled")
    assert few.at(1.0) is few and few.at(3.0) is few
    assert few.at(9.0).end_sigmas[0] == pytest.approx(shift_sigma(3.0, 0.7))


@pytest.mark.parametrize("model_shift", [0.0, -3.0, float("nan"), 101.0])
def test_a_preset_is_for_shifts_that_models_have(model_shift: float) -> None:
    with pytest.raises(ValueError, match="Model shift must be above 0"):
        preset("FLUX 5x").at(model_shift)


def test_changed_steps_keep_those_that_the_models_shift_is_of() -> None:
    """Nobody published what such a run stands for."""
    plan = matched_plan(adjusted(preset("SD3 2x"), (4, 0, 0), (0, 0), 0), 3.0)
    assert plan.baseline_steps is None and plan.shift_steps == 28


def test_a_small_shift_bounds_z_no_closer() -> None:
    few = preset("4-step distilled")
    free = nt_matching.solve(few.steps, few.end_sigmas, 1.0, max_z=10.0)
    assert free.z > 10 / 3 and z_of(matched_plan(few, 1.0)) == free.z


def test_given_ends_stay() -> None:
    changed = adjusted(preset("FLUX 5x").at(9.0), (0, 0, 0), (0.8, 0), 0)
    assert changed.end_sigmas[0] == 0.8 and changed.moved == 1.0
