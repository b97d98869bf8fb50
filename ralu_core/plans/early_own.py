"""Early steps at two sizes on the seed's own noise, where guidance takes a second call.

Half size draws what high noise settles, at a quarter of the price of a guided step, and leaves
four steps of full size to the rest. `own_noise` has the law, `early` the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .early import SETTLES, at_high_noise
from .guidance import guided_until
from .own_noise import own_noise
from .plan import Plan

SWITCH = 0.95  # sigma where half size ends


def early_own(
    model_shift: float,
    steps: Sequence[int] = (2, 4),
    *,
    guided_above: float = 0.0,
) -> Plan:
    """So many steps at half size and at full size. ValueError for numbers that cannot run.

    guided_above  of full size, as `plain` takes it; half size pays for guidance throughout.

    Both sizes are spread as `early` spreads its steps; full size alone is corrected, since half
    size keeps less of the picture by that.
    """
    both = own_noise(model_shift, steps, switch=SWITCH)
    half, full = (
        replace(at_high_noise(stage, model_shift), straight_guidance=True, restrained=True)
        for stage in both.stages
    )
    full = replace(full, settles=SETTLES, corrected=True)
    stages, crossings = guided_until(full, guided_above)
    name = "early own noise {}-{}".format(*steps)
    if guided_above:
        name += f", guided above {guided_above:g}"
    crossed = [*both.crossings, *crossings]
    return Plan.of(name, [half, *stages], crossed, model_shift=model_shift)
