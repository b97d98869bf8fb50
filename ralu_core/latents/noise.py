"""Noise of a run: from a seed, per picture, on the CPU; and the laws it has at a crossing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

REGIONS = 2**20  # the stream of what chooses regions; no plan has as many crossings


def white_noise(shape: Sequence[int], seed: int, items: Sequence[int], stream: int) -> torch.Tensor:
    """Standard normal noise (len(items), *shape), float32 on the CPU.

    shape   (C, H, W) of one picture.
    items   each picture's number within its seed; a picture's noise depends on nothing else, so it
            is the same alone and in a batch.
    stream  separates the uses of one seed: k for the crossing after stage k, 0 for what a frame
            is larger than its picture.
    """
    white = torch.empty(len(items), *shape, dtype=torch.float32, device="cpu")
    for picture, item in zip(white, items, strict=True):
        generator = torch.Generator().manual_seed(_word(seed, stream, item))
        torch.randn(
            tuple(shape), generator=generator, dtype=torch.float32, device="cpu", out=picture
        )
    return white


def stage_seed(seed: int, number: int) -> int:
    """The seed of what a solver draws in the stage of that number: the run's own in the first.

    Below 2^63 in the others, each a stream that neighbouring seeds do not meet.
    """
    return seed if number == 1 else _word(seed, number)


def _word(seed: int, *key: int) -> int:
    """63 bits from a seed and the use that is made of it."""
    # A spawn key keeps seeds of any size apart; one flat list runs long seeds into the rest.
    (word,) = np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)
    return int(word >> np.uint64(1))


def sibling_noise(
    white: torch.Tensor, c: float, mean_of_siblings: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Noise with covariance I - c * ones(4, 4) over the four pixels one coarse pixel becomes.

    white             (B, C, H, W) standard normal.
    c                 in [0, 1/4]; the paper's c = 1 / z^2. ValueError outside.
    mean_of_siblings  averages over those four pixels and repeats the mean: (B, C, H, W) both.

    Exact and without a matrix: n + (sqrt(1 - 4c) - 1) * mean(n). RALU eq. 6 and its appendix, which
    sample the same law through a dense covariance.
    """
    if not 0 <= c <= 0.25:
        raise ValueError(
            f"Sibling noise needs 0 <= c <= 1/4 (z of at least 2), got c = {c:g}: take the c of a "
            "crossing."
        )
    return white.add(mean_of_siblings(white), alpha=(1 - 4 * c) ** 0.5 - 1)


def _exact(white: torch.Tensor, c: float) -> torch.Tensor:
    return white * (1 - c) ** 0.5


def _released(white: torch.Tensor, _c: float) -> torch.Tensor:
    return white


# Laws of the noise on tokens that do not grow at a crossing, each (white, c) -> noise.
# "exact": standard deviation sqrt(1 - c), which leaves the state at the noise level that the next
# stage starts from. "released": 1, as the authors' code has it, a variance 1 + c times too large.
KEPT_NOISE: dict[str, Callable[[torch.Tensor, float], torch.Tensor]] = {
    "exact": _exact,
    "released": _released,
}


def kept_noise(law: str) -> Callable[[torch.Tensor, float], torch.Tensor]:
    """The law of that name, see `KEPT_NOISE`. ValueError lists the names there are."""
    if law not in KEPT_NOISE:
        raise ValueError(f"Kept noise must be one of {', '.join(KEPT_NOISE)}, got {law!r}.")
    return KEPT_NOISE[law]
