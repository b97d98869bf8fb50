"""Few steps at half size, then full size, on the seed's own noise: the picture of plain sampling.

Half size begins with what it can hold of the seed's full-size noise, and what it could not hold of
that noise joins at full size, so that the run stays near the plain one of the same seed. Steps are
of second order, and the first at full size remembers the last at half size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..crossings import Matched
from ..growth import Growth
from ..latents.checks import MIN_Z, check_level, check_steps
from ..latents.grid import FULL, HALF
from .plan import Plan
from .stage import Stage


def own_noise(
    model_shift: float,
    steps: Sequence[int] = (3, 5),
    *,
    switch: float = 0.85,
    growth: str | Growth = "dct",
    order: int = 2,
    guide_full: bool = True,
) -> Plan:
    """Two sizes on one trajectory. ValueError for numbers that cannot run.

    steps   at half size, and at full size.
    switch  sigma in (0, 1) where half size ends; full size begins at 2 * switch / (1 + switch),
            which is as noisy to it: a half-size latent holds a quarter of the noise, and all of
            the signal that it can hold.
    growth  "dct", "pixel" for Haar's, or one that was fitted, see `growth.enlarged`.
    order   of the steps, see `Stage`.
    guide_full
            False pays for guidance at half size only, where it costs a quarter.

    Half size spreads its steps by half the model's shift, so that both sizes visit levels that are
    as noisy to them.
    """
    low, high = check_steps(steps, 2)
    crossing = Matched(check_level("The switch", switch), MIN_Z, growth, own=True)
    half = Stage.spaced(HALF, low, 1.0, switch, shift=model_shift / 2, order=order)
    full = Stage.spaced(FULL, high, crossing.start_sigma, 0.0, shift=model_shift, order=order)
    name = f"own noise {low}-{high}"
    if not guide_full:
        full, name = replace(full, guided=False), f"{name}, guided at half size"
    return Plan.of(name, [half, full], [crossing], model_shift=model_shift)
