"""Distances between a set of samples and a set of real pictures in a feature space.

Samples may carry weights: how often each was drawn by a bootstrap. Features are divided by the
spread of the real pictures' first (`Reference`), so that no feature counts more by its unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch


@dataclass(frozen=True)
class Reference:
    """Features (n, d) of real pictures."""

    raw: torch.Tensor

    def __post_init__(self) -> None:
        if self.raw.ndim != 2 or len(self.raw) <= self.raw.shape[1]:
            raise ValueError(
                "A reference needs more pictures than features, got a tensor of shape "
                f"{tuple(self.raw.shape)}: draw more pictures."
            )

    @cached_property
    def features(self) -> torch.Tensor:
        return self.standardised(self.raw)

    def standardised(self, features: torch.Tensor) -> torch.Tensor:
        """Zero mean and unit variance per feature, by the real pictures; in double precision."""
        raw = self.raw.double()
        return (features.double() - raw.mean(0)) / raw.std(0).clamp(min=1e-6)

    @cached_property
    def own_kernel(self) -> float:
        """Mean kernel between two different real pictures."""
        kernel = polynomial_kernel(self.features, self.features)
        count = len(kernel)
        return ((kernel.sum() - kernel.diagonal().sum()) / (count * (count - 1))).item()

    @cached_property
    def root(self) -> torch.Tensor:
        """Square root of the covariance."""
        values, vectors = torch.linalg.eigh(torch.cov(self.features.T))
        return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def polynomial_kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(a . b / d + 1)^3, the kernel of KID (Binkowski et al. 2018)."""
    return (a @ b.T / a.shape[1] + 1) ** 3


def kernel_distance(
    samples: torch.Tensor, reference: Reference, weights: torch.Tensor
) -> torch.Tensor:
    """Unbiased squared maximum mean discrepancy (KID), one for each row of weights.

    samples  (n, d) features.
    weights  (R, n) whole numbers; pairs of copies of one sample are left out, which keeps the
             bootstrap free of the bias that drawing with replacement would bring.
    """
    features, weights = reference.standardised(samples), weights.double()
    own = polynomial_kernel(features, features)
    own.fill_diagonal_(0)
    cross = polynomial_kernel(features, reference.features).mean(1)
    total = weights.sum(1)
    pairs = total.square() - weights.square().sum(1)
    inner = torch.einsum("ri,ij,rj->r", weights, own, weights) / pairs
    return inner - 2 * (weights @ cross) / total + reference.own_kernel


def frechet_distance(
    samples: torch.Tensor, reference: Reference, weights: torch.Tensor
) -> torch.Tensor:
    """Squared Frechet distance between the Gaussians of both sets, one for each row of weights.

    It is biased upwards by the finite number of samples, alike for all sets of one size.
    """
    features, weights = reference.standardised(samples), weights.double()
    share = weights / weights.sum(1, keepdim=True)
    mean = share @ features
    spread = torch.einsum("ri,id,ie->rde", share, features, features)
    spread = spread - mean[:, :, None] * mean[:, None, :]
    spread = spread * (weights.sum(1) / (weights.sum(1) - 1))[:, None, None]
    product = reference.root @ spread @ reference.root
    cross = torch.linalg.eigvalsh(product).clamp(min=0).sqrt().sum(1)
    trace = spread.diagonal(dim1=1, dim2=2).sum(1) + reference.root.square().sum()
    return mean.square().sum(1) + trace - 2 * cross
