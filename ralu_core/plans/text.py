"""A plan in words: what was solved, what each stage costs, what speed-up to expect."""

from __future__ import annotations

from dataclasses import dataclass

from ..latents.frame import Frame
from . import nt_matching
from .plan import Plan
from .presets import Preset
from .ralu import matching_numbers, noise_jump


@dataclass(frozen=True)
class PlanFacts:
    """A plan for pictures of one size: what its report and its plot tell.

    speed_up        predicted, of the model calls over `baseline_steps` plain steps.
    """

    plan: Plan
    frame: Frame
    baseline_steps: int
    speed_up: float

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.plan.tokens(*self.frame.fine_grid)

    @property
    def z(self) -> float | None:
        return noise_jump(self.plan)

    @property
    def js_distance(self) -> float | None:
        """Of NT-Matching; None for plans that it says nothing of."""
        numbers = matching_numbers(self.plan)
        return None if numbers is None else nt_matching.js_distance(*numbers)

    def lines(self) -> list[str]:
        """Several lines of text: the plan, its stages, the prediction."""
        plan = self.plan
        early = "" if plan.ratio is None else f", early regions {plan.ratio:.0%}"
        lines = [f"{plan.name}: {plan.total_steps} steps{early}"]
        if self.js_distance is not None and self.z is not None:
            lines.append(
                f"model shift {plan.model_shift:.4g}, JS distance {self.js_distance:.4f}, "
                f"z {self.z:.4g}, c {self.z**-2:.4g}"
            )
        for stage, count in zip(plan.stages, self.tokens, strict=True):
            shift = "" if stage.shift is None else f", shift {stage.shift:.4g}"
            lines.append(
                f"stage {stage.number}: {stage.steps} steps, sigma {stage.start:.4f} to "
                f"{stage.end:.4f}{shift}, {count} tokens"
            )
        lines.append(
            f"predicted at {self.frame.size}: {self.speed_up:.2f}x fewer model FLOPs than "
            f"{self.baseline_steps} plain steps"
        )
        return lines


def published_line(preset: Preset) -> str | None:
    """The numbers that the paper prints for a preset; None where it prints none."""
    if preset.published_shifts is None or preset.published_z is None:
        return None
    shifts = ", ".join(f"{h:g}" for h in preset.published_shifts)
    z = preset.published_z
    return f"published for shift 3: shifts {shifts}, z {z:.4g}, c {z**-2:.4g}"
