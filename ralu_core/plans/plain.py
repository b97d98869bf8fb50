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
) -> Plan:
    """So many steps on the model's noise levels. ValueError for numbers that cannot run.

    guided_above  calls at this sigma and below it go without guidance; 0 guides all.
    settles       see `Stage`: few steps of second order overshoot where guidance is strong.
    """
    (count,) = check_steps(steps, 1)
    even = Stage.spaced(FULL, count, 1.0, 0.0, shift=model_shift, order=order)
    name = "plain" if order == 1 else f"second order {count}"
    if settles:
        name += ", last step Euler" if settles == 1 else f", last step by {1 - settles:g}"
    stages, crossings = guided_until(replace(even, settles=settles), guided_above)
    if guided_above:
        name += f", guided above {guided_above:g}"
    # Steps of second order stand for more of Euler's; how many, nobody published.
    baseline = count if order == 1 else None
    return Plan.of(name, stages, crossings, model_shift=model_shift, baseline_steps=baseline)


def on_levels_of(shift: float, plan: Plan, name: str) -> Plan:
    """A plan of one stage with its steps spread along one shift, for solvers of others.

    shift  h along which they are spread from the plan's first level to its last.
    """
    (stage,) = plan.stages
    even = Stage.spaced(FULL, stage.steps, stage.start, stage.end, shift=shift)
    return replace(plan, name=name, stages=(replace(even, number=stage.number),))
