"""Runs of few steps: so few are for distilled models, which nothing else may tell from others."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ...ralu_core.latents.checks import MAX_STEPS
from ...ralu_core.latents.grid import FULL
from ...ralu_core.plans.plain import plain
from ...ralu_core.plans.plan import Plan
from ...ralu_core.plans.stage import Stage
from ...ralu_core.plans.text import count_of_steps

# From so many steps of a whole run on. At 6 the eight-step plan would save 1.1x at most.
BY_STEPS = {7: "8-step distilled", 4: "4-step distilled"}
SHARE = 0.75  # of its own steps, which fine, balanced and draft leave: docs/figures.md says why
ROUNDING = 1e-6  # of a part that noise levels tell
MOST = 9  # the published models take 8 or 9; 10 are a draft of any model


@dataclass(frozen=True)
class FewPlain:
    """Plain steps for a user whose own run has few.

    whole  the plan from noise to picture, on the model's own levels.
    left   steps that the run takes of it, whatever part of it the run is.
    own    those that its user would take.
    """

    whole: Plan
    left: int
    own: int

    def within(self, part: Plan) -> Plan:
        """A part of the plan, with as many steps as are left."""
        (stage,) = part.stages
        assert stage.shift is not None  # plain steps follow the model's
        even = Stage.spaced(FULL, self.left, stage.start, stage.end, shift=stage.shift)
        return replace(part, stages=(replace(even, number=stage.number),))


def as_denoised(steps: int, part: float) -> int:
    """Steps of a whole run, as ComfyUI counts them where `denoise` leaves so many of them."""
    return min(MAX_STEPS, int(steps / part + ROUNDING))


def few_steps_preset(steps: int) -> str | None:
    """The preset for whole runs of so many steps; None for more than any is for."""
    if steps > MOST:
        return None
    return next((preset for least, preset in BY_STEPS.items() if steps >= least), None)


def too_few(steps: int, few_from: int) -> bool:
    """Whether no plan is worth it for so few steps; few_from as a family has it."""
    return 0 < steps < few_from


def as_many_plain(shift: float, steps: int, part: float) -> FewPlain:
    """Plain steps on the model's own levels, so many in a part of the run."""
    words = f"plain, as of {count_of_steps(steps)} none can be spared"
    return _plain(shift, steps, steps, part, words)


def fewer_plain(shift: float, steps: int, part: float) -> FewPlain:
    """SHARE of so many steps in a part of the run, rounded up, on the model's own levels."""
    left = math.ceil(SHARE * steps)
    if left == steps:
        return as_many_plain(shift, steps, part)
    words = f"plain, {left} of {steps} steps as for a distilled model"
    return _plain(shift, left, steps, part, words)


def _plain(shift: float, left: int, steps: int, part: float, words: str) -> FewPlain:
    whole = plain(shift, (as_denoised(left, part),))
    whole = replace(whole, name=words, baseline_steps=as_denoised(steps, part))
    return FewPlain(whole, left, steps)
