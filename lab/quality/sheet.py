"""A sheet of the same pairs by every method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from PIL import Image, ImageDraw

CELL, SIDE, LABEL = 192, 150, 24


def contact_sheet(columns: Mapping[str, torch.Tensor], prompts: Sequence[str]) -> Image.Image:
    """A column of (n, 3, H, W) uint8 pictures for each method, a line for each prompt."""
    size = (SIDE + CELL * len(columns), LABEL + CELL * len(prompts))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for line, prompt in enumerate(prompts):
        draw.text((4, LABEL + CELL * line + CELL // 2), prompt, fill="black")
    for place, (name, pictures) in enumerate(columns.items()):
        left = SIDE + CELL * place
        draw.text((left + 2, 6), name[: CELL // 6], fill="black")
        for line, picture in enumerate(pictures[: len(prompts)]):
            tile = Image.fromarray(picture.permute(1, 2, 0).numpy())
            tile = tile.resize((CELL - 2, CELL - 2), Image.Resampling.LANCZOS)
            sheet.paste(tile, (left, LABEL + CELL * line))
    return sheet
