"""What the runner of a stage is given, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .latents.layout import Layout
from .latents.states import Memory, StageEnd
from .plans import Stage


@dataclass(frozen=True, eq=False)
class StageTask:
    """What one stage samples on; tensors have the stage's own size and form.

    stage         of the plan.
    white         standard normal noise that this stage began with.
    clean         clean latent that the run began with; zero when it began from noise alone.
    layout        the token layout of a mixed stage, else None.
    before_choice whether regions are chosen at the stage's end.
    keep_history  whether that end must hold its steps.
    draw_ahead    draws the next crossing's noise: work for the CPU while a device still samples.
    keep_last     whether the end must hold its last step.
    """

    stage: Stage
    white: torch.Tensor
    clean: torch.Tensor
    layout: Layout | None = None
    before_choice: bool = False
    keep_history: bool = False
    draw_ahead: Callable[[], object] | None = None
    keep_last: bool = False


class Start:
    """The state at a stage's first sigma, for the runner to take: no one else keeps it alive.

    memory  of the step before, for multistep steps that go on with it; None where there is none.
    """

    def __init__(self, x: torch.Tensor, memory: Memory | None = None):
        self._x = [x]
        self.memory = memory

    def take(self) -> torch.Tensor:
        """The state. RuntimeError when it was taken before."""
        if not self._x:
            raise RuntimeError(
                "A stage begins once, and its first state was asked for again: keep what take() "
                "returned, and sample a stage in one call."
            )
        return self._x.pop()


RunStage = Callable[[StageTask, Start], StageEnd]
