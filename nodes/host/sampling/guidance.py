"""Guidance that takes a second call of the model, and stages that go without it."""

from __future__ import annotations

import copy
import logging
import math
from typing import Any

import comfy.samplers

from ....ralu_core.plans import Plan

log = logging.getLogger(__name__)

GUIDED, UNGUIDED = 2, 1  # calls of the network for one estimate


def calls_of(guider: Any) -> int:
    """Calls of the network for one estimate of this GUIDER, as far as the host's own tell it."""
    return GUIDED if has_own_cfg(guider) and not math.isclose(guider.cfg, 1.0) else UNGUIDED


def without_guidance(guider: Any) -> Any:
    """A copy of a GUIDER at cfg 1, which the host samples in one call; of those that guide in a way
    of their own, the same as it is."""
    if calls_of(guider) == UNGUIDED:
        return guider
    made = copy.copy(guider)
    made.cfg = 1.0
    return made


def has_cfg_for_each(guider: Any, steps: int) -> bool:
    """Whether a GUIDER was given a cfg for each of so many steps, as KJNodes' Scheduled CFG may."""
    cfgs = getattr(guider, "cfg", None)
    return isinstance(cfgs, list | tuple) and len(cfgs) == steps


def name_unstoppable(guider: Any, plan: Plan) -> None:
    """Say, before sampling, where a plan would save guidance and the GUIDER has its own way."""
    saving = not all(stage.guided for stage in plan.stages)
    if saving and not has_own_cfg(guider):
        log.info(
            "The plan %s goes without guidance in some stages, and the GUIDER %s has a way of its "
            "own, which stays on in all of them: use a CFGGuider to save it.",
            plan.name,
            type(guider).__name__,
        )


def has_own_cfg(guider: Any) -> bool:
    """Whether it is guided by the host's own cfg."""
    plain = comfy.samplers.CFGGuider.predict_noise
    return getattr(type(guider), "predict_noise", None) is plain
