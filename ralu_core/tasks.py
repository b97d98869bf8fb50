"""What the runner of a stage is given, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .latents.layout import Layout
from .latents.states import StageEnd
from .plans import Stage


@dataclass(frozen=True)
class StageTask:
    """What one stage samples on; tensors have the stage's own size and form.

    stage         of the plan.
    white         standard normal noise that this stage began with.
    clean         clean latent that the run began with; zero when it began from noise alone.
    layout        the token layout of a mixed stage, else None.
    keep_history  whether the stage's end must hold its steps.
    draw_ahead    draws the next crossing's noise: work for the CPU while a device still samples.
    """

    stage: Stage
    white: torch.Tensor
    clean: torch.Tensor
    layout: Layout | None = None
    keep_history: bool = False
    draw_ahead: Callable[[], object] | None = None


class Start:
    """The state at a stage's first sigma, for the runner to take: no one else keeps its memory."""

    def __init__(self, x: torch.Tensor):
        self._x = [x]

    def take(self) -> torch.Tensor:
        """The state. RuntimeError when it was taken before."""
        if not self._x:
            raise RuntimeError(
                "A stage begins once, and its first state was asked for again: keep what take() "
                "returned, and sample a stage in one call."
            )
        return self._x.pop()


RunStage = Callable[[StageTask, Start], StageEnd]
