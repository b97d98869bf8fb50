"""The judge: a small network that names the emoji and the defect.

Its 64 penultimate numbers are the fixed feature space of the distribution distances; its first
guess says whether a picture is recognisable.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from lab.models.miniature.pictures import Pictures, list_emoji
from lab.quality.defects import DEFECTS

WEIGHTS = Path(__file__).resolve().parent / "judge.safetensors"
WIDTHS = (24, 48, 72, 96)
FEATURES = 64


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = F.silu(self.norms[0](self.first(x)))
        return F.silu(x + self.norms[1](self.second(inner)))


def _level(before: int, width: int) -> nn.Module:
    step = nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(step, nn.BatchNorm2d(width), nn.SiLU(), Residual(width))


class Judge(nn.Module):
    """Pictures (B, 3, 256, 256) in [0, 1]; pixels are unshuffled, so that none is skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.unshuffle = nn.PixelUnshuffle(2)
        self.levels = nn.ModuleList(
            _level(before, width) for before, width in zip((12, *WIDTHS), WIDTHS, strict=False)
        )
        self.neck = nn.Linear(2 * sum(WIDTHS), FEATURES)
        self.names = nn.Linear(FEATURES, len(list_emoji()))
        self.defects = nn.Linear(FEATURES, 1 + len(DEFECTS))

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 64): means and spreads of the maps of all levels, mixed once."""
        maps, pooled = self.unshuffle(pictures * 2 - 1), []
        for level in self.levels:
            maps = level(maps)
            flat = maps.float().flatten(2)
            pooled += [flat.mean(2), flat.std(2)]
        return self.neck(torch.cat(pooled, 1))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores of the emoji (B, 36) and of the defects (B, 7), none first."""
        features = F.silu(self.features(pictures))
        return self.names(features), self.defects(features)


class NamedPictures(Pictures):
    """Pictures whose prompt is always the emoji's name."""

    def prompt(self, which: int, ground: str) -> str:
        return self.emoji[which].name


def load_judge() -> Judge:
    judge = Judge()
    judge.load_state_dict({k: v.float() for k, v in load_file(WEIGHTS).items()})
    return judge.eval().requires_grad_(False)
