"""The bar and the previews of another node's sampler, which RALU runs in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ....ralu_core.latents.frame import Frame
from ....ralu_core.latents.tokens import spread
from ..sampling.watch import StageRecord
from .progress import Progress


@dataclass
class CallersBar(Progress):
    """Calls back as the sampler would: steps out of its own, and latents of its own size.

    callback  takes a step from 0, its clean estimate, its state, and the number of steps. It is
              called once for every step of the run, with the step that as much work belongs to:
              numbers may be left out or come again, and never fall.
    steps     that the sampler was asked for.
    frame     of the picture.
    """

    callback: Callable[[int, torch.Tensor, torch.Tensor, int], None]
    steps: int
    frame: Frame

    def step_done(
        self,
        record: StageRecord,
        step: int,
        denoised: torch.Tensor | None,
        x: torch.Tensor | None = None,
    ) -> None:
        if denoised is None or x is None:
            return
        done = self.work.done(record.number, step, record.steps)
        reached = math.ceil(self.steps * done) - 1
        self.callback(reached, self._full_size(denoised), self._full_size(x), self.steps)

    def _full_size(self, latent: torch.Tensor) -> torch.Tensor:
        space = self.frame.space
        entered = space.enter(latent)
        if entered.shape[-2:] != self.frame.padded:
            entered = spread(entered)
        return space.leave(self.frame.crop(entered))
