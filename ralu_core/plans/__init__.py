"""Named plans: which stages a run has, on which grids, and how it crosses between them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..latents.checks import check_shift
from .bottleneck import bottleneck
from .early import CONDITIONED_TIMES, early
from .early_own import early_own
from .own_noise import own_noise
from .plain import on_levels_of, plain
from .plan import Plan
from .presets import PRESETS, PUBLISHED_SHIFT, matched_plan, preset
from .ralu import matching_numbers, ralu
from .stage import Stage
from .two_sizes import two_sizes

__all__ = [
    "CONDITIONED_TIMES",
    "PLANS",
    "Plan",
    "Stage",
    "bottleneck",
    "early",
    "early_own",
    "matching_numbers",
    "named_plan",
    "names",
    "on_levels_of",
    "own_noise",
    "plain",
    "ralu",
    "two_sizes",
]

# By name: what makes the plan for a model of that shift, with its own default numbers.
PLANS: dict[str, Callable[[float], Plan]] = {
    "plain": plain,
    **{f"second order {count}": partial(plain, steps=(count,), order=2) for count in (10, 6, 4)},
    **{
        f"second order {count}, guided above 0.8": partial(
            plain, steps=(count,), order=2, guided_above=0.8
        )
        for count in (10, 6)
    },
    "second order 4, last step Euler": partial(plain, steps=(4,), order=2, settles=True),
    **{f"early second order {count}": partial(early, steps=(count,)) for count in (10, 7, 6, 5, 4)},
    **{
        f"early second order {count}, from {CONDITIONED_TIMES:g} times the shift": partial(
            early, steps=(count,), times=CONDITIONED_TIMES
        )
        for count in (10, 7, 6, 5, 4)
    },
    **{
        f"early second order {count}, guided above 0.7": partial(
            early, steps=(count,), guided_above=0.7
        )
        for count in (10, 7, 6, 5, 4)
    },
    "early own noise 2-4": early_own,
    "early own noise 2-4, guided above 0.7": partial(early_own, guided_above=0.7),
    "own noise 3-5": own_noise,
    "own noise 4-2": partial(own_noise, steps=(4, 2), switch=0.65),
    "own noise 4-4, guided at half size": partial(
        own_noise, steps=(4, 4), switch=0.7, guide_full=False
    ),
    "two sizes": two_sizes,
    "Bottleneck Sampling": bottleneck,
}


def names() -> list[str]:
    """Of all plans, the presets first."""
    return [*(one.name for one in PRESETS), *PLANS]


def named_plan(name: str, shift: float | None = None) -> Plan:
    """A preset's plan, matched to a model of that shift, or one of PLANS. ValueError lists both
    for other names.

    shift  None takes that of the model which the preset was published for.
    """
    if shift is not None:
        shift = check_shift("Model shift", shift)
    if name in PLANS:
        return PLANS[name](PUBLISHED_SHIFT if shift is None else shift)
    if name not in names():
        listed = ";\n".join(names())
        raise ValueError(f"A plan must be one of {listed}; got {name!r}.")
    chosen = preset(name)
    shift = chosen.model_shift if shift is None else shift
    return matched_plan(chosen.at(shift), shift)
