"""How far a run is, by the FLOPs of its stages: a step at half size is a small part of it."""

from __future__ import annotations

from dataclasses import dataclass

from ....ralu_core.cost import NO_REFERENCES, CallCost, References
from ....ralu_core.plans import Plan


@dataclass(frozen=True)
class Work:
    """FLOPs of each stage of a run, by its number, in order."""

    stages: dict[int, float]

    @classmethod
    def of(
        cls,
        plan: Plan,
        cost: CallCost,
        grid: tuple[int, int],
        guided: bool = False,
        references: References = NO_REFERENCES,
    ) -> Work:
        """grid and the rest as `CallCost.plan_flops` takes them."""
        flops = cost.stage_flops(plan, *grid, guided, references)
        return cls({stage.number: f for stage, f in zip(plan.stages, flops, strict=True)})

    def done(self, number: int, step: int, steps: int) -> float:
        """The share, 0 to 1, that is done after so many steps of that stage."""
        before = sum(flops for one, flops in self.stages.items() if one < number)
        last = number == max(self.stages) and step >= steps
        now = before + self.stages[number] * step / steps
        return 1.0 if last else now / sum(self.stages.values())
