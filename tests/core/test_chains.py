"""Plans of any number of stages, over any grids, with crossings of other kinds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from closed_form import Known, gaussian, gaussian_variance
from runs import LATENT, SIZE, chain, choose_by, normal, with_stages

from ralu_core import (
    Plan,
    Source,
    Stage,
    StageEnd,
    StageTask,
    Start,
    multistep,
    run_plan,
    sample,
)
from ralu_core.crossings import Crossing, Matched, Place
from ralu_core.latents.grid import FULL, HALF, MIXED, Grid


@dataclass(frozen=True)
class Onward(Crossing):
    """A kind that the core does not have: the same grid at the same level."""

    end_sigma: float

    @property
    def start_sigma(self) -> float:
        return self.end_sigma

    def check(self, before: Grid, after: Grid) -> None:
        if before is not after:
            raise ValueError(f"Onward stays on a grid, got {before} to {after}: use another.")

    def cross(self, end: StageEnd, white: torch.Tensor, place: Place) -> torch.Tensor:
        return end.x


def split(plan: Plan, number: int) -> Plan:
    """The plan with one of its stages cut into two on the same grid."""
    stages, crossings = list(plan.stages), list(plan.crossings)
    stage = stages[number - 1]
    half = stage.steps // 2
    early = replace(stage, sigmas=stage.sigmas[: half + 1])
    late = replace(stage, sigmas=stage.sigmas[half:])
    stages[number - 1 : number] = [early, late]
    crossings.insert(number - 1, Onward(early.end))
    return Plan.of(plan.name, stages, crossings)


CHAINS = {
    "full": chain((FULL,)),
    "half full": chain((HALF, FULL)),
    "mixed full": chain((MIXED, FULL)),
    "full half full": chain((FULL, HALF, FULL)),
    "half mixed mixed full": split(chain((HALF, MIXED, FULL)), 2),
    "half mixed full half full": chain((HALF, MIXED, FULL, HALF, FULL)),
    "half mixed full half mixed full": chain((HALF, MIXED, FULL, HALF, MIXED, FULL)),
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", CHAINS)
def test_a_model_of_one_latent_lands_on_it(name: str, order: int) -> None:
    plan = CHAINS[name]
    plan = with_stages(plan, order=order)
    target = normal(1, *SIZE)
    model = Known(target)
    result = sample(model, None, Source.from_noise(normal(3, *SIZE)), plan, 0, LATENT)
    torch.testing.assert_close(result.x, target, rtol=0, atol=1e-5)
    sizes = {HALF: (8, 12), MIXED: (16, 24), FULL: (16, 24)}
    expected = [(sizes[s.grid], sigma) for s in plan.stages for sigma in s.sigmas[:-1]]
    assert model.calls == expected


@pytest.mark.parametrize("name", [name for name in CHAINS if name.count("full") == 1])
def test_gaussian_pixels_keep_their_law_through_any_stages(name: str) -> None:
    """Bounds are four standard errors, as in test_sampler.py."""
    mean, deviation = 0.5, 0.8
    plan = CHAINS[name]
    variance = gaussian_variance(plan, deviation)
    source = Source.from_noise(normal(3, 64, 4, 32, 32))
    x = sample(gaussian(mean, deviation), None, source, plan, 0, LATENT).x
    independent = x.numel() / 4
    assert abs(x.mean() - mean) < 4 * (variance / independent) ** 0.5
    assert abs(x.var() / variance - 1) < 4 * (2 / independent) ** 0.5


def test_a_cut_stage_is_the_stage() -> None:
    plan = chain((HALF, MIXED, FULL), steps=6)
    source, model = Source.from_noise(normal(3, *SIZE)), gaussian(0.2, 0.8)
    choices: list[float] = []
    noise = {1: normal(11, *SIZE), 2: normal(12, *SIZE)}

    def run(plan: Plan, streams: dict[int, int]) -> torch.Tensor:
        def choose(end: StageEnd, ratio: float) -> torch.Tensor:
            choices.append(ratio)
            return choose_by(LATENT)(end, ratio)

        draw = lambda number: noise[streams[number]]  # noqa: E731
        return run_plan(plan, source, multistep(model), choose, draw).x

    whole = run(plan, {1: 1, 2: 2})
    assert torch.equal(run(split(plan, 2), {1: 1, 2: 1, 3: 2}), whole)
    assert torch.equal(run(split(plan, 3), {1: 1, 2: 2, 3: 1}), whole)
    assert choices == [0.3] * 3  # mixed stages in a row keep their regions


def test_regions_are_chosen_anew_after_another_grid() -> None:
    ends: list[torch.Tensor] = []

    def choose(end: StageEnd, ratio: float) -> torch.Tensor:
        ends.append(end.denoised)
        return choose_by(LATENT)(end, ratio)

    plan = CHAINS["half mixed full half mixed full"]
    drawn: list[int] = []

    def draw(number: int) -> torch.Tensor:
        drawn.append(number)
        return normal(number, *SIZE)

    source = Source.from_noise(normal(3, *SIZE))
    run_plan(plan, source, multistep(gaussian(0.2, 0.8)), choose, draw)
    assert [end.shape[-2:] for end in ends] == [(8, 12), (8, 12)] and drawn == [1, 2, 3, 4, 5]


def test_mixed_stages_in_a_row_share_a_choice_and_see_by_views_of_their_own() -> None:
    """What a choice reads is kept of the stage before it alone."""
    plan = CHAINS["half mixed mixed full"]
    low, mixed, last, full = plan.stages
    plan = replace(plan, stages=(low, mixed, replace(last, views="views"), full))
    tasks: list[StageTask] = []

    def run_stage(task: StageTask, start: Start) -> StageEnd:
        tasks.append(task)
        x = start.take()
        return StageEnd(x, x)

    source, noise = Source.from_noise(normal(3, *SIZE)), normal(11, *SIZE)
    run_plan(plan, source, run_stage, choose_by(LATENT), lambda number: noise, keep_history=True)
    assert [task.before_choice for task in tasks] == [True, False, False, False]
    assert [task.keep_history for task in tasks] == [True, False, False, False]
    layouts = [task.layout for task in tasks if task.layout]
    assert [layout.views for layout in layouts] == ["paper", "views"]
    assert torch.equal(layouts[0].fine, layouts[1].fine)


def test_mixed_stages_in_a_row_need_one_ratio() -> None:
    stages = [
        Stage(MIXED, (1.0, 0.8), ratio=0.3),
        Stage(MIXED, (0.8, 0.5), ratio=0.2),
        Stage(FULL, (Matched(0.5, 4.0).start_sigma, 0.0)),
    ]
    with pytest.raises(ValueError, match=r"one ratio, got 0\.3 and 0\.2: set them alike"):
        Plan.of("plan", stages, [Onward(0.8), Matched(0.5, 4.0)])
