"""The noise that a NOISE draws, and whether a run can begin with it."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

import torch

from ...ralu_core.latents.flow import shift_sigma
from ...ralu_core.latents.frame import Frame
from ...ralu_core.latents.noise import white_noise
from ...ralu_core.plans import Plan
from .sampling.finite import check_finite

HEAD = 16  # numbers of a picture's noise, by which it is known
DRAWS = 64  # pictures of a batch that Latent From Batch can name


def batch_items(latent: dict, count: int) -> list[int]:
    """The number of each picture within its seed; Latent From Batch keeps the original ones."""
    given = latent.get("batch_index")
    items = list(range(count)) if given is None or len(given) == 0 else [int(one) for one in given]
    if len(items) != count:
        raise ValueError(
            f"A LATENT's batch_index must number each of its {count} pictures, got {len(items)} "
            "numbers: set it anew with Latent Batch Seed Behavior."
        )
    return items


def numbers_of(noise: torch.Tensor, seed: int | None) -> list[int] | None:
    """The number of each picture within its seed, found by what the host draws for it; None where
    the noise is another. For a sampler's wrapper, which is not told them."""
    if not isinstance(seed, numbers.Integral) or not noise.any():
        return None
    heads, found = noise.flatten(1)[:, :HEAD].cpu(), [-1] * len(noise)
    generator = torch.Generator().manual_seed(int(seed) % 2**64)
    for number in range(max(len(noise), DRAWS)):
        drawn = torch.randn(1, *noise.shape[1:], generator=generator).to(noise.dtype)
        same = (heads == drawn.flatten(1)[:, :HEAD]).all(1).tolist()
        found = [number if hit else known for hit, known in zip(same, found, strict=True)]
        if min(found) >= 0:
            return found
    return None


def seed_of(noise: Any) -> int:
    """The seed of a NOISE, as torch counts negative ones; all noise of later stages comes of it."""
    seed: Any = getattr(noise, "seed", None)
    try:
        return operator.index(seed) % 2**64
    except TypeError:
        raise ValueError(
            "RALU draws the noise of its later stages from the seed of the NOISE, which must be a "
            f"whole number, and {type(noise).__name__} has {seed!r}: use RandomNoise."
        ) from None


def noise_for(noise, samples: torch.Tensor) -> torch.Tensor:
    """What a NOISE made for samples, one for all pictures repeated as the host does."""
    if not torch.is_tensor(noise) or not _fits(noise.shape, samples.shape):
        shape = tuple(noise.shape) if torch.is_tensor(noise) else f"a {type(noise).__name__}"
        raise ValueError(
            f"The NOISE must have the shape of the latent, {tuple(samples.shape)}, or one picture "
            f"of it, got {shape}: use RandomNoise."
        )
    check_finite(noise, "NOISE", "use RandomNoise")
    return noise.expand(samples.shape).contiguous()


def _fits(shape: torch.Size, whole: torch.Size) -> bool:
    pairs = zip(shape, whole, strict=False)
    return len(shape) == len(whole) and all(a in (1, b) for a, b in pairs)


def check_noise_level(noise: torch.Tensor, plan: Plan, last_start: float, shift: float) -> None:
    """Refuse a latent that holds its noise itself where that would not be kept.

    Shrinking averages it away, and at sigma 1 the latent does not count.
    last_start  where the whole plan's last stage starts.
    """
    if noise.flatten(1).any(1).all() or (plan.is_full and plan.stages[0].start < 1):
        return
    denoise = math.floor(100 * float(shift_sigma(1 / shift, last_start))) / 100
    raise ValueError(
        "RALU's first stages make noise of their own size, and this NOISE is empty, as of a latent "
        f"that holds its noise: set denoise below {denoise:g}, where the full-size stage alone "
        "runs, or use RandomNoise."
    )


def extend_noise(noise: torch.Tensor, frame: Frame, seed: int, items: list[int]) -> torch.Tensor:
    """The host's noise (B, C, H, W), with fresh noise where the frame is larger."""
    if frame.is_whole or not noise.any():  # a plan of such frames refuses an empty one
        return noise
    extended = white_noise((noise.shape[1], *frame.padded), seed, items, stream=0).to(noise)
    extended[..., : frame.height, : frame.width] = noise
    return extended
