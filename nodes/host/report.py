"""What a run did, in one line for the log and as plain values for the canvas."""

from __future__ import annotations

from dataclasses import dataclass

from ...ralu_core.cost import CallCost
from .progress import StageRecord


@dataclass(frozen=True)
class RunReport:
    """stages as they ran; seconds of the whole run; the model's size; the coarse grid."""

    stages: list[StageRecord]
    seconds: float
    cost: CallCost
    grid: tuple[int, int]

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def full_step_equivalents(self) -> float:
        """The model calls of the run, counted in full-resolution calls by their FLOPs."""
        full = self.cost.flops(4 * self.grid[0] * self.grid[1])
        return sum(s.steps * self.cost.flops(max(s.tokens)) / full for s in self.stages)

    def line(self) -> str:
        parts = [
            f"stage {s.number}: {s.steps} steps x {max(s.tokens)} tokens {s.seconds:.2f} s"
            for s in self.stages
        ]
        return (
            f"RALU {self.steps} steps in {self.seconds:.2f} s ({'; '.join(parts)}), "
            f"the model compute of {self.full_step_equivalents():.1f} full-resolution steps"
        )
