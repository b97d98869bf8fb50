"""Two sizes on one schedule: the first steps at half size, the rest at full size."""

from __future__ import annotations

from collections.abc import Sequence

from ..crossings import Renoised, Repeated
from ..latents.checks import check_steps
from ..latents.flow import spaced_levels
from ..latents.grid import FULL, HALF
from .plan import Plan
from .stage import Stage


def two_sizes(
    model_shift: float,
    steps: Sequence[int] = (8, 6),
    *,
    fresh: bool = True,
    sigmas: Sequence[float] | None = None,
) -> Plan:
    """Naive upsampling. ValueError for numbers that cannot run.

    steps   at half size, and at full size.
    fresh   False repeats every latent pixel of the noisy state and goes on at the same noise
            level. True enlarges the clean estimate and adds new noise of that level, as the usual
            second pass over an enlarged latent does.
    sigmas  all noise levels, one more than steps; None spreads them by the model's shift.
    """
    low, high = check_steps(steps, 2)
    if sigmas is None:
        levels, shift = spaced_levels(model_shift, 1.0, 0.0, low + high), model_shift
    else:
        levels, shift = tuple(map(float, sigmas)), None
    if len(levels) != low + high + 1:
        raise ValueError(
            f"{low} + {high} steps lie between {low + high + 1} noise levels, got {len(levels)}: "
            "add or remove some."
        )
    stages = (
        Stage(HALF, levels[: low + 1], shift),
        Stage(FULL, levels[low:], shift),
    )
    crossing = Renoised(levels[low]) if fresh else Repeated(levels[low])
    name = "two sizes" if fresh else "two sizes, repeated"
    return Plan.of(name, stages, [crossing], model_shift=model_shift)
