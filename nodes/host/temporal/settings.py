"""What RALU Temporal Acceleration is asked for, validated."""

from __future__ import annotations

from dataclasses import dataclass

TAYLORSEER, DELTA_DIT, TOCA, TEACACHE = METHODS = ("TaylorSeer", "Delta-DiT", "ToCa", "TeaCache")
MAX_ORDER = 2
GIGABYTE = 1e9


@dataclass(frozen=True)
class Settings:
    """One method and its numbers; a method reads its own. ValueError for what cannot be run.

    method        one of METHODS.
    interval      N >= 1: after the warm-up every N-th evaluation is computed. Not TeaCache.
    order         0 to 2, of TaylorSeer's forecast.
    warm_up       W >= 1 first evaluations of every stage are computed. Not TeaCache.
    range_start   Delta-DiT: where the cached blocks begin and end, as shares of the network's
    range_end     depth, 0 <= start < end <= 1.
    cached_ratio  ToCa's R in [0, 1): share of image tokens kept from the cache.
    threshold     TeaCache's delta >= 0: accumulated relative change that is still skipped.
    max_memory    GB that caches may take, > 0.
    """

    method: str = TAYLORSEER
    interval: int = 3
    order: int = 1
    warm_up: int = 3
    range_start: float = 0.0
    range_end: float = 1.0
    cached_ratio: float = 0.9
    threshold: float = 0.25
    max_memory: float = 4.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(
                f"The method must be one of {', '.join(METHODS)}, got {self.method!r}."
            )
        for name, low in (("interval", 1), ("warm_up", 1)):
            value = getattr(self, name)
            if not low <= value:
                raise ValueError(f"The {name} must be at least {low}, got {value}: try 3.")
        self._check_numbers()

    def _check_numbers(self) -> None:
        if not 0 <= self.order <= MAX_ORDER:
            raise ValueError(f"The order must be 0, 1 or 2, got {self.order}: try 1.")
        if not 0 <= self.range_start < self.range_end <= 1:
            raise ValueError(
                "The block range must start before it ends, both in [0, 1], got "
                f"{self.range_start:g} to {self.range_end:g}: 0 to 1 is the whole network."
            )
        if not 0 <= self.cached_ratio < 1:
            raise ValueError(
                f"The cached_ratio must lie in [0, 1), got {self.cached_ratio:g}: try 0.9."
            )
        if not self.threshold >= 0:
            raise ValueError(
                f"The threshold must not be negative, got {self.threshold:g}: try 0.25, or 0 to "
                "skip nothing."
            )
        if not self.max_memory > 0:
            raise ValueError(f"The max_memory must be above 0 GB, got {self.max_memory:g}: try 4.")

    @property
    def computes_all(self) -> bool:
        """Whether nothing is ever skipped, so that nothing needs to be kept."""
        if self.method == TEACACHE:
            return self.threshold == 0
        return self.interval == 1 or (self.method == TOCA and self.cached_ratio == 0)

    @property
    def kept_evaluations(self) -> int:
        """How many computed residuals the method looks at."""
        return self.order + 1 if self.method == TAYLORSEER else 1

    def blocks(self, depth: int) -> range:
        """Which of a network's `depth` blocks, double or joint first, the caches stand for."""
        if self.method != DELTA_DIT:
            return range(depth)
        first = round(self.range_start * depth)
        last = round(self.range_end * depth)
        if first >= last:
            raise ValueError(
                f"The block range {self.range_start:g} to {self.range_end:g} holds none of this "
                f"MODEL's {depth} blocks: widen it."
            )
        return range(first, last)
