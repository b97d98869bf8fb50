"""Distances between a set of samples and a set of reference pictures in a feature space.

Both sets may carry weights, a row of them for each figure: how often each picture counts, or what
`jackknife` takes slopes in. Features are divided by the spread of the reference pictures first, the
same in all rows, so that no feature counts more by its unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch


@dataclass(frozen=True)
class Reference:
    """Features (n, d) of the pictures that distances are taken to.

    weights  (R, n) how often each was drawn, rows in step with those of the samples; None: all
             once, in every draw.
    prompts  (n,) as `kernel_within` takes them.
    """

    raw: torch.Tensor
    weights: torch.Tensor | None = None
    prompts: torch.Tensor | None = None

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
        """Zero mean and unit variance per feature, by these pictures; in double precision."""
        raw = self.raw.double()
        return (features.double() - raw.mean(0)) / raw.std(0).clamp(min=1e-6)

    @cached_property
    def drawn(self) -> torch.Tensor:
        """The weights (R, n), or one row of ones."""
        once = torch.ones(1, len(self.raw))
        return (once if self.weights is None else self.weights).double()

    @cached_property
    def own_kernel(self) -> torch.Tensor:
        """(R,) mean kernel between two different pictures."""
        return kernel_within(self.features, self.drawn, self.prompts)

    @cached_property
    def gaussian(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Means (R, d), and square roots (R, d, d) of the covariances."""
        mean, covariance = gaussian(self.features, self.drawn)
        values, vectors = torch.linalg.eigh(covariance)
        return mean, (vectors * values.clamp(min=0).sqrt()[:, None]) @ vectors.mT


def polynomial_kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(a . b / d + 1)^3, the kernel of KID (Binkowski et al. 2018)."""
    return (a @ b.T / a.shape[1] + 1) ** 3


def kernel_within(
    features: torch.Tensor, weights: torch.Tensor, prompts: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean kernel between two different pictures of a set, one for each row of weights.

    weights  (R, n) whole numbers; pairs of copies of one picture are left out, which keeps the
             bootstrap free of the bias that drawing with replacement would bring.
    prompts  (n,) of sets in which each has a fixed share: pairs of one prompt keep the weight that
             they have between two such sets, as leaving pictures' pairs with themselves out takes
             from it; none is given back where no prompt has two pictures. None: pictures of all
             prompts at random.
    """
    kernel = polynomial_kernel(features, features).fill_diagonal_(0)
    prompts = torch.zeros(len(features)) if prompts is None else prompts
    same = (prompts[:, None] == prompts).to(kernel)
    total, one, count = (
        ((weights @ pairs) * weights).sum(1) for pairs in (kernel, kernel * same, same)
    )
    different = count - weights.square().sum(1)
    left = torch.where(different > 0, count / different.clamp(min=1e-9), 1.0)
    return (total + one * (left - 1)) / weights.sum(1).square()


def kernel_distance(
    samples: torch.Tensor,
    reference: Reference,
    weights: torch.Tensor,
    prompts: torch.Tensor | None = None,
) -> torch.Tensor:
    """Unbiased squared maximum mean discrepancy (KID), one for each row of weights.

    samples  (n, d) features; weights and prompts as `kernel_within` takes them.
    """
    features, weights = reference.standardised(samples), weights.double()
    cross = (weights @ polynomial_kernel(features, reference.features)) * reference.drawn
    between = cross.sum(1) / (weights.sum(1) * reference.drawn.sum(1))
    return kernel_within(features, weights, prompts) - 2 * between + reference.own_kernel


def gaussian(features: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Means (R, d) and covariances (R, d, d) of a set, one for each row of weights."""
    count, size = features.shape
    total = weights.sum(1)
    mean = weights @ features / total[:, None]
    products = (features[:, :, None] * features[:, None]).reshape(count, size**2)
    square = (weights @ products / total[:, None]).view(-1, size, size)
    covariance = square - mean[:, :, None] * mean[:, None]
    return mean, covariance * (total / (total - 1))[:, None, None]


def frechet_distance(
    samples: torch.Tensor, reference: Reference, weights: torch.Tensor
) -> torch.Tensor:
    """Squared Frechet distance between the Gaussians of both sets, one for each row of weights.

    It is biased upwards by the finite number of pictures in both, alike for all sets of one size.
    """
    mean, spread = gaussian(reference.standardised(samples), weights.double())
    other_mean, root = reference.gaussian
    cross = torch.linalg.eigvalsh(root @ spread @ root).clamp(min=0).sqrt().sum(1)
    trace = spread.diagonal(dim1=1, dim2=2).sum(1) + root.square().sum((1, 2))
    return (mean - other_mean).square().sum(1) + trace - 2 * cross
