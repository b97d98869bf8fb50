"""The best schedule for a budget in the oracle's eyes: switch, steps, shifts and z of two sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lab.models.architectures import ARCHITECTURES
from lab.quality import oracle
from ralu_core.crossings import Matched
from ralu_core.latents.grid import FULL, HALF
from ralu_core.plans import Plan, Stage, plain

MODEL = ARCHITECTURES["flux-dev"]
TOKENS = 64  # along one side: 1024 pixels
SWITCHES = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
FACTORS = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0)  # on the model's shift
JUMPS = (2.0, 2.5, 3.0, 4.0, 6.0)
MOST_LOW = 10


@dataclass(frozen=True)
class Choice:
    """Two sizes on the seed's own noise; low_shift and high_shift are factors on the model's."""

    low: int
    high: int
    switch: float = 0.8
    low_shift: float = 0.5
    high_shift: float = 1.0
    z: float = 2.0

    def plan(self, model_shift: float) -> Plan:
        crossing = Matched(self.switch, self.z, "dct", own=True)
        low, high = (model_shift * factor for factor in (self.low_shift, self.high_shift))
        stages = [
            Stage.spaced(HALF, self.low, 1.0, self.switch, shift=low, order=2),
            Stage.spaced(FULL, self.high, crossing.start_sigma, 0.0, shift=high, order=2),
        ]
        return Plan.of(f"{self.low}-{self.high}", stages, [crossing], model_shift=model_shift)

    def neighbours(self) -> Iterator[Choice]:
        """Every choice that differs in one number."""
        for name, values in (
            ("switch", SWITCHES),
            ("low_shift", FACTORS),
            ("high_shift", FACTORS),
            ("z", JUMPS),
        ):
            for value in values:
                if value != getattr(self, name):
                    yield replace(self, **{name: value})


@dataclass(frozen=True)
class Found:
    """A plan, what it costs in full-size calls, and what the oracle says of it."""

    words: str
    plan: Plan
    calls: float
    outcome: oracle.Outcome


def half_call() -> float:
    """Cost of a half-size call of FLUX.1-dev at 1024 pixels, in full-size calls."""
    return MODEL.cost.flops(TOKENS**2 // 4) / MODEL.cost.flops(TOKENS**2)


def cost_in_calls(plan: Plan) -> float:
    """What a plan costs there, its mixed stage's tokens included."""
    return MODEL.cost.plan_flops(plan, TOKENS, TOKENS) / MODEL.cost.flops(TOKENS**2)


def best_two_sizes(
    budget: float, model_shift: float, lows: Sequence[int] | None = None
) -> list[Found]:
    """The best choice for each number of half-size steps, best first.

    budget  full-size calls. ValueError where not one full-size step is left.
    """
    found = []
    for low in lows or range(1, MOST_LOW + 1):
        high = int(budget - low * half_call() + 1e-9)
        if high >= 1:
            found.append(_descended(Choice(low, high), model_shift))
    if not found:
        raise ValueError(
            f"A plan of two sizes needs a budget of {1 + half_call():.2f} full-size calls or more, "
            f"got {budget:g}: raise it."
        )
    return sorted(found, key=lambda one: one.outcome.loss)


def _descended(choice: Choice, model_shift: float) -> Found:
    """One number at a time, until none gets better."""
    known: dict[Choice, oracle.Outcome] = {}

    def loss(one: Choice) -> float:
        if one not in known:
            known[one] = oracle.run(one.plan(model_shift))
        return known[one].loss

    while True:
        best = min((choice, *choice.neighbours()), key=loss)
        if best == choice:
            break
        choice = best
    words = (
        f"{choice.low} half, {choice.high} full, switch {choice.switch:g}, shifts "
        f"x{choice.low_shift:g} and x{choice.high_shift:g}, z {choice.z:g}"
    )
    plan = choice.plan(model_shift)
    return Found(words, plan, cost_in_calls(plan), known[choice])


def best_plain(budget: float, model_shift: float, order: int) -> Found:
    """As many full-size steps as the budget pays, their shift searched."""
    steps = max(1, int(budget + 1e-9))
    runs = []
    for factor in FACTORS:
        plan = plain(model_shift * factor, (steps,), order=order)
        words = f"{steps} plain steps of order {order}, shift x{factor:g}"
        runs.append(Found(words, plan, float(steps), oracle.run(plan)))
    return min(runs, key=lambda one: one.outcome.loss)
