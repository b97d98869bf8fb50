"""What a stage leaves behind for the crossing and the choice of regions that follow it."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class State:
    """One step of a stage: x at noise level sigma, and the model's clean estimate there."""

    sigma: float
    x: torch.Tensor
    denoised: torch.Tensor


@dataclass(frozen=True)
class StageEnd:
    """How a stage ended; what follows is computed where x lies.

    x         the state at the stage's last sigma.
    denoised  the model's last clean estimate.
    history   its steps in order, kept only where the run was told that somebody reads them.
    """

    x: torch.Tensor
    denoised: torch.Tensor
    history: tuple[State, ...] = ()
