"""Named plans: which stages a run has, on which grids, and how it crosses between them."""

from __future__ import annotations

from collections.abc import Callable

from .bottleneck import bottleneck
from .plain import plain
from .plan import Plan, Stage
from .presets import matched_plan, preset
from .ralu import ralu
from .two_sizes import two_sizes

__all__ = ["PLANS", "Plan", "Stage", "bottleneck", "plain", "ralu", "two_sizes"]

# By name: what makes the plan for a model of that shift, with its own default numbers.
PLANS: dict[str, Callable[[float], Plan]] = {
    "RALU": lambda model_shift: matched_plan(preset("FLUX 5x").at(model_shift), model_shift),
    "plain": plain,
    "two sizes": two_sizes,
    "Bottleneck Sampling": bottleneck,
}
