"""Draw a contact sheet with plain Euler sampling: python -m demo.miniature.check flux --out F."""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from demo.miniature.comfy_pack.text import encode_prompt
from demo.miniature.fetch import CACHE
from demo.miniature.models import KINDS, build, prepare
from demo.miniature.pictures import list_emoji
from demo.miniature.train import SHIFT, load_codec

LABEL = 12


def schedule(steps: int) -> torch.Tensor:
    """steps + 1 sigmas from 1 to 0."""
    even = torch.linspace(1, 0, steps + 1)
    return SHIFT * even / (1 + (SHIFT - 1) * even)


@torch.no_grad()
def sample(
    model: torch.nn.Module,
    time: float,
    prompts: list[str],
    size: int,
    steps: int,
    seed: int,
) -> torch.Tensor:
    """Latents (len(prompts), 16, size/8, size/8); every prompt starts from the same noise."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, 16, size // 8, size // 8, generator=generator)
    x = x.repeat(len(prompts), 1, 1, 1)
    context, pooled = map(torch.stack, zip(*map(encode_prompt, prompts), strict=True))
    guidance = torch.full((len(prompts),), 3.5)
    sigmas = schedule(steps)
    for sigma, after in pairwise(sigmas):
        with torch.autocast("cpu", torch.bfloat16):
            now = (time * sigma).expand(len(prompts))
            velocity = model(x, now, context=context, y=pooled, guidance=guidance)
        x = x + (after - sigma) * velocity.float()
    return x


def contact_sheet(rows: list[torch.Tensor], labels: list[str], cell: int) -> Image.Image:
    """One column per label, one row per batch of pictures (n, 3, H, W)."""
    sheet = Image.new("RGB", (cell * len(labels), (cell) * len(rows) + LABEL), "white")
    draw = ImageDraw.Draw(sheet)
    for column, label in enumerate(labels):
        draw.text((column * cell + 2, 0), label[: cell // 6], fill="black")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
            tile = Image.fromarray(pixels).resize((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(tile, (column * cell, row * cell + LABEL))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=list(KINDS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=28)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--cell", type=int, default=128)
    parser.add_argument("--prompts", nargs="*")
    parser.add_argument("--live", action="store_true", help="the newest weights, not the average")
    parser.add_argument("--weights", type=Path, help="default: the running average of train.py")
    options = parser.parse_args()
    prepare()
    model = build(options.model).eval()
    if options.weights:
        weights = load_file(options.weights)
        model.load_state_dict(
            {k.replace("_norm.scale", "_norm.weight"): v for k, v in weights.items()}
        )
    else:
        state = torch.load(CACHE / f"{options.model}.pt")
        model.load_state_dict(state["model" if options.live else "average"])
        print("step, seconds, loss:", state["counts"])
    codec, prompts = load_codec(), options.prompts or [e.name for e in list_emoji()]
    per_row, rows, sheets = 12, [], []
    for start in range(0, len(prompts), per_row):
        some = prompts[start : start + per_row]
        rows = [
            codec.decode(
                sample(model, KINDS[options.model].time, some, options.size, options.steps, seed)
            )
            for seed in range(options.seeds)
        ]
        sheets.append(contact_sheet(rows, some, options.cell))
    whole = Image.new("RGB", (max(s.width for s in sheets), sum(s.height for s in sheets)), "white")
    for i, sheet in enumerate(sheets):
        whole.paste(sheet, (0, sum(s.height for s in sheets[:i])))
    whole.save(options.out)


if __name__ == "__main__":
    main()
