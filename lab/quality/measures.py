"""Everything that is measured on pictures, by name, and what each number means."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from kornia.color import rgb_to_grayscale
from kornia.metrics import ssim

from lab.models.miniature.pictures import list_emoji
from lab.models.viewing import psnr
from lab.quality import artifacts
from lab.quality.judge import Judge
from lab.quality.texture import texture_features

Measure = Callable[[torch.Tensor], torch.Tensor]
# An artifact raises them; what lies below real pictures is no better than above.
ARTIFACTS: dict[str, Measure] = {
    "aliasing": artifacts.edge_aliasing,
    "block 8": partial(artifacts.block_energy, period=8),
    "block 16": partial(artifacts.block_energy, period=16),
    "block 32": partial(artifacts.block_energy, period=32),
    "grid 8": partial(artifacts.grid_energy, period=8),
    "grid 16": partial(artifacts.grid_energy, period=16),
    "grid 32": partial(artifacts.grid_energy, period=32),
    "copies": artifacts.sibling_copies,
}
BLUR = "blur"  # told, not judged: it has no better side
PAIRED = ("SSIM", "PSNR")  # more is better
WINDOW = 11  # of SSIM
MOST_DB = 100.0  # of PSNR, for equal pictures


def numbers(pictures: torch.Tensor) -> torch.Tensor:
    """(B, 9): the artifact measures in their order, then blur."""
    columns = [measure(pictures) for measure in ARTIFACTS.values()]
    return torch.stack([*columns, artifacts.blur_amount(pictures)], 1)


def judged(judge: Judge, pictures: torch.Tensor) -> torch.Tensor:
    """(B, 64 + 36): features and scores of the names."""
    features = judge.features(pictures)
    return torch.cat([features, judge.names(torch.nn.functional.silu(features))], 1)


def texture(pictures: torch.Tensor) -> torch.Tensor:
    return texture_features(pictures)


def closeness(pictures: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """(B, 2): SSIM of the brightness and PSNR in dB, both against the picture of that number."""
    similar = ssim(rgb_to_grayscale(pictures), rgb_to_grayscale(reference), WINDOW)
    level = psnr(pictures, reference).clamp(max=MOST_DB)
    return torch.stack([similar.mean((1, 2, 3)), level], 1)


def recognised(scores: torch.Tensor, prompts: list[str]) -> torch.Tensor:
    """(B,) 1 where the highest score is that of the emoji in the prompt, else 0."""
    names = [emoji.name for emoji in list_emoji()]
    wanted = [names.index(prompt.split(" on ")[0]) for prompt in prompts]
    return (scores.argmax(1) == torch.tensor(wanted)).float()
