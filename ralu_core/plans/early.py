"""Few steps of second order at full size, more of them at high noise than the model's own.

The way of a picture bends most at high noise, by guidance above all, and few steps miss it there.
Guidance that takes a second call turns faster than the slope of two steps tells, so what it adds
goes on straight; below some noise level it may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..latents.checks import check_steps
from ..latents.grid import FULL, HALF
from .guidance import guided_until
from .plan import Plan
from .stage import Stage

EARLY, MOST = 4.0, 12.0
CONDITIONED_TIMES = (
    2.5  # in the place of EARLY, for guidance in the model's own call, which bends less
)
SETTLES = 0.5  # 1 makes the last step Euler's, which ends on a blurred mean; 0 overshoots


def at_high_noise(stage: Stage, model_shift: float, times: float = EARLY) -> Stage:
    """A stage's steps, between the same ends, close at high noise and as the model's own at the
    end: the shift begins at `times` the model's, at most MOST, no less than its own, and falls to
    that. Half size has half of both, so that it visits levels that are as noisy to it.
    """
    part = 0.5 if stage.grid is HALF else 1.0
    first = max(model_shift, min(times * model_shift, MOST))
    return stage.spread(part * first, part * model_shift)


def early(
    model_shift: float,
    steps: Sequence[int] = (6,),
    *,
    times: float = EARLY,
    guided_above: float = 0.0,
) -> Plan:
    """So many steps, the last one half way to Euler's. ValueError for numbers that cannot run.

    times         the first shift over the model's, from 1: the more, the closer steps are at high
                  noise, and the longer the last one is, which finest detail comes from.
    guided_above  as `plain` takes it; models that need no second call are not concerned.

    The steps are spread as `at_high_noise` says. They grow by that, up to three times the one
    before, so they are restrained, and corrected for it. A run that begins later takes as many,
    as its share of so few would leave detail to one step; where guidance stops, its share.
    """
    (count,) = check_steps(steps, 1)
    if not times >= 1:
        raise ValueError(
            f"The first shift must be 1 time the model's or more, got {times:g}: try {EARLY:g}."
        )
    even = Stage.spaced(FULL, count, 1.0, 0.0, shift=model_shift, order=2)
    whole = replace(
        at_high_noise(even, model_shift, times),
        settles=SETTLES,
        straight_guidance=True,
        restrained=True,
        corrected=True,
        keeps_steps=not guided_above,
    )
    stages, crossings = guided_until(whole, guided_above)
    name = f"early second order {count}"
    if times != EARLY:
        name += f", from {times:g} times the shift"
    if guided_above:
        name += f", guided above {guided_above:g}"
    return Plan.of(name, stages, crossings, model_shift=model_shift)
