"""Guidance that takes a second call, paid for at high noise alone."""

from __future__ import annotations

from dataclasses import replace

from ..crossings import Onward
from .stage import Stage


def guided_until(stage: Stage, above: float) -> tuple[list[Stage], list[Onward]]:
    """A stage whose calls at sigma `above` and below it go without guidance (Kynkaanniemi et al.
    2024, arXiv 2404.07724), and the crossing between its parts; one part where all are on one side.

    ValueError where no call is above it.
    """
    guided = sum(sigma > above for sigma in stage.sigmas[:-1])
    if not guided:
        raise ValueError(
            f"Guidance must reach a step, got guided_above {above:g}: choose it below "
            f"{stage.start:.3g}, or set cfg to 1."
        )
    if guided == stage.steps:
        return [stage], []
    upper = replace(stage, sigmas=stage.sigmas[: guided + 1])
    lower = replace(stage, sigmas=stage.sigmas[guided:], guided=False)
    return [upper, lower], [Onward(upper.end)]
