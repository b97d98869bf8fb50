"""Intervals of one set of pictures, and of the difference of two: what all have in common, and the
bootstrap over prompt-seed pairs, for means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import torch

DRAWS = 1000
LEVEL = 0.95
SEED, REFERENCE_SEED = 20, 21  # of the pairs, and of what distances are taken to


class Estimate(ABC):
    """A value, and the bounds of its 95 %."""

    value: float

    @property
    @abstractmethod
    def low(self) -> float: ...

    @property
    @abstractmethod
    def high(self) -> float: ...

    @abstractmethod
    def minus(self, other: Self) -> Self:
        """The difference of two: both must come from the same pairs and reference pictures."""

    @abstractmethod
    def departure(self, target: float) -> Self:
        """How far it lies from a target, on either side."""


@dataclass(frozen=True)
class Drawn(Estimate):
    """A value and its bootstrap draws (R,), of which the bounds hold the middle."""

    value: float
    draws: torch.Tensor

    @property
    def low(self) -> float:
        return torch.quantile(self.draws, (1 - LEVEL) / 2).item()

    @property
    def high(self) -> float:
        return torch.quantile(self.draws, (1 + LEVEL) / 2).item()

    def minus(self, other: Drawn) -> Drawn:
        """Draw by draw."""
        return Drawn(self.value - other.value, self.draws - other.draws)

    def departure(self, target: float) -> Drawn:
        """Draw by draw."""
        return Drawn(abs(self.value - target), (self.draws - target).abs())


def strata_of(prompts: torch.Tensor) -> torch.Tensor:
    """The prompts, where all have as many pictures, three or more; else all are one stratum, so
    that prompts are drawn with the noise: of two pictures a draw would leave no pair."""
    counts = torch.bincount(prompts)
    counts = counts[counts > 0]
    is_even = bool((counts == counts[0]).all()) and counts[0] > 2
    return prompts if is_even else torch.zeros_like(prompts)


def what_is_given(count: int, prompts: int) -> str:
    """Whether an interval over so many pictures, of prompts in turn, is over prompts, in words."""
    is_given = strata_of(torch.arange(count) % prompts).any()
    return "the prompts are given" if is_given else "prompts are drawn with their noise"


def draw_weights(strata: torch.Tensor, draws: int = DRAWS, seed: int = SEED) -> torch.Tensor:
    """(draws + 1, n): ones, then how often each picture was drawn; the same for each method.

    strata  (n,) as `strata_of` has them: prompts are given, and noise alone is a sample. So each
            keeps its share, and one fewer of it than there are is drawn, which leaves variances
            without bias (McCarthy and Snowden 1985).
    """
    generator = torch.Generator().manual_seed(seed)
    weights = torch.zeros(draws, len(strata))
    for one in strata.unique():
        rows = (strata == one).nonzero().flatten()
        size = (draws, len(rows) - 1)
        picks = rows[torch.randint(len(rows), size, generator=generator)]
        weights.scatter_add_(1, picks, torch.ones(size))
    return torch.cat([torch.ones(1, len(strata)), weights])


def estimate(values: torch.Tensor) -> Drawn:
    """From a statistic per row of `draw_weights`; the draws are moved to have the value as mean."""
    if values.isnan().any():
        raise ValueError("Figures of pictures are numbers, got none: measure more pictures.")
    value, draws = values[0].item(), values[1:]
    return Drawn(value, draws - draws.mean() + value)


def mean_estimate(values: torch.Tensor, weights: torch.Tensor) -> Drawn:
    """Mean of one number per picture (n,)."""
    return estimate(weights.double() @ values.double() / weights.double().sum(1))


def verdict(ours: Estimate, theirs: Estimate, sign: int) -> str:
    """RALU against a rival: wins, ties or loses; sign 1 where more is better, -1 where less.

    "clearly" where even the separate intervals do not overlap; without it the paired difference
    alone is told from zero.
    """
    difference = ours.minus(theirs)
    if difference.low <= 0 <= difference.high:
        return "ties"
    better = (difference.value > 0) == (sign > 0)
    apart = ours.low > theirs.high or ours.high < theirs.low
    return ("wins" if better else "loses") + (" clearly" if apart else "")
