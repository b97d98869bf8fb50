"""The one dial: which plan a quality means for a MODEL."""

from __future__ import annotations

from ...ralu_core.latents.frame import Frame
from ...ralu_core.plans import Plan, named_plan
from ...ralu_core.plans.presets import PRESETS
from .families.dials import CONDITIONED, DIALLED, GUIDED
from .families.inspect import ModelFacts
from .few_steps import fewer_plain

PAPER, CUSTOM = "paper", "custom"
QUALITIES = (*DIALLED, PAPER, CUSTOM)


def check_quality(quality: str, has_schedule: bool) -> None:
    """ValueError for a quality that there is none of, and for `custom` without a schedule."""
    if quality not in QUALITIES:
        raise ValueError(f"The quality must be one of {', '.join(QUALITIES)}, got {quality!r}.")
    if quality == CUSTOM and not has_schedule:
        raise ValueError(
            "The quality custom takes its plan from the socket schedule, and nothing is connected: "
            f"connect RALU NT-Matching Schedule, or choose {', '.join(DIALLED)} or {PAPER}."
        )


def dialled_plan(quality: str, facts: ModelFacts, frame: Frame) -> Plan:
    """The plan that a quality means for such a picture of a MODEL; not `custom`, see `widgets`."""
    few = facts.distilled_steps
    if quality != PAPER and few is not None:
        return fewer_plain(facts.shift_for(frame, few), few, 1.0).whole
    name = facts.preset_name if quality == PAPER else facts.dialled_name(quality)
    return plan_named(name, facts, frame)


def words_of(plan: Plan, quality: str) -> str:
    """A plan's name, after the quality whose own it is."""
    is_own = plan.name in (GUIDED.get(quality), CONDITIONED.get(quality))
    return f"{quality} ({plan.name})" if is_own else plan.name


def plan_named(name: str, facts: ModelFacts, frame: Frame) -> Plan:
    """The plan of that name for such a picture of a MODEL. ValueError for unknown names."""
    published = {preset.name: preset.baseline_steps for preset in PRESETS}
    return named_plan(name, facts.shift_for(frame, published.get(name)))
