"""What of its settings a run takes otherwise than its user may think, told where it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...ralu_core.growth import DEFAULT_GROWTH
from ...ralu_core.latents.grid import HALF
from ...ralu_core.plans import Plan
from .families.dials import DIALLED
from .few_steps import MOST
from .inputs import AUTO
from .lettering.marks import is_marked
from .own_steps import is_for_own_steps, is_replaced, takes_own_steps
from .planning import Planned
from .request import Settings
from .sampling.begin import sampler_name
from .sampling.conds import Conds, has_areas
from .sampling.references import IN_FULL
from .showing.said import Said

EULER = "euler"  # whose place they take without a word


def remarks(chosen: Planned, settings: Settings, sampler: Any, conds: Conds) -> Iterator[Said]:
    """Parts of a sentence; none where all is as asked for."""
    whole, plan = chosen.whole, chosen.plan
    if chosen.is_guessed:
        yield Said(
            "taken_for_turbo",
            "so few steps are taken for a turbo model's: for any other set {least} or more",
            least=MOST + 1,
        )
    if chosen.unbounded is not None:
        yield Said(
            "shift_is_bounded",
            "the MODEL's shift, {shift}, is taken as {most}, the greatest that plans go to",
            shift=f"{chosen.unbounded:.3g}",
            most=f"{chosen.shift:g}",
        )
    if settings.own.continues and plan.total_steps < whole.total_steps:
        yield Said(
            "takes_share",
            "its latent holds the noise of another sampler's run, so that it takes its share of "
            "steps, {part} of {whole}",
            part=plan.total_steps,
            whole=whole.total_steps,
        )
    if is_for_own_steps(whole) and is_replaced(sampler) and sampler_name(sampler) != EULER:
        yield Said(
            "replaces",
            "RALU's steps of second order take the place of {sampler}",
            sampler=sampler_name(sampler),
        )
    if takes_own_steps(whole, sampler):
        yield Said(
            "others_steps",
            "steps are those of {sampler}, and the plan was made for steps of second order: choose "
            "ComfyUI's own euler for these",
            sampler=sampler_name(sampler),
        )
    if settings.schedule is not None and settings.quality in DIALLED:
        yield Said(
            "schedule_is_plan",
            "the connected schedule is the plan, so that {quality} has no effect",
            quality=settings.quality,
        )
    unused = ", ".join(_unused(plan, settings, conds))
    if unused:
        yield Said(
            "left_out",
            "nothing grows early in this plan, so that it leaves {inputs} out",
            inputs=unused,
        )
    if settings.references != IN_FULL and not any(stage.grid is HALF for stage in plan.stages):
        yield Said(
            "read_in_full", "no stage is at half size, so that all references are read in full"
        )
    if has_areas(conds) and not plan.is_full:
        yield Said(
            "areas_see_all",
            "area prompts see the whole picture here, which the comparison does not count",
        )


def _unused(plan: Plan, settings: Settings, conds: Conds) -> Iterator[str]:
    if plan.ratio is None:
        if settings.region_mask is not None:
            yield "region_mask"
        if settings.detector != AUTO:
            yield "edge_detector"
        if settings.threshold:
            yield "edge_threshold"
        if is_marked(conds):
            yield "words in quotes"
    if not plan.crossings and settings.upsampling != DEFAULT_GROWTH:
        yield "upsampling"
