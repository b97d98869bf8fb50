"""What the curve of a distilled model is drawn of: no plan may take more than its few steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.comfy import ralu_pack
from lab.quality import ralu
from lab.quality.pareto_line import EULER, LINE, RALU, Line, line_of, of_order, plain
from lab.quality.subject import Subject

if TYPE_CHECKING:
    from ...ralu_core.plans import Plan

STEPS = (1, 2, 3, 4, 5, 6, 8)
PRESETS = ("4-step distilled", "8-step distilled")
# More steps at half size for early regions, at as many FLOPs.
EXTRA = {"4-step distilled": 1, "8-step distilled": 2}
SIZES = ((2, 2), (3, 2), (4, 2), (4, 4), (6, 4))  # steps at half and at full size
SWITCHES = (0.7, 0.85)  # of the seed's own noise; z = 2
EARLY = (2, 3, 4, 5)
# Own steps, and which of their levels are left out.
SPARED = ((4, (1,)), (4, (2,)), (4, (3,)), (8, (3, 6)))


def lines(subject: Subject) -> list[Line]:
    """Every line of the curve, the line to beat first."""
    plans, shift = ralu_pack.plans, subject.shift
    presets = {name: ralu.matched(subject, name) for name in PRESETS}
    few = ralu.NO_EARLY_REGIONS
    waiting = {name: ralu.matched(subject, name, few, EXTRA[name]) for name in PRESETS}
    naive = {f"{a}-{b}": plans.two_sizes(shift, (a, b)) for a, b in SIZES}
    own = {
        f"{a}-{b}, switch {s:g}": of_order(plans.own_noise(shift, (a, b), switch=s), 1)
        for a, b in SIZES
        for s in SWITCHES
    }
    early = {f"{n} steps": plans.early(shift, (n,), times=plans.CONDITIONED_TIMES) for n in EARLY}
    return [
        Line(LINE, tuple(plain(steps, 2) for steps in STEPS)),
        Line(EULER, tuple(plain(steps, 1) for steps in STEPS)),
        line_of("plain, Euler, some own levels", dict(sparing(shift))),
        line_of("early second order", early),
        line_of("early, of first order", {n: _of_first_order(p) for n, p in early.items()}),
        line_of(RALU, presets),
        line_of("RALU, no early regions", waiting),
        line_of("own noise, Euler", own),
        line_of("two sizes, fresh noise", naive, is_rival=True),
    ]


def sparing(shift: float) -> Iterator[tuple[str, Plan]]:
    """Steps that begin where a model's own do, which it was made for, at fewer of them."""
    for steps, spared in SPARED:
        plan = ralu_pack.plans.plain(shift, (steps,))
        (stage,) = plan.stages
        sigmas = tuple(s for number, s in enumerate(stage.sigmas) if number not in spared)
        name = f"{steps} without {' and '.join(map(str, spared))}"
        yield name, replace(plan, stages=(replace(stage, sigmas=sigmas, shift=None),), name=name)


def _of_first_order(plan):
    """A plan's levels alone."""
    plain_steps = {"order": 1, "corrected": False, "restrained": False, "settles": 0.0}
    return replace(plan, stages=tuple(replace(stage, **plain_steps) for stage in plan.stages))
