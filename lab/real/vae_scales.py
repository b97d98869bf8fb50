"""How far a VAE's latent of a half-size picture is from the low band of the full-size one's.

A plan of two sizes takes the one for the other. Readings of the half-size latent, and the share of
the full-size latent's energy that each leaves wrong; the maps are fitted by least squares on one
half of the pictures and measured on the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ralu_core.growth import enlarger_fit, growth_named

RIDGE = 1e-4  # of the mean energy, so that few pictures fit no noise


def latents_at_both_sizes(
    vae: Any, process: Any, pictures: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, C, h, w) and (n, C, h/2, w/2) of pictures (1, H, W, 3) in [0, 1], as the model sees them.

    process  the model's `process_latent_in`.
    """

    def encoded(picture: torch.Tensor) -> torch.Tensor:
        latent = process(vae.encode(picture.clamp(0, 1))).float().cpu()
        return latent[:, :, 0] if latent.ndim == 5 else latent  # a video VAE's one frame

    halved = [
        F.interpolate(p.movedim(-1, 1), scale_factor=0.5, mode="bicubic", antialias=True)
        for p in pictures
    ]
    full = torch.cat([encoded(picture) for picture in pictures])
    half = torch.cat([encoded(picture.movedim(1, -1)) for picture in halved])
    return full, half


def energies_left_wrong(full: torch.Tensor, half: torch.Tensor) -> dict[str, float]:
    """Share of the energy of `full` around its mean that each reading leaves wrong, 0 to 1 or more.

    ValueError for fewer than four pictures: maps need some to be fitted on, and others.
    """
    if len(full) < 4:
        raise ValueError(f"A VAE is measured on 4 pictures or more, got {len(full)}: add some.")
    dct = growth_named("dct")
    low = dct.mean(full, 2)  # type: ignore[attr-defined]
    fitted, held = slice(0, len(full) // 2), slice(len(full) // 2, None)
    channels = _map(_pixels(half[fitted]), _pixels(low[fitted]))
    pairs = list(zip(half.split(1), full.split(1), strict=True))
    at_full_size = enlarger_fit.energies_left_wrong(pairs[held], enlarger_fit.fit(pairs[fitted]))
    return {
        "low band, as it is": _wrong(half[held], low[held]),
        "low band, channel map": _wrong(_applied(channels, half[held]), low[held]),
        **{f"full size, {name}": share for name, share in at_full_size.items()},
    }


def _wrong(read: torch.Tensor, wanted: torch.Tensor) -> float:
    middle = wanted.mean((0, 2, 3), keepdim=True)
    return ((read - wanted).square().mean() / (wanted - middle).square().mean()).item()


def _pixels(maps: torch.Tensor) -> torch.Tensor:
    """(n, C, h, w) -> (n h w, C + 1) with a one, in double precision."""
    rows = maps.movedim(1, -1).flatten(0, 2).double()
    return torch.cat([rows, torch.ones(len(rows), 1, dtype=rows.dtype)], 1)


def _map(source: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Least squares from (N, a) to (N, b) without its column of ones: (a, b)."""
    square = source.T @ source
    ridge = RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype)
    return torch.linalg.solve(square + ridge, source.T @ wanted[:, :-1])


def _applied(weights: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    n, _, h, w = maps.shape
    return (_pixels(maps) @ weights).float().view(n, h, w, -1).movedim(-1, 1)
