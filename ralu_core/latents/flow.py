"""The scalar maths of a straight flow: the shift map, and what a noise jump does.

A state is x = sigma * noise + (1 - sigma) * clean, sigma in [0, 1], 1 = pure noise.
The RALU paper (arXiv 2507.08422) counts in time t = 1 - sigma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .checks import check_end_shift, check_shift, check_steps

if TYPE_CHECKING:
    import numpy as np
    import torch

Level = TypeVar("Level", float, "np.ndarray", "torch.Tensor")
_HALVINGS = 60  # of [0, 1]: beyond what a float tells


def shift_sigma(shift: float | Level, sigma: Level) -> Level:
    """Move a noise level along the shift map: shift*s / (1 + (shift-1)*s).

    shift  > 0, the paper's h; not ComfyUI's `ModelSamplingFlux.shift`, which is log(h).
    sigma  float, array or tensor of any shape, in [0, 1].
    Returns the same shape, in [0, 1]. `shift_sigma(1 / shift, .)` undoes it.
    """
    return shift * sigma / (1 + (shift - 1) * sigma)


def stage_start(z: float, end_sigma: float) -> float:
    """Noise level where the next stage starts, after one that ended at end_sigma.

    z          >= 2, noise jump between the grids, the paper's 1/sqrt(c).
    end_sigma  in (0, 1), where the stage ended.
    With e = 1 - end_sigma and d = z * (1 - e) this is the paper's b = d / (d + e) = 1 - s_{k+1}:
    both the new sigma and the factor on the noise that the jump adds.
    """
    return shift_sigma(z, end_sigma)


def signal_scale(z: float, end_sigma: float) -> float:
    """Factor on the upsampled state at the jump to the next stage.

    The paper's a = 1 / (d + e), e and d as in `stage_start`. The jump is
    x <- signal_scale * upsampled x + stage_start * correlated noise.
    """
    return 1 / (1 + (z - 1) * end_sigma)


def spaced_levels(
    shift: float, start: float, end: float, steps: int, end_shift: float | None = None
) -> tuple[float, ...]:
    """steps + 1 noise levels from start to end, even before the shift (paper, NT-Matching).

    end_shift  see `level_at`; in (0, shift].
    ValueError for a shift outside (0, 100] or steps outside 1 to 1000.

    >>> [round(sigma, 3) for sigma in spaced_levels(3.0, 1.0, 0.0, 3)]
    [1.0, 0.857, 0.6, 0.0]
    >>> [round(sigma, 3) for sigma in spaced_levels(12.0, 1.0, 0.0, 3, 3.0)]
    [1.0, 0.938, 0.704, 0.0]
    """
    check_shift("Shift", shift)
    check_steps([steps])
    if end_shift is not None:
        check_end_shift(shift, end_shift)
    first, last = (even_level(shift, level, end_shift) for level in (start, end))
    inner = (first + (last - first) * i / steps for i in range(1, steps))
    return (start, *(level_at(shift, even, end_shift) for even in inner), end)


def level_at(shift: float, even: float, end_shift: float | None = None) -> float:
    """The noise level of an even one, both in [0, 1].

    end_shift  what the shift falls to from 1 to 0, by equal factors; None keeps it. Then steps lie
               close at high noise, and the last one is no longer than end_shift makes it.
    """
    falling = shift if end_shift is None else shift**even * end_shift ** (1 - even)
    return shift_sigma(falling, even)


def even_level(shift: float, sigma: float, end_shift: float | None = None) -> float:
    """Undoes `level_at`."""
    if end_shift is None:
        return shift_sigma(1 / shift, sigma)
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_below = level_at(shift, middle, end_shift) < sigma
        low, high = (middle, high) if is_below else (low, middle)
    return high if sigma > 0 else 0.0


@dataclass(frozen=True)
class Jump:
    """The noise jump from the end of one stage to the start of the next, larger one.

    z          >= 2, the paper's 1/sqrt(c).
    end_sigma  in (0, 1), where the stage ended.
    """

    z: float
    end_sigma: float

    @property
    def start_sigma(self) -> float:
        """Where the next stage starts: also the paper's b, the factor on the noise."""
        return stage_start(self.z, self.end_sigma)

    @property
    def signal(self) -> float:
        """The factor on the grown state."""
        return signal_scale(self.z, self.end_sigma)

    @property
    def c(self) -> float:
        """The paper's c, the correlation of sibling noise; 0 < c <= 1/4."""
        return 1 / self.z**2
