"""Latents as rows of tokens: a token is one flattened 2x2 patch of latent pixels."""

from __future__ import annotations

import torch

PATCH = 2  # Flux and SD3 both patch 2x2 latent pixels into one token


def patchify(latent: torch.Tensor) -> torch.Tensor:
    """Cut a latent into tokens, row by row.

    latent  (B, C, H, W), H and W even.
    Returns (B, H/2 * W/2, C*4); within a token the order is channel, row, column.
    """
    b, c, h, w = latent.shape
    grid = latent.reshape(b, c, h // PATCH, PATCH, w // PATCH, PATCH)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(b, -1, c * PATCH * PATCH)


def unpatchify(tokens: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Undo `patchify`: (B, rows*columns, C*4) -> (B, C, 2*rows, 2*columns)."""
    b, _, d = tokens.shape
    c = d // (PATCH * PATCH)
    grid = tokens.reshape(b, rows, columns, c, PATCH, PATCH)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(b, c, rows * PATCH, columns * PATCH)


def pick(latent: torch.Tensor) -> torch.Tensor:
    """Every second latent pixel of (..., H, W): white noise stays white, unlike an average."""
    return latent[..., ::2, ::2]


def spread(latent: torch.Tensor) -> torch.Tensor:
    """Repeat every latent pixel of (..., H, W) over a 2x2 block. `pick` undoes it."""
    *lead, h, w = latent.shape
    spread_out = latent.new_empty(*lead, h, 2, 2 * w)
    spread_out[..., 0, ::2] = spread_out[..., 0, 1::2] = latent
    spread_out[..., 1, :] = spread_out[..., 0, :]  # 3 times faster than repeat_interleave
    return spread_out.reshape(*lead, 2 * h, 2 * w)
