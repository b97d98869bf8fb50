"""Which plan a run takes: of a schedule or of the dial, from its first noise level to its last."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from ...ralu_core.latents.frame import Frame
from ...ralu_core.plans import Plan
from ...ralu_core.plans.stage import steps_of_part
from .dial import dialled_plan, plan_named
from .families.dials import DIALLED
from .families.inspect import ModelFacts, check_shift_fits
from .few_steps import (
    MOST,
    FewPlain,
    as_denoised,
    as_many_plain,
    few_steps_preset,
    fewer_plain,
    too_few,
)
from .request import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Planned:
    """A run on paper.

    whole      the plan from noise to picture.
    plan       what of it the run takes.
    shift      of the MODEL for such a picture.
    published  plain steps that somebody published the plan for, of the same part; None for none.
    is_guessed whether few steps alone told that the model is distilled.
    unbounded  the MODEL's own shift where it is greater; None where it is not.
    """

    whole: Plan
    plan: Plan
    shift: float
    published: int | None
    is_guessed: bool = False
    unbounded: float | None = None


def planned(settings: Settings, facts: ModelFacts, frame: Frame) -> Planned:
    """The plan that the settings ask for. ValueError where the MODEL cannot run it."""
    few = None if settings.schedule else _few_plain(settings, facts, frame)
    whole = settings.schedule or (few and few.whole) or _few_steps_plan(settings, facts, frame)
    whole = whole or dialled_plan(settings.quality, _told(facts, settings), frame)
    facts.check_plan(whole, frame)
    shifted = frame, whole.shift_steps or whole.baseline_steps
    shift, unbounded = facts.shift_for(*shifted), facts.unbounded_shift(*shifted)
    unbounded = unbounded if unbounded > shift else None
    check_shift_fits(whole.model_shift, shift, facts.is_sized)
    own = settings.own
    plan = whole.sharing_steps() if own.continues else whole
    plan = plan.growing_by(settings.upsampling).begun_at(own.start(shift)).ended_at(own.end)
    published = whole.baseline_steps
    if few is not None:
        is_guessed = few.left < few.own and facts.distilled_steps is None
        return Planned(whole, few.within(plan), shift, few.own, is_guessed, unbounded)
    if published is not None:
        published = steps_of_part(facts.plain_steps(published), own.part(shift))
    return Planned(whole, plan, shift, published, unbounded=unbounded)


def telling_steps(settings: Settings, shift: float) -> int:
    """The user's own steps, as they tell of the model. A picture that is sampled again takes all of
    them over what is left of its noise; who shares a run with others has a part of its steps, and
    `paper` counts so, too."""
    own = settings.own
    takes_all = settings.quality in DIALLED and not own.continues and own.end == 0
    return own.steps if takes_all else own.of_whole(shift)


def _told(facts: ModelFacts, settings: Settings) -> ModelFacts:
    """The facts, with what the user's own steps tell of the model."""
    return replace(facts, takes_many=telling_steps(settings, facts.shift) > MOST)


def _few_plain(settings: Settings, facts: ModelFacts, frame: Frame) -> FewPlain | None:
    """Plain steps for a user whose own run has few; None for others, and where a preset is for
    them."""
    own, told = settings.own, telling_steps(settings, facts.shift)
    part = own.steps / own.whole_steps if own.whole_steps else own.part(facts.shift)
    if settings.quality in DIALLED:
        make = fewer_plain if 0 < told <= MOST else None
    else:
        is_few = own.levels is None and too_few(told, facts.family.few_from)
        make = as_many_plain if is_few else None
    if make is None:
        return None
    return make(facts.shift_for(frame, as_denoised(own.steps, part)), own.steps, part)


def _few_steps_plan(settings: Settings, facts: ModelFacts, frame: Frame) -> Plan | None:
    """The preset for a user whose own run has few steps; None for others, and where another node's
    sampler has these steps, which `plain_fallback` is asked about."""
    whole = telling_steps(settings, facts.shift)
    name = None if settings.own.levels is not None else few_steps_preset(whole)
    if name is None:
        return None
    log.info("Runs of %d steps are for distilled models: RALU takes %s.", whole, name)
    return plan_named(name, facts, frame)
