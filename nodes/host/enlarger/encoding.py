"""Pictures as a VAE encodes them at full size and at half, the pairs that an enlarger learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import comfy.model_management
import torch
import torch.nn.functional as F

from ....ralu_core.growth.enlarger_fit import (
    Fitted,
    Pair,
    check_enough_pictures,
    check_enough_pixels,
    fit_and_measure,
)
from ....ralu_core.latents.space import Space
from ..families.table import space_of
from ..sampling.finite import check_finite

SIDE = 32  # pictures are cut to a multiple of it, so that half of them are whole latents of any VAE
LEAST = 128  # pixels each way; latents of smaller ones are mostly edge
LEAST_SPREAD = 1e-3  # of pixel values, where 1 is from black to white


def fitted_to(
    vae: Any, pictures: Sequence[torch.Tensor], after_each: Callable[[], None] | None = None
) -> Fitted:
    """An enlarger of this VAE's latents. ValueError for pictures that teach too little, and for a
    VAE of no model that is sampled here.

    pictures  (H, W, 3) in [0, 1], of any sizes; where one does not split, its middle is taken.
    """
    check_pictures(pictures)
    pairs: list[Pair] = []
    for picture in pictures:
        comfy.model_management.throw_exception_if_processing_interrupted()
        pairs.append(encoded_pair(vae, middle(picture)))
        if len(pairs) == 1:  # before the others are encoded
            half, area = pairs[0][0], middle(picture)[..., 0].numel()
            rows = [middle(one)[..., 0].numel() * half[0, 0].numel() // area for one in pictures]
            check_enough_pixels(rows, half.shape[1])
        if after_each:
            after_each()
    return fit_and_measure(pairs)


def check_pictures(pictures: Sequence[torch.Tensor]) -> None:
    """ValueError for pictures that no VAE makes anything of that could be learnt."""
    check_enough_pictures(len(pictures))
    for picture in pictures:
        height, width = picture.shape[:2]
        if min(height, width) < LEAST:
            raise ValueError(
                f"An enlarger is fitted on pictures of at least {LEAST} pixels each way, got "
                f"{width}x{height}: connect larger ones."
            )
    if all(picture.float().std() < LEAST_SPREAD for picture in pictures):
        raise ValueError(
            "An enlarger learns from what pictures show, and these are of one colour each: connect "
            "photographs, or pictures that the model made."
        )
    seen = {(picture.shape, hash(picture.float().cpu().numpy().tobytes())) for picture in pictures}
    if len(seen) < len(pictures):
        raise ValueError(
            "An enlarger is measured on pictures that it was not fitted on, and here one comes "
            "twice: connect different ones."
        )


def encoded_pair(vae: Any, picture: torch.Tensor) -> Pair:
    """The latents of an (H, W, 3) picture at half size and at full size, in the space of the models
    that have such a VAE."""
    full = picture[None].clamp(0, 1)
    half = F.interpolate(full.movedim(-1, 1), scale_factor=0.5, mode="bicubic", antialias=True)
    return _encoded(vae, half.movedim(1, -1).clamp(0, 1)), _encoded(vae, full)


def space_for(latent: torch.Tensor, height: int) -> Space:
    """The space of a VAE's latent of a picture of that height. ValueError where no model has it."""
    space = space_of(latent, height)
    if space is not None:
        return space
    raise ValueError(
        "RALU fits enlargers for VAEs of the models that it samples, got one that makes latents of "
        f"shape {tuple(latent.shape)} of a picture {height} pixels high: load the VAE of such a "
        "model."
    )


def _encoded(vae: Any, picture: torch.Tensor) -> torch.Tensor:
    latent = vae.encode(picture).float().cpu()
    check_finite(latent, "encoded picture", "start ComfyUI with --fp32-vae")
    return space_for(latent, picture.shape[1]).enter(latent)


def middle(picture: torch.Tensor) -> torch.Tensor:
    """Cut to a multiple of SIDE each way."""
    height, width = (side // SIDE * SIDE for side in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width].float().cpu()
