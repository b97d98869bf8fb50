"""RALU: half size, then what has edges at full size, then full size (arXiv 2507.08422)."""

from __future__ import annotations

from collections.abc import Sequence

from ..crossings import Matched
from ..growth import DEFAULT_GROWTH
from ..latents.checks import (
    check_end_sigmas,
    check_one_per_stage,
    check_ratio,
    check_shift,
    check_shifts,
    check_steps,
    check_z,
)
from ..latents.flow import stage_start
from ..latents.grid import FULL, HALF, MIXED
from ..latents.views import PAPER
from . import nt_matching
from .plan import Plan
from .stage import Stage

GRIDS = (HALF, MIXED, FULL)
PUBLISHED_SHIFT = 3.0  # h_ori of the models that the paper solved its shifts for
# A jump of z keeps 1 / (1 + z * sigma / (1 - sigma)) of the signal: 4 % for z = 10 at sigma 0.7,
# 0.5 % for z = 80. Some settings have their least JS distance there, by a few percent of it, and
# would paint the picture anew; published z run from 4.1 to 7.5.
MAX_JUMP = 10.0


def ralu(
    steps: Sequence[int],
    end_sigmas: Sequence[float],
    shifts: Sequence[float],
    z: float,
    ratio: float,
    model_shift: float,
    *,
    growth: str = DEFAULT_GROWTH,
    kept: str = "exact",
    views: str = PAPER,
    name: str = "RALU",
    baseline_steps: int | None = None,
) -> Plan:
    """The paper's plan from its numbers. ValueError for those that cannot run.

    steps        model calls of the three stages, 1 to 1000 each.
    end_sigmas   where each stage ends: below 1, falling, the last exactly 0; the paper's 1 - e.
    shifts       h of each stage, in (0, 100].
    z            noise jump between grids, >= 2; the paper's 1/sqrt(c).
    ratio        share of the coarse tokens that grow early, in (0, 1).
    model_shift  h of the model the plan is meant for, in (0, 100].
    growth       one of `growth.GROWTHS`; kept one of `latents.noise.KEPT_NOISE`; views one of
                 `latents.views.VIEWS_KNOWN`.
    """
    check_ratio(ratio)
    counts = check_steps(steps, len(GRIDS))
    ends, shifts = check_end_sigmas(end_sigmas), check_shifts(shifts)
    for what, values in (("Stage end sigmas", ends), ("Shifts", shifts)):
        check_one_per_stage(what, values, len(GRIDS))
    check_z(z)
    check_shift("Model shift", model_shift)
    starts = (1.0, *(stage_start(z, end) for end in ends[:-1]))
    stages = [
        Stage.spaced(
            grid,
            n,
            start,
            end,
            shift=shift,
            ratio=float(ratio) if grid.is_mixed else None,
            views=views if grid.is_mixed else PAPER,
        )
        for grid, n, start, end, shift in zip(GRIDS, counts, starts, ends, shifts, strict=True)
    ]
    crossings = [Matched(end, z, growth, kept) for end in ends[:-1]]
    return Plan.of(name, stages, crossings, model_shift=model_shift, baseline_steps=baseline_steps)


def matched_ralu(
    steps: Sequence[int],
    end_sigmas: Sequence[float],
    ratio: float,
    model_shift: float,
    *,
    max_z: float | None = None,
    name: str = "RALU",
    baseline_steps: int | None = None,
) -> Plan:
    """The paper's plan with shifts and z solved by NT-Matching; arguments as `ralu` takes them.

    max_z  bound on z; None takes `most_z`.
    """
    bound = most_z(model_shift) if max_z is None else max_z
    solved = nt_matching.solve(steps, end_sigmas, model_shift, bound)
    numbers = solved.shifts, solved.z, ratio, model_shift
    return ralu(steps, end_sigmas, *numbers, name=name, baseline_steps=baseline_steps)


def most_z(model_shift: float) -> float:
    """Bound on the noise jump z that keeps what a stage has drawn: 10 for a shift up to 3.

    Above, it grows with the shift, which keeps the jump the same on the model's own scale.
    """
    return MAX_JUMP * max(1.0, model_shift / PUBLISHED_SHIFT)


def noise_jump(plan: Plan) -> float | None:
    """z of a plan whose crossings are all matched with one z, on new noise; None for others."""
    jumps = {c.z if isinstance(c, Matched) and not c.own else None for c in plan.crossings}
    return jumps.pop() if len(jumps) == 1 else None


def matching_numbers(plan: Plan) -> tuple | None:
    """Steps, ends, model shift, stage shifts and z, as `nt_matching` takes them; None for a plan
    that NT-Matching says nothing of."""
    z, shifts = noise_jump(plan), [stage.shift for stage in plan.stages]
    if z is None or None in shifts or plan.model_shift is None:
        return None
    return plan.steps, plan.ends, plan.model_shift, shifts, z
