"""The run that the user would have without RALU, in whose place a plan samples."""

from __future__ import annotations

from dataclasses import dataclass

from ...ralu_core.latents.flow import shift_sigma


@dataclass(frozen=True)
class OwnRun:
    """
    steps        that the user would take without RALU; 0 leaves that to the plan. Without a
                 schedule few of them choose the plan, see `few_steps`.
    denoise      1 samples from noise; below 1 begins under that much noise, as a KSampler's.
    levels       first and last noise level of the run, in place of denoise; None for all of it.
    continues    whether the latent holds the noise of a run that another sampler began, so that the
                 rest of it has its share of the steps.
    whole_steps  those of the whole run, where several samplers share one and its levels tell; else
                 0.

    ValueError for a denoise outside (0, 1].
    """

    steps: int = 0
    denoise: float = 1.0
    levels: tuple[float, float] | None = None
    continues: bool = False
    whole_steps: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.denoise <= 1:
            raise ValueError(f"Denoise must lie in (0, 1], got {self.denoise:g}: 1 samples anew.")

    @property
    def end(self) -> float:
        """The last noise level."""
        return 0.0 if self.levels is None else self.levels[1]

    def start(self, shift: float) -> float:
        """The first noise level, of a model of that shift."""
        if self.levels is not None:
            return self.levels[0]
        return 1.0 if self.denoise == 1 else float(shift_sigma(shift, self.denoise))  # which rounds

    def part(self, shift: float) -> float:
        """The share of a whole run, on the time of a model of that shift."""
        if self.levels is None:
            return self.denoise
        start, end = self.levels
        return float(shift_sigma(1 / shift, start) - shift_sigma(1 / shift, end))

    def of_whole(self, shift: float) -> int:
        """Steps of the whole run, of which it may be a part."""
        return self.whole_steps or round(self.steps / self.part(shift))
