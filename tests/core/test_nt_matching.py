from __future__ import annotations

import json
import math
import random
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.distance import jensenshannon

from ralu_core import PRESETS, ralu
from ralu_core.plans.nt_matching import densities, js_distance, solve

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "schedules.json").read_text())
PUBLISHED = [preset for preset in PRESETS if preset.published_shifts]
Setting = tuple[tuple[int, int, int], tuple[float, float, float], float]


def setting(name: str) -> Setting:
    first, second, _ = GOLDEN[name]["e"]
    return tuple(GOLDEN[name]["N"]), (1 - first, 1 - second, 0.0), 3.0


def released_distance(
    steps: tuple, end_sigmas: tuple, model_shift: float, shifts: tuple, z: float
) -> float:
    """The released code's measure, spelled out stage by stage and left to scipy."""
    t = np.linspace(0, 1, 1000)

    def truncated(shift: float, start: float, end: float) -> np.ndarray:
        mass = shift * end / (1 + (shift - 1) * end) - shift * start / (1 + (shift - 1) * start)
        return np.where((t >= start) & (t <= end), shift / (1 + (shift - 1) * t) ** 2 / mass, 0)

    ends = [1 - sigma for sigma in end_sigmas]
    starts = [0.0, *(e / (z * (1 - e) + e) for e in ends[:2])]
    target = truncated(model_shift, 0, 1)
    for end, start in zip(ends[:2], starts[1:], strict=True):
        target = target + (end - start) * truncated(model_shift, start, end)
    actual = sum(
        n * truncated(h, start, end)
        for n, h, start, end in zip(steps, shifts, starts, ends, strict=True)
    )
    p, q = (np.clip(density, 1e-10, None) for density in (actual, target))
    return float(jensenshannon(p / p.sum(), q / q.sum()))


def random_setting(draw: random.Random) -> Setting:
    steps = (draw.randint(1, 20), draw.randint(1, 20), draw.randint(1, 20))
    low, high = sorted((draw.uniform(0.05, 0.9), draw.uniform(0.05, 0.9)))
    ends = (round(high + 0.02, 3), round(low, 3), 0.0)
    return steps, ends, draw.choice([1.0, 3.0, 3.158193, draw.uniform(1, 26)])


def best_of_searches(case: Setting, starts: int, draw: random.Random) -> float:
    """Least distance that L-BFGS-B finds from random starts; the released solver uses one."""

    def distance(x: np.ndarray) -> float:
        return released_distance(*case, tuple(x[:3]), float(x[3]))

    bounds = [(0.5, 10.0)] * 3 + [(2.0, 100.0)]
    found = []
    for _ in range(starts):
        x0 = [case[2] * draw.uniform(0.5, 2) for _ in range(3)] + [2 * 50 ** draw.random()]
        x0 = [min(max(x, low), high) for x, (low, high) in zip(x0, bounds, strict=True)]
        found.append(float(minimize(distance, x0, bounds=bounds, method="L-BFGS-B").fun))
    return min(found)


@pytest.mark.parametrize("name", GOLDEN)
def test_distance_of_the_released_solution(name: str) -> None:
    golden = GOLDEN[name]
    distance = js_distance(*setting(name), golden["h"], golden["Z"])
    assert distance == pytest.approx(golden["jsd_distance"], abs=1e-12)


def test_distance_is_the_released_measure_everywhere() -> None:
    draw = random.Random(0)
    for _ in range(100):
        case = random_setting(draw)
        shifts = (draw.uniform(0.5, 10), draw.uniform(0.5, 10), draw.uniform(0.5, 10))
        z = draw.uniform(2, 100)
        expected = released_distance(*case, shifts, z)
        assert js_distance(*case, shifts, z) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", GOLDEN)
def test_solution_is_no_worse_than_released_and_near_the_best_known(name: str) -> None:
    solution = solve(*setting(name))
    assert solution.js_distance <= GOLDEN[name]["jsd_distance"] + 1e-9
    assert solution.js_distance <= 1.005 * GOLDEN[name]["best_found"]
    assert all(0.5 <= shift <= 10 for shift in solution.shifts)
    assert 2 <= solution.z <= 100


@pytest.mark.parametrize(
    ("case", "best"),
    [
        (((12, 12, 4), (0.43, 0.408, 0.0), 23.004), 0.014675),  # saws by 9 % between jumps of z
        (((17, 1, 2), (0.718, 0.48, 0.0), 4.181), 0.178497),  # one shift at its bound, slow to fit
        (((9, 10, 9), (0.577, 0.243, 0.0), 10.946), 0.003889),
    ],
)
def test_solution_is_near_the_best_of_a_fit_at_every_jump(case: Setting, best: float) -> None:
    assert solve(*case).js_distance <= 1.005 * best


@pytest.mark.parametrize("preset", PUBLISHED, ids=lambda preset: preset.name)
def test_published_numbers_are_near_optimal_but_not_better(preset) -> None:
    case = (preset.steps, preset.end_sigmas, 3.0)
    published = js_distance(*case, preset.published_shifts, preset.published_z)
    ours = solve(*case).js_distance
    assert ours <= published <= 1.05 * ours


def test_solution_reports_the_distance_of_its_own_numbers() -> None:
    solution = solve(*setting("flux5x"))
    released = released_distance(*setting("flux5x"), solution.shifts, solution.z)
    assert solution.js_distance == pytest.approx(released, abs=1e-12)


@pytest.mark.parametrize("name", ["flux7x", "x567_20_50"])
def test_same_input_same_bits(name: str) -> None:
    assert solve(*setting(name)) == solve(*setting(name))


def test_only_the_ratios_of_the_steps_matter() -> None:
    ends = (0.7, 0.55, 0.0)
    doubled, plain = solve((8, 10, 12), ends, 3.0), solve((4, 5, 6), ends, 3.0)
    assert doubled.shifts == pytest.approx(plain.shifts, abs=2e-4)
    assert doubled.z == pytest.approx(plain.z, abs=2e-4)


@pytest.mark.parametrize("max_z", [2.0, 5.0, 1000.0])
def test_z_can_be_bounded(max_z: float) -> None:
    free, bounded = solve(*setting("flux5x")), solve(*setting("flux5x"), max_z=max_z)
    assert bounded.z <= max_z
    if max_z > free.z:
        assert bounded == free
    else:
        assert bounded.js_distance > free.js_distance
        assert bounded.js_distance == js_distance(*setting("flux5x"), bounded.shifts, bounded.z)


def test_a_bound_on_z_obeys_the_rule_for_z() -> None:
    with pytest.raises(ValueError, match=r"z must be a finite number of at least 2, got 1\.5"):
        solve(*setting("flux5x"), max_z=1.5)


def test_flat_z_is_settled_low() -> None:
    """FLUX 5x is as good at z = 81 as at 10, where the second stage keeps ten times the signal."""
    assert 7 < solve((4, 5, 6), (0.7, 0.55, 0.0), 3.0).z < 12


@pytest.mark.parametrize("name", GOLDEN)
def test_solve_is_fast(name: str) -> None:
    """Of the processor, whatever else runs on it."""

    def seconds() -> float:
        begin = time.thread_time()
        solve(*setting(name))
        return time.thread_time() - begin

    assert any(seconds() < 0.2 for _ in range(3))


@pytest.mark.parametrize("model_shift", [1.0, 3.158193, 25.28, 50.0])
@pytest.mark.parametrize("steps", [(1, 1, 2), (2, 3, 5), (4, 5, 6)])
def test_every_model_shift_can_be_matched(steps: tuple, model_shift: float) -> None:
    solution = solve(steps, (0.7, 0.55, 0.0), model_shift)
    plain = js_distance(steps, (0.7, 0.55, 0.0), model_shift, [model_shift] * 3, solution.z)
    assert solution.js_distance < min(plain, 0.06)
    assert all(0 < shift <= 100 for shift in solution.shifts)


def test_bounds_grow_with_the_model_shift() -> None:
    """At Flux's shift for 2048 x 2048 pixels the released bound of 10 is far from enough."""
    case = ((2, 3, 5), (0.8, 0.7, 0.0), 25.28)
    solution = solve(*case)
    capped = [min(shift, 10.0) for shift in solution.shifts]
    assert solution.js_distance < 0.5 * js_distance(*case, capped, solution.z)


@pytest.mark.parametrize(
    "ends", [(0.999, 0.998, 0.0), (0.002, 0.001, 0.0), (0.999, 0.001, 0.0), (0.5, 0.499, 0.0)]
)
@pytest.mark.parametrize("steps", [(1, 1, 1), (1, 1000, 1)])
@pytest.mark.parametrize("model_shift", [0.01, 100.0])
def test_extreme_settings_solve_to_a_plan(steps: tuple, ends: tuple, model_shift: float) -> None:
    solution = solve(steps, ends, model_shift)
    assert 0 <= solution.js_distance < math.sqrt(math.log(2))
    ralu(steps, ends, solution.shifts, solution.z, 0.3, model_shift)


CHAINS = {
    2: ((6, 8), (0.6, 0.0)),
    4: ((3, 4, 5, 6), (0.8, 0.65, 0.4, 0.0)),
    5: ((2, 3, 3, 4, 5), (0.85, 0.7, 0.5, 0.3, 0.0)),
}


@pytest.mark.parametrize("model_shift", [1.0, 3.0, 7.0])
@pytest.mark.parametrize("stages", CHAINS)
def test_any_number_of_stages_can_be_matched(stages: int, model_shift: float) -> None:
    steps, ends = CHAINS[stages]
    solution = solve(steps, ends, model_shift)
    assert len(solution.shifts) == stages
    unmatched = js_distance(steps, ends, model_shift, [model_shift] * stages, solution.z)
    assert solution.js_distance < unmatched
    assert solution == solve(steps, ends, model_shift)
    measured = js_distance(steps, ends, model_shift, solution.shifts, solution.z)
    assert solution.js_distance == measured
    times, actual, target = densities(steps, ends, model_shift, solution.shifts, solution.z)
    assert times.size == actual.size == target.size == 1000


def test_one_stage_is_plain_sampling() -> None:
    solution = solve((20,), (0.0,), 3.0)
    assert solution.shifts == pytest.approx((3.0,), abs=1e-3)
    assert solution.js_distance < 1e-3


def check_against_searches(cases: int, starts: int, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(cases):
        case = random_setting(draw)
        assert solve(*case).js_distance <= 1.01 * best_of_searches(case, starts, draw), case


def test_no_worse_than_a_random_search() -> None:
    check_against_searches(cases=3, starts=1, seed=1)


@pytest.mark.slow
def test_no_worse_than_four_random_searches_on_200_settings() -> None:
    check_against_searches(cases=200, starts=4, seed=2)


def test_shifts_are_locally_optimal() -> None:
    draw = random.Random(3)
    for _ in range(8):
        case = random_setting(draw)
        solution = solve(*case)
        for stage in range(3):
            for factor in (0.97, 1.03):
                moved = list(solution.shifts)
                moved[stage] = min(max(moved[stage] * factor, 0.5), max(10.0, case[2] * 10 / 3))
                distance = js_distance(*case, moved, solution.z)
                assert distance >= solution.js_distance * (1 - 1e-3), (case, stage, factor)


def test_densities_are_normalised_and_differ_by_the_distance() -> None:
    t, actual, target = densities(*setting("flux7x"), (8.141, 2.856, 2.193), 6.261)
    assert (t[0], t[-1], t.size) == (0, 1, 1000)
    assert actual.mean() == pytest.approx(1) and target.mean() == pytest.approx(1)
    expected = js_distance(*setting("flux7x"), (8.141, 2.856, 2.193), 6.261)
    assert jensenshannon(actual, target) == pytest.approx(expected, abs=1e-12)


def test_densities_show_the_overlap_of_the_stages() -> None:
    """At z = 10 stages 1 and 2 overlap on t in [0.0411, 0.3]: the target jumps by that share."""
    t, actual, target = densities((4, 5, 6), (0.7, 0.55, 0.0), 1.0, (1.0, 1.0, 1.0), 10.0)
    before, after, late = (int(np.searchsorted(t, x)) for x in (0.03, 0.05, 0.9))
    # With every shift 1 the target is flat: one layer, then two, and one again.
    assert target[after] / target[before] == pytest.approx(2.0, rel=1e-6)
    assert target[late] == pytest.approx(target[before], rel=1e-9)
    assert actual[before] / actual[late] == pytest.approx((4 / 0.3) / (6 / (1 - s_3())), rel=1e-9)


def s_3() -> float:
    return 0.45 / (10 * 0.55 + 0.45)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"steps": (0, 5, 6)}, "Steps must be whole numbers"),
        ({"end_sigmas": (0.55, 0.7, 0.0)}, "fall from below 1 to exactly 0"),
        ({"model_shift": math.nan}, "Model shift must be above 0"),
        ({"model_shift": 0.0}, "Model shift must be above 0"),
    ],
)
def test_solve_refuses_what_no_plan_can_hold(change: dict, phrase: str) -> None:
    case = {"steps": (4, 5, 6), "end_sigmas": (0.7, 0.55, 0.0), "model_shift": 3.0}
    with pytest.raises(ValueError, match=phrase):
        solve(**{**case, **change})


def test_distance_refuses_bad_shifts_and_z() -> None:
    with pytest.raises(ValueError, match="Shift of stage 2 must be above 0"):
        js_distance(*setting("flux5x"), (5.0, math.nan, 2.0), 6.0)
    with pytest.raises(ValueError, match="Shifts must be 3 numbers"):
        js_distance(*setting("flux5x"), (5.0, 2.0), 6.0)
    with pytest.raises(ValueError, match="z must be a finite number of at least 2"):
        js_distance(*setting("flux5x"), (5.0, 2.0, 2.0), 1.0)
