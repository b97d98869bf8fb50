"""Draw a contact sheet with plain Euler sampling.

python -m lab.models.miniature.check flux --out sheet.png
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file

from lab.models.miniature.export import FORMATS, WEIGHTS
from lab.models.miniature.fetch import CACHE
from lab.models.miniature.models import KINDS, build, prepare
from lab.models.miniature.pictures import list_emoji
from lab.models.miniature.text_encoding import encode_prompts
from lab.models.miniature.train import SHIFT
from lab.models.viewing import Grid, picture_grid

LABEL, PER_ROW = 12, 12


@dataclass(frozen=True)
class Shot:
    """size in pixels; cfg 1 leaves the empty prompt out."""

    size: int = 256
    steps: int = 28
    cfg: float = 1.0
    seed: int = 0


def schedule(steps: int) -> torch.Tensor:
    """steps + 1 sigmas from 1 to 0."""
    even = torch.linspace(1, 0, steps + 1)
    return SHIFT * even / (1 + (SHIFT - 1) * even)


@torch.no_grad()
def sample(kind: str, model: torch.nn.Module, prompts: list[str], shot: Shot) -> torch.Tensor:
    """Latents (len(prompts), 16, size/8, size/8); every prompt starts from the same noise."""
    generator = torch.Generator().manual_seed(shot.seed)
    x = torch.randn(1, 16, shot.size // 8, shot.size // 8, generator=generator)
    x = x.repeat(len(prompts), 1, 1, 1)
    sides = [prompts] if shot.cfg == 1 else [prompts, [""] * len(prompts)]
    conditions = [encode_prompts(side) for side in sides]
    guidance = torch.full((len(prompts),), 3.5)
    for sigma, after in pairwise(schedule(shot.steps)):
        now = (KINDS[kind].time * sigma).expand(len(prompts))
        velocity, *empty = [
            model(x, now, context=context, y=pooled, guidance=guidance)
            for context, pooled in conditions
        ]
        for other in empty:
            velocity = other + shot.cfg * (velocity - other)
        x = x + (after - sigma) * velocity
    return x


def sheet_of(rows: list[torch.Tensor], labels: list[str], cell: int) -> Image.Image:
    """One column per label, one row per batch of pictures (n, 3, H, W) in [0, 1]."""
    pixels = (torch.stack(rows).clamp(0, 1) * 255).round().byte()
    columns = [(label, pixels[:, column]) for column, label in enumerate(labels)]
    return picture_grid(columns, [""] * len(rows), Grid(cell, gap=0, side=0, top=LABEL))


def load_network(kind: str, is_checkpoint: bool) -> torch.nn.Module:
    """The shipped weights, or the running average of the training under way."""
    if is_checkpoint:
        state = torch.load(CACHE / f"{kind}.pt")
        print("step, seconds, loss:", state["counts"])
        weights = state["average"]
    else:
        shipped = load_file(WEIGHTS / "diffusion_models" / f"miniature_{kind}.safetensors")
        weights = {k.replace("_norm.scale", "_norm.weight"): v for k, v in shipped.items()}
    model = build(kind)
    model.load_state_dict(weights)
    return model.eval()


def decode(kind: str, latents: torch.Tensor) -> torch.Tensor:
    """Pictures (B, 3, H, W) in [0, 1] of the shipped autoencoder."""
    from comfy.sd import VAE

    first, _, _ = kind.partition("_")
    scale, shift = FORMATS[first]
    vae = VAE(sd=load_file(WEIGHTS / "vae" / f"miniature_{first}_vae.safetensors"))
    return vae.decode(latents / scale + shift).movedim(-1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=list(KINDS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=28)
    parser.add_argument("--cfg", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--cell", type=int, default=128)
    parser.add_argument("--prompts", nargs="*", default=[emoji.name for emoji in list_emoji()])
    parser.add_argument("--checkpoint", action="store_true", help="of the training under way")
    options = parser.parse_args()
    prepare()
    model = load_network(options.model, options.checkpoint)
    sheets = []
    for start in range(0, len(options.prompts), PER_ROW):
        some = options.prompts[start : start + PER_ROW]
        shots = [Shot(options.size, options.steps, options.cfg, n) for n in range(options.seeds)]
        rows = [decode(options.model, sample(options.model, model, some, shot)) for shot in shots]
        sheets.append(sheet_of(rows, some, options.cell))
    whole = Image.new("RGB", (max(s.width for s in sheets), sum(s.height for s in sheets)), "white")
    for i, sheet in enumerate(sheets):
        whole.paste(sheet, (0, sum(s.height for s in sheets[:i])))
    whole.save(options.out)


if __name__ == "__main__":
    main()
