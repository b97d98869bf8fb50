"""The distribution of pictures behind each prompt: emoji on coloured grounds."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

HERE = Path(__file__).resolve().parent
SIZES = (128, 256)
COLOURS = {
    "white": (0.95, 0.95, 0.95),
    "grey": (0.55, 0.55, 0.55),
    "black": (0.08, 0.08, 0.08),
    "red": (0.80, 0.20, 0.20),
    "orange": (0.95, 0.60, 0.25),
    "yellow": (0.95, 0.88, 0.45),
    "green": (0.35, 0.70, 0.40),
    "blue": (0.30, 0.50, 0.85),
    "purple": (0.55, 0.35, 0.75),
    "pink": (0.95, 0.70, 0.80),
}


@dataclass(frozen=True)
class Emoji:
    code: str
    name: str
    kind: str


@dataclass(frozen=True)
class Width:
    """How broad the distribution is.

    scale is a range; shift (share of the picture), rotation (degrees) and light (relative gain)
    are half widths of uniform draws; mirror, gradient (a ground that runs from one colour to
    another) and texture (a ground of soft stripes of two colours) are probabilities.
    """

    scale: tuple[float, float] = (0.78, 0.98)
    mirror: float = 0.5
    shift: float = 0.05
    rotation: float = 0.0
    light: float = 0.0
    gradient: float = 0.0
    texture: float = 0.0


def list_emoji() -> list[Emoji]:
    kinds = json.loads((HERE / "prompts.json").read_text())
    return [Emoji(code, name, kind) for kind, row in kinds.items() for code, name in row.items()]


def load_emoji(folder: Path, emoji: list[Emoji]) -> dict[int, torch.Tensor]:
    """Premultiplied RGBA in [0, 1], (count, 4, size, size) for each size the models train on."""
    full = []
    for item in emoji:
        path = folder / f"{item.code}.webp"
        if not path.exists():
            path = folder / f"{item.code}-fe0f.webp"
        full.append(torch.from_numpy(np.array(Image.open(path).convert("RGBA"))))
    rgba = torch.stack(full).permute(0, 3, 1, 2).float() / 255
    rgba[:, :3] *= rgba[:, 3:]
    return {size: F.adaptive_avg_pool2d(rgba, size) for size in SIZES}


class Pictures:
    """Draws batches of (pictures, prompts) from one seeded generator."""

    def __init__(self, folder: Path, width: Width, generator: torch.Generator) -> None:
        self.emoji = list_emoji()
        self.sources = load_emoji(folder, self.emoji)
        self.width = width
        self.generator = generator

    def uniform(self, count: int, low: float, high: float) -> torch.Tensor:
        return torch.rand(count, generator=self.generator) * (high - low) + low

    def draw(self, count: int, size: int) -> tuple[torch.Tensor, list[str]]:
        """Pictures (count, 3, size, size) in [0, 1] and one prompt for each."""
        which = torch.randint(len(self.emoji), (count,), generator=self.generator)
        front = self.place(self.sources[size][which])
        ground, names = self.grounds(count, size)
        gain = 1 + self.uniform(count, -self.width.light, self.width.light).view(-1, 1, 1, 1)
        pictures = (front[:, :3] * gain + (1 - front[:, 3:]) * ground).clamp(0, 1)
        return pictures, [self.prompt(int(i), name) for i, name in zip(which, names, strict=True)]

    def place(self, front: torch.Tensor) -> torch.Tensor:
        """Scale, shift, mirror and turn each emoji at random."""
        count = len(front)
        scale = self.uniform(count, *self.width.scale)
        mirror = torch.where(self.uniform(count, 0, 1) < self.width.mirror, -1, 1)
        turn = self.uniform(count, -self.width.rotation, self.width.rotation) * math.pi / 180
        shift = torch.stack([self.uniform(count, -2, 2) * self.width.shift for _ in range(2)], 1)
        turned = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], 1).view(-1, 2, 2)
        matrix = turned / scale.view(-1, 1, 1)
        offset = -(matrix @ shift.unsqueeze(-1))
        theta = torch.cat([matrix, offset], 2)
        theta[:, 0] *= mirror.unsqueeze(1)
        grid = F.affine_grid(theta, list(front.shape), align_corners=False)
        return F.grid_sample(front, grid, padding_mode="zeros", align_corners=False)

    def grounds(self, count: int, size: int) -> tuple[torch.Tensor, list[str]]:
        """Ground pictures and the name of each ground's colour ("" for an unnamed one)."""
        table = torch.tensor(list(COLOURS.values()))
        pick = torch.randint(len(COLOURS), (count,), generator=self.generator)
        jitter = (torch.rand(count, 3, generator=self.generator) - 0.5) * 0.12
        named = (table[pick] + jitter).clamp(0, 1)
        free = torch.rand(count, 3, generator=self.generator)
        is_named = self.uniform(count, 0, 1) < 0.5
        colour = torch.where(is_named.unsqueeze(1), named, free)
        names = [
            n if ok else ""
            for n, ok in zip(
                (list(COLOURS)[i] for i in pick.tolist()), is_named.tolist(), strict=True
            )
        ]
        return self.shade(colour, size), names

    def shade(self, colour: torch.Tensor, size: int) -> torch.Tensor:
        """Plain grounds, some of them blended towards a second colour along a random direction."""
        count = len(colour)
        other = (colour + torch.rand(count, 3, generator=self.generator) - 0.5).clamp(0, 1)
        angle = self.uniform(count, 0, 2 * math.pi).view(-1, 1, 1)
        axis = torch.linspace(-0.5, 0.5, size)
        place = (axis * angle.cos() + axis.view(-1, 1) * angle.sin()) / 1.42 + 0.5
        periods = self.uniform(count, 3, 8).view(-1, 1, 1)
        stripes = 0.5 - 0.5 * (2 * math.pi * periods * place).cos()
        choice = self.uniform(count, 0, 1).view(-1, 1, 1)
        is_gradient = choice < self.width.gradient
        is_texture = ~is_gradient & (choice < self.width.gradient + self.width.texture)
        ramp = (place * is_gradient + stripes * is_texture).unsqueeze(1)
        return colour.view(-1, 3, 1, 1) * (1 - ramp) + other.view(-1, 3, 1, 1) * ramp

    def prompt(self, which: int, ground: str) -> str:
        """The emoji's name or, now and then, its kind; sometimes with the ground's colour."""
        emoji = self.emoji[which]
        is_kind, says_ground = (self.uniform(2, 0, 1) < torch.tensor([0.12, 0.5])).tolist()
        subject = emoji.kind if is_kind else emoji.name
        return f"{subject} on {ground}" if ground and says_ground else subject
