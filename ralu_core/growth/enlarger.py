"""A linear map from a half-size latent to the full-size one, fitted on pictures of a VAE.

Latents are not free of scale: a VAE encodes a picture of half the size to other numbers than the
low band of its full-size latent. Such a map tells the one from the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F

AROUND = 9  # latent pixels that one of half size sees: itself and its eight neighbours
CHILDREN = 4  # full-size latent pixels that take its place


@dataclass(frozen=True, eq=False)
class Enlarger:
    """From each 3x3 of half-size latent pixels to the four that take the place of its middle one.

    weights  (4 * C, 9 * C) float; rows in the order of `torch.pixel_shuffle`, columns in that of
             `torch.unfold`. ValueError for other shapes, and for what is no number.
    bias     (4 * C,)
    """

    weights: torch.Tensor
    bias: torch.Tensor

    def __post_init__(self) -> None:
        rows = self.bias.numel()
        shapes = tuple(self.weights.shape), tuple(self.bias.shape)
        if not rows or rows % CHILDREN or shapes != ((rows, rows // CHILDREN * AROUND), (rows,)):
            raise ValueError(
                "An enlarger holds weights of shape (4 C, 9 C) and a bias of 4 C, got "
                f"{shapes[0]} and {shapes[1]}: fit it anew."
            )
        if not (self.weights.isfinite().all() and self.bias.isfinite().all()):
            raise ValueError("An enlarger holds numbers, and this one holds others: fit it anew.")

    @property
    def channels(self) -> int:
        return self.bias.numel() // CHILDREN

    def check(self, channels: int) -> None:
        """ValueError for latents of other channels than it was fitted on."""
        if channels != self.channels:
            raise ValueError(
                f"This enlarger was fitted on latents of {self.channels} channels, got "
                f"{channels}: fit one for this VAE."
            )

    def enlarge(self, half: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) clean latents -> (B, C, 2H, 2W), picture by picture, so that none depends on
        its batch. ValueError for another C."""
        self.check(half.shape[1])
        weights, bias = self.weights.to(half), self.bias.to(half)[:, None]
        rows = torch.stack([weights @ around + bias for around in neighbours(half)])
        return F.pixel_shuffle(rows.unflatten(2, half.shape[-2:]), 2)

    def scaled(self, scale: torch.Tensor, offset: torch.Tensor) -> Enlarger:
        """The same map between latents times `scale` plus `offset`, both (C,)."""
        scale, offset = scale.to(self.weights), offset.to(self.weights)
        into, out = scale.repeat_interleave(AROUND), scale.repeat_interleave(CHILDREN)
        weights = out[:, None] * self.weights / into
        moved = weights @ offset.repeat_interleave(AROUND)
        return Enlarger(weights, out * self.bias - moved + offset.repeat_interleave(CHILDREN))

    def tensors(self) -> dict[str, torch.Tensor]:
        """What a safetensors file holds of it, on the CPU."""
        return {"weights": self.weights.cpu().contiguous(), "bias": self.bias.cpu().contiguous()}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> Enlarger:
        """Undo `tensors`. ValueError where it is none."""
        missing = [name for name in ("weights", "bias") if name not in tensors]
        if missing:
            raise ValueError(f"An enlarger's file holds no {missing[0]}: fit it anew.")
        return cls(tensors["weights"].float(), tensors["bias"].float())


def neighbours(half: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) -> (B, 9 * C, H * W): each latent pixel with the eight around it; the edge is
    repeated."""
    return F.unfold(F.pad(half, (1, 1, 1, 1), mode="replicate"), 3)
