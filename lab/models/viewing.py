"""To look at pictures: many of them on one sheet, and how far they are from others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw

LETTER = 6  # pixels of width


@dataclass(frozen=True)
class Grid:
    """Pixels: a cell's side, the gap after each picture, the room left of and above all."""

    cell: int = 192
    gap: int = 2
    side: int = 150
    top: int = 24


def picture_grid(
    columns: Sequence[tuple[str, torch.Tensor]], lines: Sequence[str], grid: Grid
) -> Image.Image:
    """A column of (n, 3, H, W) uint8 pictures under each name, a line for each text."""
    cell, shown = grid.cell, (grid.cell - grid.gap, grid.cell - grid.gap)
    size = (grid.side + cell * len(columns), grid.top + cell * len(lines))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for line, text in enumerate(lines):
        draw.text((4, grid.top + cell * line + cell // 2), text, fill="black")
    for place, (name, pictures) in enumerate(columns):
        left = grid.side + cell * place
        draw.text((left + 2, grid.top // 2 - LETTER), name[: cell // LETTER], fill="black")
        for line, picture in enumerate(pictures[: len(lines)]):
            tile = Image.fromarray(picture.permute(1, 2, 0).numpy())
            tile = tile.resize(shown, Image.Resampling.LANCZOS)
            sheet.paste(tile, (left, grid.top + cell * line))
    return sheet


def psnr(pictures: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """(B,): peak signal-to-noise ratio in dB of pictures (B, ...) in [0, 1]; inf where equal."""
    return -10 * (pictures - wanted).square().flatten(1).mean(1).log10()
