"""Denoisers whose samples are known beforehand."""

from __future__ import annotations

from itertools import pairwise

import torch

from ralu_core import Layout, Plan
from ralu_core.crossings import Matched
from ralu_core.latents.tokens import pick
from ralu_core.solvers import Denoise


class Known:
    """A model of one clean latent: every estimate is that latent, in the form of the stage.

    target  (B, C, H, W).
    calls   (size of the state, sigma) of each call, in order.
    """

    def __init__(self, target: torch.Tensor) -> None:
        self.target = target
        self.calls: list[tuple[tuple[int, ...], float]] = []

    def __call__(self, x: torch.Tensor, sigma: float, layout: Layout | None) -> torch.Tensor:
        self.calls.append((tuple(x.shape[-2:]), sigma))
        if x.shape == self.target.shape:
            return self.target if layout is None else layout.settle(self.target)
        return pick(self.target)


def gaussian(mean: float, deviation: float) -> Denoise:
    """The exact estimate for clean latents whose pixels are independent N(mean, deviation**2)."""

    def denoise(x: torch.Tensor, sigma: float, layout: Layout | None) -> torch.Tensor:
        signal = 1 - sigma
        gain = signal * deviation**2 / (signal**2 * deviation**2 + sigma**2)
        return mean + gain * (x - signal * mean)

    return denoise


def gaussian_end(x: torch.Tensor, start: float, mean: float, deviation: float) -> torch.Tensor:
    """Where the flow of `gaussian` ends that is at x at noise level `start`: its exact solution."""
    signal = 1 - start
    return mean + deviation / (signal**2 * deviation**2 + start**2) ** 0.5 * (x - signal * mean)


def gaussian_variance(plan: Plan, deviation: float) -> float:
    """Variance of every pixel that a run of `gaussian` ends with, its Euler steps included.

    All is linear: a step scales a pixel, a matched crossing to copies keeps its variance and adds
    noise of variance 1 - c.
    """
    variance = 1.0
    for crossing, stage in plan.way():
        if isinstance(crossing, Matched):
            jump = crossing.jump
            variance = jump.signal**2 * variance + jump.start_sigma**2 * (1 - jump.c)
        for sigma, following in pairwise(stage.sigmas):
            signal = 1 - sigma
            gain = signal * deviation**2 / (signal**2 * deviation**2 + sigma**2)
            variance *= (1 + (following - sigma) * (1 - gain) / sigma) ** 2
    return variance
