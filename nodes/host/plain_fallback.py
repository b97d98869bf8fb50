"""Where a plan cannot help another node's sampler, which then samples as without RALU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ...ralu_core.cost import References
from ...ralu_core.latents.frame import Frame
from ...ralu_core.plans.text import count_of_steps
from .dial import words_of
from .families.dials import DIALLED, LEAST_SIDE
from .families.inspect import ModelFacts
from .few_steps import MOST
from .planning import planned, telling_steps
from .request import Settings
from .samplers import chooses_levels, enlarges, least_steps, shares_steps
from .solvers import sampler_for

FEW = 4  # steps, of which none can be spared: by plans of several sizes, and
FEWEST = 3  # by plain steps
WORTH = 0.9  # of the sampler's own FLOPs; above, a plan is not worth its changes


def why_plain(
    settings: Settings,
    facts: ModelFacts,
    frame: Frame,
    steps: int,
    noise: torch.Tensor,
    guided: bool,
    references: References,
    sampler: Any,
) -> str | None:
    """Why the plan cannot help, in a few words; None where it can.

    settings  with the levels that the sampler was given.
    steps     that it was given for them.
    noise     that it was given; zero where the latent holds it.
    guided    whether guidance takes a second call of the model.
    references
              that each call reads.
    sampler   SAMPLER that was given.
    """
    start, end = settings.own.start(facts.shift), settings.own.end
    is_part = telling_steps(settings, facts.shift) > MOST  # the rest is another's
    may_spare = settings.quality in DIALLED
    if settings.schedule is None and steps <= (FEWEST if may_spare else FEW):
        none = f"of {count_of_steps(steps)} none can be spared"
        if is_part or may_spare:
            return none
        return f"{none}; for a distilled model take fine, balanced or draft, else set more steps"
    whole = planned(replace(settings, own=replace(settings.own, levels=(start, 0.0))), facts, frame)
    full_from = whole.plan.full_from
    if end >= full_from:
        return (
            f"this sampler stops at noise level {end:.2f}, before the plan is at full size "
            f"({full_from:.2f})"
        )
    plan = planned(settings, facts, frame).plan
    if enlarges(sampler):
        return "this sampler enlarges the picture while it samples"
    if shares_steps(sampler):
        return "this sampler shares its steps with another, and counts them itself"
    if plan.is_full and chooses_levels(sampler):
        return "this sampler chooses noise levels of its own"
    least = least_steps(sampler_for(plan, sampler))
    if min(plan.steps) < least:
        return f"this sampler needs {least} steps, and the plan has {min(plan.steps)} left"
    if not plan.is_full and min(frame.picture) < LEAST_SIDE:
        return f"half of {frame.size} is too small to draw in, {LEAST_SIDE} pixels are the least"
    if not noise.any() and (not plan.is_full or start >= 1):
        return "this sampler goes on with the noise of its latent, and the plan makes new noise"
    share = 1 / facts.cost.speed_up(plan, *frame.fine_grid, steps, guided, references)
    if share > WORTH:
        return (
            f"{words_of(plan, settings.quality)} takes {share:.0%} of the compute of these {steps} "
            "steps; set more, or a cheaper quality"
        )
    return None
