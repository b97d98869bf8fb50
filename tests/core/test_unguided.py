"""Stages that guidance is not paid for, of a denoiser that always tells both estimates."""

from __future__ import annotations

import pytest
import torch
from closed_form import gaussian
from runs import LATENT, choose_by, normal

from ralu_core import (
    Guided,
    Layout,
    Source,
    StageEnd,
    StageTask,
    Start,
    multistep,
    named_plan,
    run_plan,
    sample,
)
from ralu_core.plans import Plan, early, own_noise, plain


@pytest.mark.parametrize(
    "plan",
    [
        own_noise(3.0, (2, 3), switch=0.7, guide_full=False),
        plain(3.0, (5,), order=2, guided_above=0.8),
        early(3.0, (5,), guided_above=0.7),
    ],
    ids=lambda plan: plan.name,
)
def test_they_take_the_estimate_without_it(plan: Plan) -> None:
    """As of a denoiser that leaves it out there."""
    paid = {sigma for stage in plan.stages if stage.guided for sigma in stage.sigmas[:-1]}

    def end_of(knows_levels: bool) -> torch.Tensor:
        def denoise(x: torch.Tensor, sigma: float, layout: Layout | None) -> torch.Tensor | Guided:
            base, pulled = (gaussian(mean, 0.6)(x, sigma, layout) for mean in (0.5, -0.7))
            skips = knows_levels and sigma not in paid
            return base if skips else Guided(base + 4 * (base - pulled), base)

        source = Source.from_noise(normal(1, 1, 2, 8, 8))
        return sample(denoise, None, source, plan, 0, LATENT).x

    assert len(plan.stages) == 2 and paid
    assert torch.equal(end_of(knows_levels=False), end_of(knows_levels=True))


def test_a_runner_of_stages_saves_the_second_call_where_sigma_does_not_tell() -> None:
    plan = named_plan("own noise 4-4, guided at half size", 3.0)
    half, full = (stage.sigmas[:-1] for stage in plan.stages)
    assert full[0] > half[-1]  # so that no level parts the guided steps from the others
    calls: dict[str, list[float]] = {"both": [], "bare": []}

    def bare(x: torch.Tensor, sigma: float, layout: Layout | None) -> torch.Tensor:
        calls["bare"].append(sigma)
        return gaussian(0.5, 0.6)(x, sigma, layout)

    def both(x: torch.Tensor, sigma: float, layout: Layout | None) -> Guided:
        calls["both"].append(sigma)
        base = gaussian(0.5, 0.6)(x, sigma, layout)
        return Guided(5 * base - 4 * gaussian(-0.7, 0.6)(x, sigma, layout), base)

    def run_stage(task: StageTask, start: Start) -> StageEnd:
        return multistep(both if task.stage.guided else bare)(task, start)

    source = Source.from_noise(normal(1, 1, 2, 8, 8))
    told = sample(both, None, source, plan, 0, LATENT).x
    calls["both"].clear()
    ours = run_plan(plan, source, run_stage, choose_by(LATENT), lambda k: normal(k, 1, 2, 8, 8))
    assert torch.equal(ours.x, told)
    assert calls == {"both": list(half), "bare": list(full)}


def test_a_call_at_the_level_itself_goes_without_it() -> None:
    stages = plain(1.0, (5,), guided_above=0.4).stages
    assert [(stage.guided, stage.start) for stage in stages] == [(True, 1.0), (False, 0.4)]
