"""Bottleneck Sampling (Tian et al. 2025, arXiv 2503.18940): full, half, then full size."""

from __future__ import annotations

from collections.abc import Sequence

from ..crossings import Renoised
from ..latents.checks import check_level, check_steps
from ..latents.flow import spaced_levels
from ..latents.grid import FULL, HALF
from .plan import Plan
from .stage import Stage


def bottleneck(
    model_shift: float,
    steps: Sequence[int] = (1, 6, 4),
    *,
    turn: float = 0.7,
    jump: float = 2.0,
) -> Plan:
    """Full, half and full size. ValueError for numbers that cannot run.

    steps  of the three stages. The first two run down to sigma `turn`.
    jump   At both changes of size the clean estimate is resized and new noise is added: of the
           same level on the way down, and of a level `jump` times higher in sigma / (1 - sigma)
           on the way up, where the last stage then starts.
    Each stage spreads its steps by the model's shift.
    """
    first, low, high = check_steps(steps, 3)
    levels = spaced_levels(model_shift, 1.0, check_level("The turn", turn), first + low)
    down, up = Renoised(levels[first]), Renoised(turn, jump)
    stages = (
        Stage(FULL, levels[: first + 1], model_shift),
        Stage(HALF, levels[first:], model_shift),
        Stage.spaced(FULL, high, up.start_sigma, 0.0, shift=model_shift),
    )
    return Plan.of("Bottleneck Sampling", stages, [down, up], model_shift=model_shift)
