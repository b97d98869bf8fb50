"""Few steps of second order at full size, more of them at high noise than the model's own.

The way of a picture bends most at high noise, by guidance above all, and few steps miss it there.
Guidance that takes a second call turns faster than the slope of two steps tells, so what it adds
goes on straight; below some noise level it may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .plain import plain
from .plan import Plan

EARLY, MOST = 5 / 3, 5.0  # a shift of more leaves too long a way to the last step
GUIDED_ABOVE = 0.7


def spread(model_shift: float) -> float:
    """The shift that early steps are spread by: EARLY times the model's, but no more than MOST, and
    no less than its own."""
    return model_shift * max(1.0, min(EARLY, MOST / model_shift))


def early(
    model_shift: float,
    steps: Sequence[int] = (6,),
    *,
    guided_above: float = GUIDED_ABOVE,
    restrained: bool = False,
    corrected: bool = False,
) -> Plan:
    """So many steps, the last one Euler's. ValueError for numbers that cannot run.

    guided_above  as `plain` takes it; models that need no second call are not concerned.
    restrained    see `Stage`. The steps grow by their spread, and where guidance is in the velocity
                  itself, not added by a second call, it overshoots: even grounds get a haze.
    corrected     see `Stage`.

    The steps are spread as `spread` says.
    """
    plan = plain(
        model_shift,
        steps,
        order=2,
        guided_above=guided_above,
        settles=True,
        straight_guidance=True,
        restrained=restrained,
        corrected=corrected,
        early=spread(model_shift) / model_shift,
    )
    (count,) = steps
    name = f"early second order {count}"
    if restrained:
        name += ", restrained"
    if guided_above:
        name += f", guided above {guided_above:g}"
    return replace(plan, name=f"{name}, corrected" if corrected else name)
