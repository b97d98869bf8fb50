"""Plain sampling: one stage at full size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..latents.checks import check_steps
from ..latents.grid import FULL
from .guidance import guided_until
from .plan import Plan
from .stage import Stage


def plain(
    model_shift: float,
    steps: Sequence[int] = (20,),
    *,
    order: int = 1,
    guided_above: float = 0.0,
    settles: float = 0.0,
    straight_guidance: bool = False,
    restrained: bool = False,
    corrected: bool = False,
) -> Plan:
    """So many steps on the model's noise levels. ValueError for numbers that cannot run.

    guided_above  calls at this sigma and below it go without guidance; 0 guides all.
    settles       see `Stage`: few steps of second order overshoot where guidance is strong.
    straight_guidance, restrained, corrected
                  see `Stage`.
    """
    (count,) = check_steps(steps, 1)
    whole = Stage.spaced(FULL, count, 1.0, 0.0, shift=model_shift, order=order)
    whole = replace(
        whole,
        settles=settles,
        straight_guidance=straight_guidance,
        restrained=restrained,
        corrected=corrected,
    )
    name = "plain" if order == 1 else f"second order {count}"
    if settles:
        name += ", last step Euler" if settles == 1 else f", last step by {1 - settles:g}"
    if straight_guidance:
        name += ", straight guidance"
    if restrained:
        name += ", restrained"
    stages, crossings = guided_until(whole, guided_above)
    if guided_above:
        name += f", guided above {guided_above:g}"
    if corrected:
        name += ", corrected"
    # Steps of second order stand for more of Euler's; how many, nobody published.
    baseline = count if order == 1 else None
    return Plan.of(name, stages, crossings, model_shift=model_shift, baseline_steps=baseline)
