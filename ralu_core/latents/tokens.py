"""Latents as rows of tokens: a token is one flattened square patch of latent pixels."""

from __future__ import annotations

import torch

PATCH = 2  # latent pixels along one token, where a `Space` says nothing else


def patchify(latent: torch.Tensor, patch: int = PATCH) -> torch.Tensor:
    """Cut a latent into tokens, row by row.

    latent  (B, C, H, W), H and W multiples of `patch`.
    Returns (B, H/patch * W/patch, C*patch^2), contiguous for any patch, or one layout of memory
    would round otherwise than another; within a token the order is channel, row, column.
    """
    b, c, h, w = latent.shape
    grid = latent.reshape(b, c, h // patch, patch, w // patch, patch)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(b, -1, c * patch * patch).contiguous()


def unpatchify(tokens: torch.Tensor, rows: int, columns: int, patch: int = PATCH) -> torch.Tensor:
    """Undo `patchify`: (B, rows*columns, C*patch^2) -> (B, C, patch*rows, patch*columns)."""
    b, _, d = tokens.shape
    c = d // (patch * patch)
    grid = tokens.reshape(b, rows, columns, c, patch, patch)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(b, c, rows * patch, columns * patch)


def pick(latent: torch.Tensor) -> torch.Tensor:
    """Every second latent pixel of (..., H, W): white noise stays white, unlike an average."""
    return latent[..., ::2, ::2]


def spread(latent: torch.Tensor) -> torch.Tensor:
    """Repeat every latent pixel of (..., H, W) over a 2x2 block. `pick` undoes it."""
    *lead, h, w = latent.shape
    spread_out = latent.new_empty(*lead, h, 2, 2 * w)
    spread_out[..., 0, ::2] = spread_out[..., 0, 1::2] = latent
    spread_out[..., 1, :] = spread_out[..., 0, :]  # in two passes, less work than repeats
    return spread_out.reshape(*lead, 2 * h, 2 * w)
