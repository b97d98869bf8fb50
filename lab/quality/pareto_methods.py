"""What the Pareto curve is drawn of: families of plans over budgets, as the pack runs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lab.comfy import ralu_pack
from lab.models.architectures import MINIATURES
from lab.models.blueprint import FEW
from lab.quality import few_methods, jit, ralu
from lab.quality.methods import BUDGETS, Method
from lab.quality.pareto_line import EULER, LINE, RALU, Line, line_of, of_order, plain
from lab.quality.subject import Subject

if TYPE_CHECKING:
    from ...ralu_core.plans import Plan

STEPS = (3, 4, 5, 6, 7, 10, 20)
HARDNESS = (4, 6, 10, 20)  # steps whose distance to many steps says how hard a judge a model is
# By family: with guidance, a step is two calls.
SIZES = {"flux1": ((6, 5), (8, 7)), "sd3": ((8, 6), (12, 10))}
TURNS = {"flux1": ((1, 6, 4), (1, 12, 5)), "sd3": ((1, 12, 4), (2, 16, 7))}
PRESETS = {"flux1": ("FLUX 7x", "FLUX 5x"), "sd3": ("SD3 3x", "SD3 2x")}
# Steps at both sizes and the switch; z = 2 throughout.
OWN_NOISE = ((4, 2, 0.65), (4, 3, 0.8), (4, 5, 0.8), (3, 5, 0.85), (6, 6, 0.6), (8, 7, 0.7))
JIT = {8: jit.SHARES[11], 11: jit.SHARES[11], 18: jit.SHARES[18]}
GUIDED_AT_HALF = ((4, 4, 0.7), (4, 6, 0.7), (4, 9, 0.7))


def dialled(kind: str) -> str:
    """The line of what the dial takes of a miniature."""
    model = MINIATURES[kind]
    if model.preset == FEW:
        return EULER
    times = ralu_pack.plans.CONDITIONED_TIMES
    return "early second order" + (f", from {times:g} times the shift" if model.cfg == 1 else "")


def lines(subject: Subject) -> list[Line]:
    """Every line of the curve, the line to beat first."""
    model, shift = MINIATURES[subject.kind], subject.shift
    if model.preset == FEW:
        return few_methods.lines(subject)
    plans = ralu_pack.plans
    sizes, turns = SIZES[model.family], TURNS[model.family]
    presets = {name: ralu.matched(subject, name) for name in PRESETS[model.family]}
    seen = {name: plan.seeing("views") for name, plan in presets.items()}
    times = plans.CONDITIONED_TIMES
    conditioned = _early(shift, times=times)
    found = [
        Line(LINE, tuple(plain(steps, 2) for steps in STEPS)),
        Line(EULER, tuple(plain(steps, 1) for steps in STEPS)),
        line_of("plain, last step Euler", _settled(shift)),
        line_of("early second order", _early(shift)),
        line_of(f"early second order, from {times:g} times the shift", conditioned),
        line_of(RALU, presets),
        line_of("RALU, views", seen),
        line_of("RALU, views, step variance", seen, detector="step_variance"),
        _avits_like(seen),
        line_of("RALU, no early regions", _waiting(subject)),
        line_of("RALU, second order", {n: of_order(p, 2) for n, p in presets.items()}),
        line_of("own noise", dict(_own_noise(shift, "dct"))),
        line_of("own noise, Haar (Fresco-like)", dict(_own_noise(shift, "pixel")), is_rival=True),
        line_of("Haar, new noise (SPEED-like)", dict(_speed_like(shift)), is_rival=True),
    ]
    if model.cfg != 1:
        above, half_only = _less_guided(shift)
        small = {
            f"{a}-{b}": plans.early_own(shift, (a, b), guided_above=0.7)
            for a, b in ((2, 3), (2, 4), (3, 4))
        }
        whole = {"2-4": plans.early_own(shift)}
        found.insert(5, line_of("early own noise", whole))
        found.insert(6, line_of("early own noise, guided above 0.7", small))
        found.insert(
            7, line_of("early second order, guided above 0.7", _early(shift, guided_above=0.7))
        )
        found.insert(8, line_of("plain, second order, guided above 0.8", above))
        found.insert(15, line_of("own noise, guided at half size", half_only))
    for order, more in ((1, ""), (2, ", second order")):
        found.append(_just_in_time(order, more))
        naive = {f"{a}-{b}": plans.two_sizes(shift, (a, b)) for a, b in sizes}
        turned = {"-".join(map(str, n)): plans.bottleneck(shift, n) for n in turns}
        for name, some in (("two sizes, fresh noise", naive), ("Bottleneck Sampling", turned)):
            stepped = {key: of_order(plan, order) for key, plan in some.items()}
            found.append(line_of(name + more, stepped, is_rival=True))
    return found


def _just_in_time(order: int, more: str) -> Line:
    """As published, and in fewer steps."""
    name = f"Just-in-Time{more}"
    runs = {n: partial(jit.sample, steps=n, shares=some, order=order) for n, some in JIT.items()}
    methods = tuple(Method(name, f"{steps} steps", run) for steps, run in runs.items())
    return Line(name, methods, is_rival=True)


def _avits_like(presets: dict[str, Plan]) -> Line:
    """RALU whose early regions are AViTS's: by attention to the text and by step variance.

    FLOPs are those of as many regions anywhere; the look at the attention is not among them.
    """
    name = "RALU, views, AViTS's scores"
    runs = {
        key: [partial(ralu.node, plan=plan, detector=score) for score in ("avits", "even")]
        for key, plan in presets.items()
    }
    methods = tuple(Method(name, key, run, "", even) for key, (run, even) in runs.items())
    return Line(name, methods, is_rival=True)


def _own_noise(shift: float, growth: str) -> Iterator[tuple[str, Plan]]:
    for low, high, switch in OWN_NOISE:
        plan = ralu_pack.plans.own_noise(shift, (low, high), switch=switch, growth=growth)
        yield f"{low}-{high}, switch {switch:g}", plan


def _speed_like(shift: float) -> Iterator[tuple[str, Plan]]:
    """Haar's expansion at z = 2 with new noise in the details, second order in each stage."""
    for low, high, switch in OWN_NOISE:
        plan = ralu_pack.plans.own_noise(shift, (low, high), switch=switch, growth="pixel")
        crossing = ralu_pack.matched.Matched(switch, 2.0, "pixel")
        yield f"{low}-{high}, switch {switch:g}", replace(plan, crossings=(crossing,))


def _less_guided(shift: float) -> tuple[dict[str, Plan], dict[str, Plan]]:
    """Guidance above a noise level alone, and at half size alone."""
    plans = ralu_pack.plans
    above = {f"{n} steps": plans.plain(shift, (n,), order=2, guided_above=0.8) for n in (4, 6, 10)}
    half_only = {
        f"{a}-{b}, switch {s:g}": plans.own_noise(shift, (a, b), switch=s, guide_full=False)
        for a, b, s in GUIDED_AT_HALF
    }
    return above, half_only


def _settled(shift: float) -> dict[str, Plan]:
    """Second-order steps whose last one is Euler's."""
    make = ralu_pack.plans.plain
    return {f"{n} steps": make(shift, (n,), order=2, settles=True) for n in STEPS[:-1]}


def _early(shift: float, **settings: float) -> dict[str, Plan]:
    """More steps at high noise; guided in all of them, or above a noise level."""
    make = partial(ralu_pack.plans.early, shift, **settings)
    return {f"{n} steps": make((n,)) for n in (4, 5, 6, 7, 10)}


def _waiting(subject: Subject) -> dict[str, Plan]:
    """The presets with more steps at half size in the place of early regions."""
    few = ralu.NO_EARLY_REGIONS
    return {
        budget.preset: ralu.matched(subject, budget.preset, few, budget.extra)
        for budget in reversed(BUDGETS[subject.kind])
    }
