"""Intervals of distances between two sets of pictures, by what each picture adds to them.

The infinitesimal jackknife (Jaeckel 1972; Efron 1982): the variance of a figure is that of its
slopes in the weights of the pictures. Draws with replacement, as `statistics` makes them for means,
overstate it for distances of sets that are nearly alike, up to three times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from lab.quality.distances import Reference, frechet_distance, gaussian, kernel_distance
from lab.quality.statistics import Estimate, strata_of

WIDTH = 1.96  # standard errors to either side of 95 %
SMALLEST = 1e-10  # share of the largest eigenvalue below which one is none


@dataclass(frozen=True)
class Sloped(Estimate):
    """A value, and how it changes with the weight of each picture.

    ours, theirs      (n,) and (m,) slopes, of the samples and of the reference pictures.
    prompts, others   of both, as `strata_of` takes them: prompts are given, noise is a sample.
    """

    value: float
    ours: torch.Tensor
    theirs: torch.Tensor
    prompts: torch.Tensor
    others: torch.Tensor

    @property
    def error(self) -> float:
        """Standard error."""
        variance = _variance(self.ours, self.prompts) + _variance(self.theirs, self.others)
        return variance.sqrt().item()

    @property
    def low(self) -> float:
        return self.value - WIDTH * self.error

    @property
    def high(self) -> float:
        return self.value + WIDTH * self.error

    def minus(self, other: Sloped) -> Sloped:
        """Picture by picture."""
        ours, theirs = self.ours - other.ours, self.theirs - other.theirs
        return Sloped(self.value - other.value, ours, theirs, self.prompts, self.others)

    def departure(self, target: float) -> Sloped:
        """On the side where the value is."""
        sign = 1 if self.value >= target else -1
        value, ours, theirs = sign * (self.value - target), sign * self.ours, sign * self.theirs
        return Sloped(value, ours, theirs, self.prompts, self.others)


def kernel(samples: torch.Tensor, reference: Reference, prompts: torch.Tensor) -> Sloped:
    """`kernel_distance` of features (n, d)."""

    def distance(ours: torch.Tensor, weighted: Reference) -> torch.Tensor:
        return kernel_distance(samples, weighted, ours, prompts)

    return _sloped(distance, reference, prompts)


def frechet(samples: torch.Tensor, reference: Reference, prompts: torch.Tensor) -> Sloped:
    """`frechet_distance` of features (n, d).

    Its slopes are those of a form that touches it here: the coupling of both covariances is held,
    as roots of nearly equal eigenvalues have slopes that no machine computes.
    """
    couplings: list[torch.Tensor] = []

    def distance(weights: torch.Tensor, weighted: Reference) -> torch.Tensor:
        mean, spread = gaussian(weighted.standardised(samples), weights)
        other_mean, other_spread = gaussian(weighted.features, weighted.drawn)
        if not couplings:
            one, other = spread[0].detach(), other_spread[0].detach()
            couplings.extend((_coupling(other, one), _coupling(one, other)))
        pairs = zip((spread[0], other_spread[0]), couplings, strict=True)
        spreads = sum((matrix.trace() - 2 * (held * matrix).sum() for matrix, held in pairs))
        return (mean - other_mean).square().sum(1) + spreads

    touching = _sloped(distance, reference, prompts)
    value = frechet_distance(samples, reference, torch.ones(1, len(samples))).item()
    return Sloped(value, touching.ours, touching.theirs, touching.prompts, touching.others)


def _sloped(
    distance: Callable[[torch.Tensor, Reference], torch.Tensor],
    reference: Reference,
    prompts: torch.Tensor,
) -> Sloped:
    others = reference.prompts
    others = torch.zeros(len(reference.raw)) if others is None else others
    with torch.inference_mode(False), torch.enable_grad():
        ours, theirs = (
            torch.ones(1, len(one), dtype=torch.double, requires_grad=True)
            for one in (prompts, others)
        )
        value = distance(ours, Reference(reference.raw.clone(), theirs, others.clone()))
        slopes = torch.autograd.grad(value.sum(), (ours, theirs))
    return Sloped(value.item(), slopes[0][0], slopes[1][0], prompts, others)


def _coupling(held: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
    """(d, d) slope of tr((held^1/2 moved held^1/2)^1/2) in `moved`."""
    root = _power(held, 0.5)
    return root @ _power(root @ moved @ root, -0.5) @ root / 2


def _power(matrix: torch.Tensor, exponent: float) -> torch.Tensor:
    """Of a covariance, in the directions that it has."""
    values, vectors = torch.linalg.eigh(matrix)
    least = SMALLEST * values.max()
    scaled = torch.where(values > least, values.clamp(min=least) ** exponent, 0)
    return (vectors * scaled) @ vectors.mT


def _variance(slopes: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
    strata = strata_of(prompts.long())
    total = slopes.new_zeros(())
    for one in strata.unique():
        of_it = slopes[strata == one]
        total = total + (of_it - of_it.mean()).square().sum() * len(of_it) / (len(of_it) - 1)
    return total
