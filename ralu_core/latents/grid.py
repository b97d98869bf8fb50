"""The three grids that a stage samples on."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch

from .layout import Layout
from .tokens import pick

# Decimal ratios have no exact float; a whole number missed by less than this is met.
_ROUNDING = 1e-9


def selected_count(ratio: float, coarse_count: int) -> int:
    """How many of coarse_count coarse tokens grow early: floor(ratio * coarse_count).

    100 * 0.29 is 28.999999999999996 in floats; this gives the 29 that was asked for, where the
    released code gives 28.
    """
    return math.floor(ratio * coarse_count + _ROUNDING)


class Grid(ABC):
    """Which tokens a state has, and the form its tensors come in.

    name      "half", "mixed" or "full".
    words     what a stage on it does, for people.
    is_mixed  whether it needs a layout.
    """

    name: str
    words: str
    is_mixed = False

    @abstractmethod
    def tokens(self, coarse: int, ratio: float | None) -> int:
        """Tokens of a picture of `coarse` coarse tokens, a share `ratio` of which grow early."""

    @abstractmethod
    def noise(self, white: torch.Tensor, layout: Layout | None) -> torch.Tensor:
        """White noise of this grid, from full-size white noise (B, C, H, W)."""

    @abstractmethod
    def join(
        self,
        full: Callable[[], torch.Tensor],
        half: Callable[[], torch.Tensor],
        layout: Layout | None,
    ) -> torch.Tensor:
        """A map of this grid, from its full-size and half-size form; only what it needs is made."""

    def __repr__(self) -> str:
        return self.name.upper()

    def __reduce__(self) -> str:
        """The one below, for copies and pickles too: grids are told apart by identity."""
        return self.name.upper()


class _Half(Grid):
    name, words = "half", "half size"

    def tokens(self, coarse: int, ratio: float | None) -> int:
        return coarse

    def noise(self, white: torch.Tensor, layout: Layout | None) -> torch.Tensor:
        return pick(white)

    def join(self, full, half, layout: Layout | None) -> torch.Tensor:
        return half()


class _Mixed(Grid):
    name, words = "mixed", "edges at full size"
    is_mixed = True

    def tokens(self, coarse: int, ratio: float | None) -> int:
        return coarse + 3 * selected_count(ratio or 0.0, coarse)

    def noise(self, white: torch.Tensor, layout: Layout | None) -> torch.Tensor:
        return _needed(layout).settle(white)

    def join(self, full, half, layout: Layout | None) -> torch.Tensor:
        return _needed(layout).join(full(), half())


class _Full(Grid):
    name, words = "full", "full size"

    def tokens(self, coarse: int, ratio: float | None) -> int:
        return 4 * coarse

    def noise(self, white: torch.Tensor, layout: Layout | None) -> torch.Tensor:
        return white

    def join(self, full, half, layout: Layout | None) -> torch.Tensor:
        return full()


def _needed(layout: Layout | None) -> Layout:
    if layout is None:
        raise ValueError("The mixed grid needs a layout, got none: choose regions before it.")
    return layout


HALF, MIXED, FULL = _Half(), _Mixed(), _Full()
