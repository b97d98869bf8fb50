"""Where a plan cannot help another node's sampler, which then samples as without RALU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ...ralu_core.cost import References
from ...ralu_core.latents.frame import Frame
from ...ralu_core.plans import Plan
from ...ralu_core.plans.text import count_of_steps
from .dial import words_of
from .families.dials import DIALLED, LEAST_SIDE
from .families.inspect import ModelFacts
from .few_steps import MOST
from .own_steps import sampler_for
from .planning import planned, telling_steps
from .request import Settings
from .samplers import chooses_levels, enlarges, least_steps, shares_steps
from .showing.said import Said

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
) -> Said | None:
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
    if settings.schedule is None and (told := _of_few(settings, facts, steps)):
        return told
    whole = planned(replace(settings, own=replace(settings.own, levels=(start, 0.0))), facts, frame)
    full_from = whole.plan.full_from
    if end >= full_from:
        return Said(
            "stops_early",
            "this sampler stops at noise level {end}, before the plan is at full size ({full})",
            end=f"{end:.2f}",
            full=f"{full_from:.2f}",
        )
    plan = planned(settings, facts, frame).plan
    if told := _of_sampler(sampler, plan):
        return told
    if not plan.is_full and min(frame.picture) < LEAST_SIDE:
        return Said(
            "half_too_small",
            "half of {size} is too small to draw in, {least} pixels are the least",
            size=frame.size,
            least=LEAST_SIDE,
        )
    if not noise.any() and (not plan.is_full or start >= 1):
        return Said(
            "goes_on",
            "this sampler goes on with the noise of its latent, and the plan makes new noise",
        )
    share = 1 / facts.cost.speed_up(plan, *frame.fine_grid, steps, guided, references)
    if share > WORTH:
        return Said(
            "saves_little",
            "{plan} takes {share} of the compute of these {steps} steps; set more, or a cheaper "
            "quality",
            plan=words_of(plan, settings.quality),
            share=f"{share:.0%}",
            steps=steps,
        )
    return None


def _of_few(settings: Settings, facts: ModelFacts, steps: int) -> Said | None:
    """Why so few steps of the sampler's own leave none to spare."""
    may_spare = settings.quality in DIALLED
    if steps > (FEWEST if may_spare else FEW):
        return None
    counted = count_of_steps(steps)
    is_part = telling_steps(settings, facts.shift) > MOST  # the rest is another's
    if is_part or may_spare or steps <= FEWEST:
        return Said(
            "none_to_spare", "of {counted} none can be spared", counted=counted, steps=steps
        )
    return Said(
        "none_for_paper",
        "of {counted} none can be spared; for a distilled model take fine, balanced or draft, "
        "else set more steps",
        counted=counted,
        steps=steps,
    )


def _of_sampler(sampler: Any, plan: Plan) -> Said | None:
    """Why a SAMPLER cannot run the plan."""
    if enlarges(sampler):
        return Said("enlarges", "this sampler enlarges the picture while it samples")
    if shares_steps(sampler):
        return Said(
            "shares_steps", "this sampler shares its steps with another, and counts them itself"
        )
    if plan.is_full and chooses_levels(sampler):
        return Said("own_levels", "this sampler chooses noise levels of its own")
    least = least_steps(sampler_for(plan, sampler))
    if min(plan.steps) < least:
        return Said(
            "needs_steps",
            "this sampler needs {least} steps, and the plan has {left} left",
            least=least,
            left=min(plan.steps),
        )
    return None
