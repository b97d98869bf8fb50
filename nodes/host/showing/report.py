"""What a run did, in one line for the log and as plain values for the browser."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ....ralu_core.cost import NO_REFERENCES, CallCost, References
from ....ralu_core.latents.grid import FULL
from ....ralu_core.latents.views import view_named
from ....ralu_core.plans.text import count_of_steps
from ..sampling.watch import StageRecord
from .said import Said

SAME = 1e-6  # steps: a run of as many as plain sampling has is no slower by its plan


@dataclass(frozen=True)
class RunReport:
    """stages as they ran; seconds of the whole run; the model's size; the coarse grid.

    plain_steps    full-size steps that this run stands for: the user's own, or published ones; None
                   where nobody says.
    live_previews  whether previews of the steps were sent, not only the chosen regions.
    rows           of the network in a plain step: 2 where guidance takes a second call.
    references     tokens of reference pictures, which every call reads beside the picture's.
    plan           name of the plan that was run, "" where nobody asks.
    published      steps that it is published against, where `plain_steps` are the user's own.
    grown          how latents grew, "" where there is nothing to tell.
    remarks        what of its settings the run took otherwise, as `remarks` has it.
    """

    stages: list[StageRecord]
    seconds: float
    cost: CallCost
    grid: tuple[int, int]
    plain_steps: int | None = None
    live_previews: bool = False
    references: References = NO_REFERENCES
    rows: int = 1
    published: int | None = None
    plan: str = ""
    grown: str = ""
    remarks: tuple[Said, ...] = ()

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    @property
    def loading(self) -> float:
        """Seconds until the model was loaded, which any sampler waits for.

        Loading it again after the VAE is RALU's own cost and counts as such.
        """
        return self.stages[0].loading

    @property
    def is_cold(self) -> bool:
        """Whether the first loading, or that of the last stage, hides in the time of their calls.

        Newer hosts load a weight when it is first needed. In between that is loading again.
        """
        return self.stages[0].is_cold or self.stages[-1].is_cold

    def full_step_equivalents(self) -> float:
        """The model calls of the run, counted in plain steps by their FLOPs."""
        return sum(stage.share * self._equivalents(stage) for stage in self.stages)

    def _equivalents(self, stage: StageRecord) -> float:
        """The same of one stage, had it skipped nothing."""
        coarse, references = self.grid[0] * self.grid[1], self.references
        plain = max(self.last_full_stage.tokens)
        full = self.cost.flops(plain + references.tokens) * self.rows
        view, read = view_named(stage.views), references.on(stage.grid)
        one = self.cost.mixed_flops(max(stage.tokens), coarse, view, read)
        return stage.steps * one * stage.rows / full

    def share(self) -> float:
        """Of the model compute of all steps, what was run; 1 where nothing was skipped."""
        return self.full_step_equivalents() / sum(map(self._equivalents, self.stages))

    @property
    def last_full_stage(self) -> StageRecord:
        """The one that plain steps are measured by; every plan ends with one."""
        return next(stage for stage in reversed(self.stages) if stage.grid == FULL.name)

    def seconds_per_full_step(self) -> float:
        """Of a plain step, which skips nothing."""
        stage = self.last_full_stage
        return stage.seconds / (stage.share * stage.steps) * self.rows / stage.rows

    def measured_equivalents(self) -> float:
        """The time of the run, without the first loading, in its own plain steps."""
        return (self.seconds - self.loading) / self.seconds_per_full_step()

    def values(self) -> dict[str, Any]:
        """Plain JSON values, for the browser. All keys:

        stages       as they ran, each with the members of `StageRecord`: `number`, `grid`, `words`,
                     `steps`, `tokens` of each picture, `calls`, `loading`, `seconds`, `share`,
                     `is_cold`, `rows` and `views`.
        steps, seconds, share, loading, is_cold
                     of the whole run; loading is until the model was first there.
        plan         its name.
        grown        how latents grew, "" where there is nothing to tell.
        comparison   with plain sampling, the plan, how it grew, and remarks, a sentence.
        remarks      the last, part by part, as `Said.as_data`.
        plain_steps, predicted_equivalents, measured_equivalents, seconds_per_full_step
                     its numbers: what the run stands for (None where nobody says), what it takes
                     in plain steps by FLOPs and by the clock, and the seconds of one.
        published_steps
                     what it is published against, where plain_steps are the user's own; else None.
        live_previews
                     whether previews of the steps were sent.
        reference_tokens
                     of reference pictures, in every call; half_reference_tokens, in those at
                     half size, None where as many.
        """
        return {
            "stages": [asdict(stage) for stage in self.stages],
            "steps": self.steps,
            "seconds": self.seconds,
            "share": self.share(),
            "loading": self.loading,
            "is_cold": self.is_cold,
            "plan": self.plan,
            "grown": self.grown,
            "comparison": f"{self.told[0].upper()}{self.told[1:]}.",
            "remarks": [one.as_data() for one in self.remarks],
            "plain_steps": self.plain_steps,
            "published_steps": self.published,
            "predicted_equivalents": self.full_step_equivalents(),
            "measured_equivalents": self.measured_equivalents(),
            "seconds_per_full_step": self.seconds_per_full_step(),
            "live_previews": self.live_previews,
            "reference_tokens": self.references.tokens,
            "half_reference_tokens": self.references.half,
        }

    def line(self) -> str:
        stages = "; ".join(
            f"stage {s.number}: {count_of_steps(s.steps)} x {max(s.tokens)} tokens"
            f"{_computed(s.share)} {s.seconds:.2f} s"
            for s in self.stages
        )
        if self.references.tokens:
            stages += f"; {self.references.tokens} tokens of references in each call"
        if self.references.half:
            stages += f", {self.references.half} at half size"
        return f"RALU {count_of_steps(self.steps)} in {self.seconds:.2f} s ({stages}): {self.told}"

    def summary(self) -> str:
        """What stays on the node's status line after the run."""
        computed = _computed(self.share())
        return f"{count_of_steps(self.steps)}{computed} in {self.seconds:.2f} s: {self.told}"

    @property
    def told(self) -> str:
        """The comparison, which plan it was, how it grew, and the remarks."""
        plan = f"plan: {self.plan}" if self.plan else ""
        return "; ".join(filter(None, [self.comparison, plan, self.grown, *map(str, self.remarks)]))

    @property
    def comparison(self) -> str:
        """With plain sampling, as the log, the status line and the panel tell it."""
        predicted, measured = self.full_step_equivalents(), self.measured_equivalents()
        if self.is_cold:
            return (
                f"predicted the model compute of {predicted:.1f} plain steps; not measured, as "
                "weights were still being loaded: queue once more, and if this stays, the MODEL "
                "and the VAE do not fit into memory together"
            )
        stage = f" in stage {self.last_full_stage.number}" if len(self.stages) > 1 else ""
        each = f"of {self.seconds_per_full_step():.2f} s, as measured{stage}"
        if self.plain_steps is None:
            return f"as long as {measured:.1f} plain steps {each}; predicted {predicted:.1f}"
        told = (
            f"{_speed(self.plain_steps / measured)} "
            f"{count_of_steps(self.plain_steps, 'plain ')} {each}; "
            f"predicted {_times(self.plain_steps / predicted)}"
        )
        if self.published is not None:
            times = _times(self.published / predicted)
            told = f"{told}; published against {self.published}: {times}"
        if measured > self.plain_steps and abs(predicted - self.plain_steps) > SAME:
            told = f"{told}; the plan does not pay here, plain steps are faster"
        return told


def _speed(times: float) -> str:
    return f"{times:.2f}x as fast as" if times >= 1 else f"{1 / times:.2f}x slower than"


def _times(times: float) -> str:
    return f"{times:.2f}x" if times >= 1 else f"{1 / times:.2f}x slower"


def _computed(share: float) -> str:
    return f" ({100 * share:.0f} % computed)" if share < 1 else ""
