"""A plan in words: what was solved, what each stage costs, what speed-up to expect."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from ..latents.frame import Frame
from ..latents.views import PAPER
from . import nt_matching
from .plan import Plan
from .presets import Preset
from .ralu import matching_numbers, noise_jump


@dataclass(frozen=True)
class PlanFacts:
    """A plan for pictures of one size: what its report and its plot tell.

    baseline_steps  plain steps that it is compared with: those that the plan is published against,
                    where it is.
    speed_up        predicted, of the model calls over `baseline_steps` plain steps.
    own_steps       plain steps that the user would take; 0 where nobody says.
    references      tokens of other pictures in each call.
    """

    plan: Plan
    frame: Frame
    baseline_steps: int
    speed_up: float
    own_steps: int = 0
    references: int = 0

    @property
    def own_speed_up(self) -> float | None:
        """The same over `own_steps`; None without them."""
        return self.speed_up * self.own_steps / self.baseline_steps if self.own_steps else None

    @property
    def saving(self) -> str:
        """What is saved, of the user's own steps first."""
        compared = saving(self.speed_up, self.baseline_steps)
        if self.own_speed_up is None:
            return compared
        own = saving(self.own_speed_up, self.own_steps)
        return f"{own}; published: {compared}" if self.is_published else own

    @property
    def is_published(self) -> bool:
        """Whether the plan is compared with other steps in a paper."""
        return self.plan.baseline_steps is not None

    @property
    def tokens(self) -> tuple[int, ...]:
        """Of one picture in each stage, as it is sampled."""
        frame = replace(self.frame, exact=self.plan.is_full)
        rows, columns = (math.ceil(side / frame.space.patch) for side in frame.padded)
        return self.plan.tokens(rows, columns)

    @property
    def z(self) -> float | None:
        return noise_jump(self.plan)

    @cached_property
    def js_distance(self) -> float | None:
        """Of NT-Matching; None for plans that it says nothing of."""
        numbers = matching_numbers(self.plan)
        return None if numbers is None else nt_matching.js_distance(*numbers)

    def lines(self) -> list[str]:
        """Several lines of text: the plan, its stages, the prediction."""
        plan = self.plan
        early = "" if plan.ratio is None else f", early regions {plan.ratio:.0%}"
        lines = [f"{plan.name}: {count_of_steps(plan.total_steps)}{early}"]
        if self.js_distance is not None and self.z is not None:
            lines.append(
                f"model shift {plan.model_shift:.4g}, JS distance {self.js_distance:.4f}, "
                f"z {self.z:.4g}, c {self.z**-2:.4g}"
            )
        for stage, count in zip(plan.stages, self.tokens, strict=True):
            shift = "" if stage.shift is None else f", shift {stage.shift:.4g}"
            shift += "" if stage.end_shift is None else f" to {stage.end_shift:.4g}"
            order = " of second order" if stage.order == 2 else ""  # others are Euler's
            guided = "" if stage.guided else ", without guidance"
            seen = f", {stage.views}" if stage.views != PAPER else ""
            lines.append(
                f"stage {stage.number}: {count_of_steps(stage.steps)}{order}, sigma "
                f"{stage.start:.4f} to {stage.end:.4f}{shift}{guided}, {count} tokens{seen}"
            )
        if self.references:
            lines.append(f"references: {self.references} tokens more in each call")
        lines.append(f"predicted at {self.frame.size}: {self.saving}")
        return lines


def saving(speed_up: float, steps: int) -> str:
    """How many times fewer FLOPs than so many plain steps, or more."""
    times, less = (speed_up, "fewer") if speed_up >= 1 else (1 / speed_up, "more")
    return f"{times:.2f}x {less} model FLOPs than {count_of_steps(steps, 'plain ')}"


def count_of_steps(count: int, kind: str = "") -> str:
    """So many steps, as people write them."""
    return f"{count} {kind}step{'' if count == 1 else 's'}"


def published_line(preset: Preset) -> str | None:
    """The numbers that the paper prints for a preset; None where it prints none."""
    if preset.published_shifts is None or preset.published_z is None:
        return None
    shifts = ", ".join(f"{h:g}" for h in preset.published_shifts)
    z = preset.published_z
    return f"published for shift 3: shifts {shifts}, z {z:.4g}, c {z**-2:.4g}"
