"""A small RALU run that several tests take, and plans of other stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from ralu_core import Evidence, Layout, Plan, Regions, Source, Stage, StageEnd, ralu, sample
from ralu_core.crossings import Crossing, Matched, Renoised
from ralu_core.growth import GROWTHS
from ralu_core.growth.enlarged import Enlarged
from ralu_core.latents.grid import FULL, HALF, Grid
from ralu_core.solvers import Denoise


def plan_of(**changes) -> Plan:
    numbers = {
        "steps": (3, 4, 5),
        "end_sigmas": (0.7, 0.55, 0.0),
        "shifts": (5.12, 2.64, 2.25),
        "z": 7.52,
        "ratio": 0.3,
        "model_shift": 3.0,
    }
    return ralu(**{**numbers, **changes})


def with_stages(plan: Plan, **changes) -> Plan:
    """The plan with something changed in each of its stages."""
    return replace(plan, stages=tuple(replace(stage, **changes) for stage in plan.stages))


PLAN = plan_of()
RATIO = 0.3
LATENT = Regions("latent_gradient")
UNFITTED = tuple(name for name in GROWTHS if name != Enlarged.name)  # growth for any latent
SIZE = (2, 4, 16, 24)  # (B, C, H, W): 4 x 6 coarse tokens, 7 of them early


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def end_of(plan: Plan, denoise: Denoise, noise: torch.Tensor) -> torch.Tensor:
    return sample(denoise, None, Source.from_noise(noise), plan, 0, LATENT).x


def uniform(latent: torch.Tensor, fine: bool, patch: int = 2) -> Layout:
    """All tokens fine, or none, for the full-size (B, C, H, W) latent."""
    b, _, h, w = latent.shape
    shape = (b, h // (2 * patch), w // (2 * patch))
    return Layout(torch.full(shape, fine, dtype=torch.bool), patch)


def choose_by(regions: Regions) -> Callable[[StageEnd, float], torch.Tensor]:
    return lambda end, ratio: regions.choose(Evidence(end, (4, 6)), ratio)


def chain(grids: Sequence[Grid], steps: int = 4, order: int = 1) -> Plan:
    """A plan over any grids, ends spread evenly: matched crossings upwards, others renoised."""
    ends = [1 - k / len(grids) for k in range(1, len(grids))] + [0.0]
    stages, crossings, start = [], [], 1.0
    for k, (grid, end) in enumerate(zip(grids, ends, strict=True)):
        ratio = RATIO if grid.is_mixed else None
        stages.append(Stage.spaced(grid, steps, start, end, shift=3.0, ratio=ratio, order=order))
        if k + 1 < len(grids):
            crossings.append(crossing_between(grid, grids[k + 1], end))
            start = crossings[-1].start_sigma
    return Plan.of("chain", stages, crossings, model_shift=3.0)


def crossing_between(before: Grid, after: Grid, end: float) -> Crossing:
    if (before, after) in ((FULL, HALF),):
        return Renoised(end)
    return Matched(end, 4.0)
