"""Fit an enlarger by least squares, and tell how wrong it is beside what needs no fitting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .enlarger import AROUND, CHILDREN, Enlarger, neighbours
from .nearest import Pixel
from .spectral import Spectral

RIDGE = 16.0  # latent pixels' worth of the inputs' mean variance, so that few pictures fit no noise
LEAST_PICTURES = 4  # on two it is fitted, on two it is measured
ROWS_PER_INPUT = 4  # half-size latent pixels for each number that the map reads

Pair = tuple[torch.Tensor, torch.Tensor]  # latents of one picture: (1, C, h, w), (1, C, 2h, 2w)


@dataclass(frozen=True)
class Fitted:
    """An enlarger fitted on all pictures.

    wrong     share of the full-size latents' energy around their mean that each reading of the
              half-size latents leaves wrong; the enlarger's was fitted on one half of the pictures,
              and all are measured on the other.
    pictures  how many.
    """

    enlarger: Enlarger
    wrong: Mapping[str, float]
    pictures: int


def check_enough_pictures(pictures: int) -> None:
    """ValueError for too few."""
    if pictures < LEAST_PICTURES:
        raise ValueError(
            f"An enlarger is fitted on {LEAST_PICTURES} pictures or more, half of which measure "
            f"it, got {pictures}: add some."
        )


def check_enough_pixels(rows: Sequence[int], channels: int) -> None:
    """ValueError for pictures that are too small together.

    rows  half-size latent pixels of each.
    """
    least, found = ROWS_PER_INPUT * AROUND * channels, sum(rows[::2])
    if found < least:
        raise ValueError(
            f"These {len(rows)} pictures are too small to fit an enlarger on, whose one half has "
            f"{found} latent pixels at half size, and {least} are the least: add more, or larger "
            "ones."
        )


def fit_and_measure(pairs: Sequence[Pair]) -> Fitted:
    """ValueError for pictures that are too few, too small together, or of one colour."""
    check_enough_pictures(len(pairs))
    check_enough_pixels([half[0, 0].numel() for half, _ in pairs], pairs[0][0].shape[1])
    wrong = energies_left_wrong(pairs[1::2], fit(pairs[::2]))
    return Fitted(fit(pairs), wrong, len(pairs))


def fit(pairs: Sequence[Pair]) -> Enlarger:
    """Least squares, lightly ridge-regularised, over all latent pixels of the pictures."""
    channels = pairs[0][0].shape[1]
    inputs, outputs = AROUND * channels, CHILDREN * channels
    sums = torch.zeros(inputs + 1, inputs + 1 + outputs, dtype=torch.float64)
    for half, full in pairs:
        read = neighbours(half.double().cpu())[0]  # (9 C, h w)
        read = torch.cat([read, torch.ones_like(read[:1])])
        wanted = F.pixel_unshuffle(full.double().cpu(), 2)[0].flatten(1)  # (4 C, h w)
        sums += read @ torch.cat([read, wanted]).T
    rows = sums[-1, inputs]  # the ones, counted
    means = sums[-1] / rows
    centred = sums[:-1] - rows * torch.outer(means[:inputs], means)
    square, mixed = centred[:, :inputs], centred[:, inputs + 1 :]
    ridge = RIDGE / rows * square.diagonal().mean() * torch.eye(inputs, dtype=torch.float64)
    weights = torch.linalg.lstsq(square + ridge, mixed).solution.T
    bias = means[inputs + 1 :] - weights @ means[:inputs]
    return Enlarger(weights.float(), bias.float())


def energies_left_wrong(pairs: Sequence[Pair], enlarger: Enlarger) -> dict[str, float]:
    """See `Fitted.wrong`; by name of the reading."""
    middle = torch.cat([full[0].flatten(1) for _, full in pairs], dim=1).mean(1)
    energy = sum(_energy(full - middle[:, None, None]) for _, full in pairs)
    if not energy:
        raise ValueError("The pictures are all of one colour, which teaches nothing: add others.")
    return {
        name: sum(_energy(read(half) - full) for half, full in pairs) / energy
        for name, read in readings(enlarger).items()
    }


def readings(enlarger: Enlarger) -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    """By name: (B, C, H, W) -> (B, C, 2H, 2W), the enlarger and what needs no fitting."""
    return {
        "nearest": lambda half: Pixel().grow(half, 1),
        "bicubic": lambda half: F.interpolate(half, scale_factor=2, mode="bicubic"),
        "dct": lambda half: Spectral().grow(half, 1),
        "enlarger": enlarger.enlarge,
    }


def _energy(latent: torch.Tensor) -> float:
    return latent.double().square().sum().item()
