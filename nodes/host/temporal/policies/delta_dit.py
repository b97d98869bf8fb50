"""Delta-DiT: hold what a range of blocks adds, run the others (Chen et al., 2406.01125)."""

from __future__ import annotations

from dataclasses import dataclass

from ..policy import EveryNth


@dataclass(frozen=True, kw_only=True)
class DeltaDiT(EveryNth):
    """Holds the last residual of some blocks.

    range_start  where these blocks begin and end, as shares of the network's depth,
    range_end    0 <= start < end <= 1.
    """

    range_start: float
    range_end: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.range_start < self.range_end <= 1:
            raise ValueError(
                "The block range must start before it ends, both in [0, 1], got "
                f"{self.range_start:g} to {self.range_end:g}: 0 to 1 is the whole network."
            )

    @property
    def skipped_work(self) -> float:
        return 1 - (self.range_end - self.range_start)

    def blocks(self, depth: int) -> range:
        first = round(self.range_start * depth)
        last = round(self.range_end * depth)
        if first >= last:
            raise ValueError(
                f"The block range {self.range_start:g} to {self.range_end:g} holds none of this "
                f"MODEL's {depth} blocks: widen it."
            )
        return range(first, last)
