"""TaylorSeer: extend what the network computed along the noise level (Liu et al., 2503.06923)."""

from __future__ import annotations

from dataclasses import dataclass

from ..policy import EveryNth

MAX_ORDER = 2


@dataclass(frozen=True, kw_only=True)
class TaylorSeer(EveryNth):
    """Forecasts the residual of all blocks.

    order  0 to 2, of the polynomial.
    """

    order: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.order <= MAX_ORDER:
            raise ValueError(f"The order must be 0, 1 or 2, got {self.order}: try 1.")

    @property
    def keeps(self) -> int:
        return self.order + 1

    @property
    def cheaper(self) -> str:
        return "lower the order, " if self.order > 0 else ""
