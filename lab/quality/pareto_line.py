"""A line of the Pareto curve, and those that every model has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from lab.comfy import ralu_pack
from lab.quality import ralu, rivals
from lab.quality.methods import Method
from lab.quality.rivals import Batch

if TYPE_CHECKING:
    from ...ralu_core.plans import Plan

EULER, LINE = "plain, Euler", "plain, second order"  # the second is the line to beat
RALU = "RALU"  # as shipped


@dataclass(frozen=True)
class Line:
    """A family of methods that share all but their budget; rivals are the lab's, not the pack's."""

    name: str
    methods: tuple[Method, ...]
    is_rival: bool = False


def plain(steps: int, order: int) -> Method:
    """On the MODEL's own schedule, as a KSampler."""
    group = LINE if order == 2 else EULER
    return Method(group, f"{steps} steps", partial(_plain, steps=steps, order=order))


def _plain(batch: Batch, steps: int, order: int) -> torch.Tensor:
    if order == 1:
        return rivals.plain(batch, steps)
    return rivals.plain(batch, steps, ralu_pack.second_order.second_order())


def of_order(plan: Plan, order: int) -> Plan:
    stages = tuple(replace(stage, order=order) for stage in plan.stages)
    return replace(plan, stages=stages)


def line_of(name: str, plans: dict[str, Plan], is_rival: bool = False, **settings: Any) -> Line:
    """One method for each plan; settings as the node takes them."""
    run: Callable = rivals.Batch.sample if is_rival else ralu.node
    methods = (Method(name, key, partial(run, plan=p, **settings)) for key, p in plans.items())
    return Line(name, tuple(methods), is_rival)
