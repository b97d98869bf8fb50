"""A sampling plan: stages, each on one grid, and the crossings between them. Data, no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..crossings import Crossing, Matched
from ..growth import Growth
from ..latents.checks import check_shift
from ..latents.grid import FULL
from ..latents.views import view_named
from .stage import Stage

_SAME_LEVEL = 1e-6


@dataclass(frozen=True)
class Plan:
    """Everything that fixes what a run visits, and on how many tokens. ValueError if it cannot.

    name            as people know it.
    stages          in order, numbered one after another as `Plan.of` does it; the last ends at
                    sigma `leaves`.
    crossings       one between each two stages.
    model_shift     h of the model that the plan is meant for, in (0, 100]; None for any.
    baseline_steps  plain steps that the run stands for; None where nobody says.
    shift_steps     plain steps whose shift is `model_shift`, of models whose shift depends on them;
                    None where they are `baseline_steps`.
    leaves          noise level that the run leaves; 0 but for a run that another one finishes.

    >>> from ralu_core.plans.ralu import ralu
    >>> plan = ralu((4, 5, 6), (0.7, 0.55, 0.0), (5.0, 2.6, 2.2), 7.5, ratio=0.2, model_shift=3.0)
    >>> plan.steps, plan.tokens(64, 64)
    ((4, 5, 6), (1024, 1636, 4096))
    """

    name: str
    stages: tuple[Stage, ...]
    crossings: tuple[Crossing, ...] = ()
    model_shift: float | None = None
    baseline_steps: int | None = None
    shift_steps: int | None = None
    leaves: float = 0.0

    def __post_init__(self) -> None:
        if self.model_shift is not None:
            object.__setattr__(self, "model_shift", check_shift("Model shift", self.model_shift))
        numbers = [stage.number for stage in self.stages]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers)) if numbers else ()):
            raise ValueError(
                f"Stages are numbered one after another, got {numbers}: make the plan by `Plan.of`."
            )
        if not self.stages or len(self.crossings) != len(self.stages) - 1:
            raise ValueError(
                f"A plan needs a crossing between each two stages, got {len(self.stages)} stages "
                f"and {len(self.crossings)} crossings: add or remove some."
            )
        if self.stages[-1].grid is not FULL or self.ends[-1] != self.leaves:
            raise ValueError(
                f"A plan must end at full size and at sigma {self.leaves:g}, got "
                f"{self.stages[-1].grid.name} and {self.ends[-1]:g}: add a stage on the full grid."
            )
        for (crossing, stage), before in zip(self._seams(), self.stages, strict=False):
            crossing.check(before.grid, stage.grid)
            meets = (crossing.end_sigma, before.end), (crossing.start_sigma, stage.start)
            if any(abs(a - b) > _SAME_LEVEL for a, b in meets):
                raise ValueError(
                    f"A crossing must lead from the end of one stage ({before.end:g}) to the "
                    f"start of the next ({stage.start:g}), got {crossing.end_sigma:g} to "
                    f"{crossing.start_sigma:g}: set them alike."
                )
            if before.grid.is_mixed and stage.grid.is_mixed and before.ratio != stage.ratio:
                raise ValueError(
                    "Mixed stages in a row keep their regions, so they need one ratio, got "
                    f"{before.ratio:g} and {stage.ratio:g}: set them alike."
                )

    @classmethod
    def of(cls, name: str, stages: Sequence[Stage], crossings: Sequence[Crossing], **more) -> Plan:
        """A plan whose stages are numbered from 1 as they come."""
        numbered = tuple(replace(stage, number=k) for k, stage in enumerate(stages, 1))
        return cls(name, numbered, tuple(crossings), **more)

    def way(self) -> Iterator[tuple[Crossing | None, Stage]]:
        """The stages in order, each with the crossing into it; None for the first."""
        return zip((None, *self.crossings), self.stages, strict=True)

    def _seams(self) -> Iterator[tuple[Crossing, Stage]]:
        return zip(self.crossings, self.stages[1:], strict=True)

    @property
    def steps(self) -> tuple[int, ...]:
        """Model calls of each stage."""
        return tuple(stage.steps for stage in self.stages)

    @property
    def total_steps(self) -> int:
        """Model calls of a whole run."""
        return sum(self.steps)

    @property
    def ends(self) -> tuple[float, ...]:
        """Where the stages end."""
        return tuple(stage.end for stage in self.stages)

    @property
    def ratio(self) -> float | None:
        """Share of coarse tokens that grow early; None where no stage is mixed."""
        return next((stage.ratio for stage in self.stages if stage.grid.is_mixed), None)

    @property
    def steps_before_regions(self) -> int:
        """Of the stage before the first mixed one; 0 where that comes first, or there is none."""
        before = 0
        for stage in self.stages:
            if stage.grid.is_mixed:
                return before
            before = stage.steps
        return 0

    @property
    def is_full(self) -> bool:
        """Whether all stages are at full size."""
        return all(stage.grid is FULL for stage in self.stages)

    def levels_from(self, stage: Stage) -> tuple[float, ...]:
        """All steps of the run as one falling line of noise levels, seen from one of its stages.

        total_steps + 1 levels for whoever counts steps by the level that they begin at. The stage's
        own lie where its steps lie in the run. Crossings go back up, so that no line holds what all
        stages visit: levels evenly above stand for the steps before, evenly below for those after.
        """
        first = self.stages[0].start
        before = sum(one.steps for one in self.stages if one.number < stage.number)
        after = self.total_steps - before - stage.steps
        top = first if first > stage.start else 1.0
        above = (top + (stage.start - top) * k / before for k in range(before))
        below = (stage.end * (after - k) / after for k in range(1, after + 1))
        return (*above, *stage.sigmas, *below)

    def tokens(self, height_tokens: int, width_tokens: int) -> tuple[int, ...]:
        """Tokens per model call in each stage, for a picture of that many fine tokens.

        height_tokens, width_tokens  size of the full grid; 64 each at 1024 x 1024 pixels.
        ValueError where it does not split into coarse tokens and a stage of the plan has such.
        """
        sides = height_tokens, width_tokens
        if min(sides) < 1 or (not self.is_full and any(side % 2 for side in sides)):
            even = "a positive" if self.is_full else "an even, positive"
            raise ValueError(
                f"The full grid must have {even} number of tokens each way, got {height_tokens} x "
                f"{width_tokens}; use a size divisible by 32 pixels."
            )
        if self.is_full:
            return (height_tokens * width_tokens,) * len(self.stages)
        coarse = height_tokens * width_tokens // 4
        return tuple(stage.grid.tokens(coarse, stage.ratio) for stage in self.stages)

    def begun_at(self, sigma: float) -> Plan:
        """The run that begins at sigma, at most where the plan does and above where it ends; 1 runs
        the whole plan. ValueError outside.

        For denoise below 1: no stage may start above it, or its crossing would paint over more of
        the picture than was asked for. The first stage is the earliest, so the cheapest, for which
        that holds; it begins exactly there. Later stages run whole.
        """
        start = self.stages[0].start
        if not (self.leaves < sigma <= start or sigma == 1):
            raise ValueError(
                f"Start sigma must be above {self.leaves:.4g} and at most {start:.4g}, got "
                f"{sigma}; 1 runs the whole plan."
            )
        first = next(k for k in range(len(self.stages)) if self._may_begin_in(k, sigma))
        stage, *later = self.stages[first:]
        begun = stage.begun_at(sigma) if sigma < stage.start else stage
        return replace(self, stages=(begun, *later), crossings=self.crossings[first:])

    def ended_at(self, sigma: float) -> Plan:
        """The run that stops at sigma in [0, 1) and leaves that much noise. ValueError where the
        stage that passes it last is not at full size."""
        last_above = max((k for k, one in enumerate(self.stages) if one.start > sigma), default=-1)
        above = self.stages[: last_above + 1]
        if not self.leaves <= sigma or not above or above[-1].grid is not FULL:
            start = self.full_from
            raise ValueError(
                f"A run can stop at full size, from sigma {start:.4g} to {self.leaves:g}, got "
                f"{sigma:.4g}: let it run further, or sample plainly."
            )
        *others, last = above
        if sigma > last.end:
            last = last.ended_at(sigma)
        crossings = self.crossings[: len(others)]
        return replace(self, stages=(*others, last), crossings=crossings, leaves=last.end)

    @property
    def full_from(self) -> float:
        """Where the last stages, at full size, start."""
        whole = list(self.stages)
        while len(whole) > 1 and whole[-2].grid is FULL:
            whole.pop()
        return whole[-1].start

    def _may_begin_in(self, first: int, sigma: float) -> bool:
        later = self.stages[first + 1 :]
        return self.stages[first].end < sigma and all(stage.start <= sigma for stage in later)

    def seeing(self, views: str) -> Plan:
        """The plan with other views of its mixed stages. ValueError for unknown ones."""
        view_named(views)
        stages = tuple(
            replace(stage, views=views) if stage.grid.is_mixed else stage for stage in self.stages
        )
        return replace(self, stages=stages)

    def sharing_steps(self) -> Plan:
        """The plan whose stages give a run that begins later its share of their steps, not all."""
        stages = tuple(replace(stage, keeps_steps=False) for stage in self.stages)
        return replace(self, stages=stages)

    def growing_by(self, growth: str | Growth) -> Plan:
        """The plan with another way to grow at its matched crossings. Those on the run's own noise
        take it where half size begins with the same noise for it."""
        crossings = (
            crossing.growing_by(growth) if isinstance(crossing, Matched) else crossing
            for crossing in self.crossings
        )
        return replace(self, crossings=tuple(crossings))
