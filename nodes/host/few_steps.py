"""Runs of few steps: so few are for distilled models, which nothing else may tell from others."""

from __future__ import annotations

import math
from dataclasses import replace

from ...ralu_core.plans.plain import plain
from ...ralu_core.plans.plan import Plan

# From so many steps of a whole run on. At 6 the eight-step plan would save 1.1x at most.
BY_STEPS = {7: "8-step distilled", 4: "4-step distilled"}
SHARE = 0.75  # of its own steps, which fine, balanced and draft leave: docs/figures.md says why
ROUNDING = 1e-6  # of a part that noise levels tell
MOST = 9  # the published models take 8 or 9; 10 are a draft of any model


def whole_run(steps: int, part: float) -> int:
    """Steps of a whole run, whose last part takes so many."""
    return round(steps / part)


def as_denoised(steps: int, part: float) -> int:
    """Steps of a whole run, as ComfyUI counts them where `denoise` leaves so many of them."""
    return int(steps / part + ROUNDING)


def few_steps_preset(steps: int) -> str | None:
    """The preset for whole runs of so many steps; None for more than any is for."""
    if steps > MOST:
        return None
    return next((preset for least, preset in BY_STEPS.items() if steps >= least), None)


def too_few(steps: int, few_from: int) -> bool:
    """Whether no plan is worth it for so few steps; few_from as a family has it."""
    return 0 < steps < few_from


def as_many_plain(shift: float, steps: int, part: float) -> Plan:
    """Plain steps on the model's own levels, so many in the last part of the run."""
    words = f"plain, as of {steps} step{'s' if steps > 1 else ''} none can be spared"
    return _plain(shift, steps, steps, part, words)


def fewer_plain(shift: float, steps: int, part: float) -> Plan:
    """SHARE of so many steps in the last part of the run, rounded up, on the model's own levels."""
    left = math.ceil(SHARE * steps)
    if left == steps:
        return as_many_plain(shift, steps, part)
    words = f"plain, {left} of {steps} steps as for a distilled model"
    return _plain(shift, left, steps, part, words)


def _plain(shift: float, left: int, steps: int, part: float, words: str) -> Plan:
    whole = plain(shift, (as_denoised(left, part),))
    return replace(whole, name=words, baseline_steps=as_denoised(steps, part))
