"""Noise of a RALU run: from a seed, per picture, on the CPU; correlated at the transitions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .upsampling import mean_of_siblings

KEPT_NOISE = ("exact", "released")


def white_noise(shape: Sequence[int], seed: int, items: Sequence[int], stream: int) -> torch.Tensor:
    """Standard normal noise (len(items), *shape), float32 on the CPU.

    shape   (C, H, W) of one picture.
    items   each picture's number within its seed; a picture's noise depends on nothing else, so it
            is the same alone and in a batch.
    stream  separates the uses of one seed: 1 and 2 for the transitions into stages 2 and 3.
    """
    white = torch.empty(len(items), *shape, dtype=torch.float32, device="cpu")
    for picture, item in zip(white, items, strict=True):
        # A spawn key keeps seeds of any size apart; one flat list runs long seeds into the rest.
        sequence = np.random.SeedSequence(seed, spawn_key=(stream, item))
        (word,) = sequence.generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(word >> np.uint64(1)))
        torch.randn(
            tuple(shape), generator=generator, dtype=torch.float32, device="cpu", out=picture
        )
    return white


def sibling_noise(white: torch.Tensor, c: float, method: str) -> torch.Tensor:
    """Noise with covariance I - c * ones(4, 4) over the four pixels one coarse pixel becomes.

    white   (B, C, H, W) standard normal.
    c       in [0, 1/4]; the paper's c = 1 / z^2.
    method  "token" or "pixel", see `upsampling.upsample`.

    Exact and without a matrix: n + (sqrt(1 - 4c) - 1) * mean(n). RALU eq. 6 and its appendix, which
    sample the same law through a dense covariance.
    """
    if not 0 <= c <= 0.25:
        raise ValueError(
            f"Sibling noise needs 0 <= c <= 1/4 (z of at least 2), got c = {c:g}: take the c of a "
            "StageSchedule."
        )
    return white.add(mean_of_siblings(white, method), alpha=(1 - 4 * c) ** 0.5 - 1)


def kept_noise(white: torch.Tensor, c: float, law: str = "exact") -> torch.Tensor:
    """Noise for tokens that do not grow at this transition.

    law  "exact": standard deviation sqrt(1 - c), which leaves the state at the noise level that the
         next stage starts from. "released": 1, as the authors' code has it, a variance 1 + c times
         too large; kept for comparison.
    """
    if law not in KEPT_NOISE:
        raise ValueError(f"Kept noise must be one of {', '.join(KEPT_NOISE)}, got {law!r}.")
    return white if law == "released" else white * (1 - c) ** 0.5
