"""Whose place RALU's steps of second order take, and on which noise levels other SAMPLERs run."""

from __future__ import annotations

from typing import Any

import comfy.samplers

from ...ralu_core.plans import Plan, on_levels_of
from ...ralu_core.plans.text import count_of_steps
from .sampling.begin import sampler_name
from .sampling.second_order import is_second_order, of_second_order

# One call a step and no noise: in many steps all of them draw the same picture, to which RALU's
# steps come nearer in few (docs/plans.md).
REPLACED = (
    "euler",
    "lms",
    "dpmpp_2m",
    "deis",
    "ipndm",
    "ipndm_v",
    "res_multistep",
    "gradient_estimation",
    "uni_pc",
    "uni_pc_bh2",
)
# How they look back on the steps before; with other options they may add noise.
LOOK_BACK = {"order", "max_order", "deis_mode", "ge_gamma"}
# Several calls a step, which look back on none: steps that are close at high noise suit them.
BY_THEMSELVES = ("heun", "heunpp2", "dpm_2", "exp_heun_2_x0")


def is_replaced(sampler: Any) -> bool:
    """Whether a SAMPLER is one of the host's whose place RALU's steps take."""
    return _is_one_of(REPLACED, sampler) and sampler.extra_options.keys() <= LOOK_BACK


def is_for_own_steps(plan: Plan) -> bool:
    """Whether a plan was made for RALU's steps of second order."""
    return any(stage.order > 1 for stage in plan.stages)


def takes_own_steps(plan: Plan, sampler: Any) -> bool:
    """Whether a plan that was made for RALU's steps runs with those of another SAMPLER."""
    return is_for_own_steps(plan) and not is_second_order(sampler) and not is_replaced(sampler)


def sampler_for(plan: Plan, sampler: Any) -> Any:
    """The SAMPLER that a plan is run with."""
    replaces = is_for_own_steps(plan) and is_replaced(sampler)
    return of_second_order(sampler) if replaces else sampler


def plan_for(plan: Plan, sampler: Any, shift: float, label: str) -> Plan:
    """The plan on noise levels that a SAMPLER can take: steps that grow are for RALU's own, and for
    samplers that look back on none. Others take as many on the levels of a model of that shift.

    label  of what was asked for, for the name.
    """
    is_other = takes_own_steps(plan, sampler) and hasattr(sampler, "sampler_function")
    if len(plan.stages) > 1 or not is_other or _is_one_of(BY_THEMSELVES, sampler):
        return plan
    name = f"{label} ({count_of_steps(plan.total_steps)} of {sampler_name(sampler)})"
    return on_levels_of(shift, plan, name)


def _is_one_of(names: tuple[str, ...], sampler: Any) -> bool:
    """Whether a SAMPLER calls what one of the host's of these names does."""
    function = getattr(sampler, "sampler_function", None)
    known = (name for name in names if name in comfy.samplers.SAMPLER_NAMES)
    return any(comfy.samplers.sampler_object(name).sampler_function is function for name in known)
