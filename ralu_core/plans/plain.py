"""Plain sampling: one stage at full size."""

from __future__ import annotations

from collections.abc import Sequence

from ..latents.grid import FULL
from .plan import Plan, Stage


def plain(model_shift: float, steps: Sequence[int] = (20,), *, order: int = 1) -> Plan:
    """So many steps on the model's own noise levels. ValueError for numbers that cannot run."""
    (count,) = steps
    stage = Stage.spaced(FULL, count, 1.0, 0.0, shift=model_shift, order=order)
    return Plan.of("plain", [stage], (), model_shift=model_shift, baseline_steps=count)
