"""The count of steps in the console, as the host's own samplers show it."""

from __future__ import annotations

from dataclasses import dataclass

import comfy.utils
import torch
from tqdm.auto import tqdm

from ..sampling.watch import Listener, StageRecord


@dataclass
class LogBar(Listener):
    """One line over all stages.

    steps   of the run.
    hidden  whether this run is to show none; else the host decides.
    """

    steps: int
    hidden: bool

    def __post_init__(self) -> None:
        self._before = self._done = 0  # steps of the stages before this one, and of the run
        hidden = self.hidden or not comfy.utils.PROGRESS_BAR_ENABLED
        self._bar = tqdm(total=self.steps, disable=hidden)

    def stage_began(self, record: StageRecord) -> None:
        self._before = self._done
        self._bar.set_description(f"RALU stage {record.number}")

    def step_done(
        self,
        record: StageRecord,
        step: int,
        denoised: torch.Tensor | None,
        x: torch.Tensor | None = None,
    ) -> None:
        self._bar.update(self._before + step - self._done)
        self._done = self._before + step

    def run_ended(self) -> None:
        self._bar.close()
