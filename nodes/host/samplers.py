"""Which SAMPLERs can be right in stages, also where one is wrapped in another."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import comfy.samplers
from comfy.patcher_extension import WrappersMP

from ...ralu_core.plans import Plan
from .families.patches import closed_over
from .own_steps import is_for_own_steps
from .sampling.begin import sampler_name
from .sampling.guidance import has_own_cfg
from .sampling.keys import FORECASTS

log = logging.getLogger(__name__)

CHOOSE_LEVELS = ("dpm_fast", "dpm_adaptive")
ENLARGES = "lcm_upscale"
# In a plan of several stages: these leave a flow at another noise level than they were asked for.
# The first two choose levels of their own, ipndm_v diverges where steps are uneven, sa_solver omits
# the last step of a stage in ComfyUI 0.3.75, the others add noise as for other models.
REFUSED_SAMPLERS = (
    *CHOOSE_LEVELS,
    "ipndm_v",
    "sa_solver",
    "sa_solver_pece",
    "ddpm",
    "dpmpp_2s_ancestral_cfg_pp",
    "res_multistep_ancestral",
    "res_multistep_ancestral_cfg_pp",
)
KEEP_CFG = FORECASTS, "lazycache"  # keys of wrappers of predictions that change no cfg


def sampler_names() -> list[str]:
    """The host's list without those that stages refuse; other packs add to it when they load."""
    return [name for name in comfy.samplers.SAMPLER_NAMES if name not in REFUSED_SAMPLERS]


def sampler_named(name: str):
    """The SAMPLER of a widget's value; older hosts hand on values that the widget never had."""
    if name not in (names := sampler_names()):
        raise ValueError(f"The sampler must be one of {', '.join(names)}, got {name!r}.")
    return comfy.samplers.sampler_object(name)


def chooses_levels(sampler: Any) -> bool:
    """Whether a SAMPLER reads only the first and the last but one of its noise levels, and chooses
    those between by itself."""
    return any(chosen in name for name in names_within(sampler) for chosen in CHOOSE_LEVELS)


def enlarges(sampler: Any) -> bool:
    """Whether a SAMPLER enlarges the picture while it samples."""
    return any(ENLARGES in name for name in names_within(sampler))


def shares_steps(sampler: Any) -> bool:
    """Whether a SAMPLER takes some of its steps and leaves the rest to another, or goes on where
    that stopped, as RES4LYF's do: both count by noise levels that they remember."""
    return any(_is_part(one) for one in _within(sampler) if isinstance(one, Mapping))


def _is_part(options: Mapping) -> bool:
    """Whether options of RES4LYF's ask for a part; by default its counts are -1."""
    takes, begins = (options.get(name) for name in ("steps_to_run", "start_at_step"))
    if options.get("sampler_mode") in ("unsample", "resample"):
        return True
    return (type(takes) is int and takes >= 0) or (type(begins) is int and begins > 0)


def check_sampler(sampler, whole: Plan, steps: Sequence[int]) -> None:
    """Refuse samplers that cannot be right in stages of so many steps; in one, most can.

    whole  the plan that these steps are of.
    """
    if getattr(sampler, "sampler_function", None) is None:
        raise ValueError(
            f"RALU cannot use the SAMPLER {type(sampler).__name__}: it has no sampler function "
            "that could go on from one stage to the next; connect KSamplerSelect."
        )
    if enlarges(sampler):
        raise ValueError(
            f"The sampler {ENLARGES} enlarges the picture while it samples, and no plan does: "
            "use a sampler that keeps the size."
        )
    if shares_steps(sampler):
        raise ValueError(
            f"The sampler {sampler_name(sampler)} shares its steps with another, and a plan takes "
            "all of its own: set steps_to_run and start_at_step to -1, and sampler_mode to "
            "standard."
        )
    if is_for_own_steps(whole) and chooses_levels(sampler):
        raise ValueError(
            f"The sampler {sampler_name(sampler)} chooses noise levels of its own, and this plan "
            "has them already: use euler, dpmpp_2m or another sampler."
        )
    for name in names_within(sampler):
        for refused in REFUSED_SAMPLERS:
            if refused in name and len(steps) > 1:
                raise ValueError(
                    "The stages of this plan meet at exact noise levels, and the sampler "
                    f"{refused} does not keep to them: use euler, dpmpp_2m or another sampler."
                )
    if min(steps) < least_steps(sampler):
        raise ValueError(
            "The sampler uni_pc needs at least 2 steps in every stage, got "
            f"{list(steps)}: use a longer schedule, another denoise, or another sampler."
        )
    holds = any(isinstance(one, comfy.samplers.Sampler) for one in _options(sampler).values())
    if holds and len(steps) > 1:
        log.info(
            "The SAMPLER %s holds another, and RALU gives it the steps of one stage at a time: "
            "what it counts or spreads over a run starts anew in each stage.",
            sampler_name(sampler),
        )


def least_steps(sampler: Any) -> int:
    """How many a stage must have for a SAMPLER to run."""
    return 2 if any("unipc" in name for name in names_within(sampler)) else 1


def unread_by(guider: Any, sampler: Any) -> tuple[str, ...]:
    """Names of the prompts that no call reads, as the host leaves the negative one out at cfg 1."""
    asked = guider.model_options.get("disable_cfg1_optimization", False)
    asked = asked or any("_pp" in name for name in names_within(sampler))
    asked = asked or _may_change_cfg(guider)
    is_one = has_own_cfg(guider) and math.isclose(guider.cfg, 1.0)
    return ("negative",) if is_one and not asked else ()


def _may_change_cfg(guider: Any) -> bool:
    """Whether a node wraps what a guider predicts, as CFG Override does."""
    options = guider.model_options.get("transformer_options", {})
    held = (guider.model_patcher.wrappers, options.get("wrappers", {}))
    found = (item for one in held for item in one.get(WrappersMP.PREDICT_NOISE, {}).items())
    return any(functions and key not in KEEP_CFG for key, functions in found)


def names_within(sampler: Any) -> Iterator[str]:
    """Names of a SAMPLER's function and of all that it was given to call."""
    for one in _within(sampler):
        if isinstance(one, Mapping):
            yield from (str(value) for key, value in one.items() if _is_choice(key, value))
        elif hasattr(one, "__code__") or hasattr(one, "__func__"):
            yield getattr(one, "__name__", "")


def _within(sampler: Any) -> Iterator[Any]:
    """A SAMPLER and all that it holds."""
    seen: set[int] = set()
    waiting: list[Any] = [sampler]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
        elif isinstance(one, functools.partial):
            waiting += [one.func, one.args, one.keywords]
        elif isinstance(one, comfy.samplers.Sampler) or hasattr(one, "sampler_function"):
            waiting += vars(one).values()
        elif hasattr(one, "__code__") or hasattr(one, "__func__"):
            waiting += [getattr(one, "__self__", None), *closed_over(one)]


def _is_choice(key: Any, value: Any) -> bool:
    """Whether an option names a sampler; others may share such a name."""
    return "sampler" in str(key) and isinstance(value, str) and value in REFUSED_SAMPLERS


def _options(sampler: Any) -> dict[str, Any]:
    return getattr(sampler, "extra_options", None) or {}
