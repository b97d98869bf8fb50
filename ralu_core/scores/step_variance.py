"""Where the steps of the stage still changed their minds: AViTS's first score, no decode."""

from __future__ import annotations

import torch

from .score import Evidence, Need, Score, of_tokens

STEPS = 3  # the last of the stage; what came before is the layout of the whole picture


class StepVariance(Score):
    """Variance of the clean estimate over the stage's last steps, under each coarse token."""

    name = "step_variance"
    needs = Need.HISTORY
    least_steps = 2
    words = "step_variance: no decode, no VAE; where the last steps of stage 1 still changed"

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        return step_variance(evidence)


def step_variance(evidence: Evidence) -> torch.Tensor:
    """(B, rows, columns) float32; each picture's largest is 1. ValueError for a single step."""
    states = evidence.history[-STEPS:]
    if len(states) < 2:
        raise ValueError(
            "This score reads how the steps of a stage differ, and the stage before took one: give "
            "it two or more, or choose another score."
        )
    estimates = torch.stack([state.denoised.float() for state in states])
    return of_tokens(estimates.var(0).mean(1), evidence.grid)
