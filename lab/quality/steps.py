"""The picture of RALU Second-Order Steps' help page: `python -m lab.quality.steps`.

The first prompts of the bench, drawn by the miniature Flux from the same noise: few steps of euler,
as few of second order, and many of euler.
"""

from __future__ import annotations

import torch

from lab.comfy import ralu_pack
from lab.comfy.locate import REPOSITORY

PICTURE = REPOSITORY / "web" / "docs" / "steps.jpg"
ROWS, FEW, MANY = 3, 6, 50


def draw() -> None:
    from lab.models.viewing import Grid, picture_grid
    from lab.quality.rivals import Batch, plain
    from lab.quality.subject import list_pairs, load_subject

    subject = load_subject("flux")
    batch = Batch(subject, list_pairs(ROWS))
    second = ralu_pack.second_order.second_order()
    runs = {
        f"{FEW} steps, euler": plain(batch, FEW),
        f"{FEW} steps, second order": plain(batch, FEW, second),
        f"{MANY} steps, euler": plain(batch, MANY),
    }
    columns = [(name, _as_bytes(subject.vae.decode(x))) for name, x in runs.items()]
    prompts = [pair.prompt for pair in batch.pairs]
    picture_grid(columns, prompts, Grid(side=110)).save(PICTURE, quality=88)


def _as_bytes(pictures: torch.Tensor) -> torch.Tensor:
    return (pictures.permute(0, 3, 1, 2) * 255).round().clamp(0, 255).byte()


if __name__ == "__main__":
    ralu_pack.start(cpu=True)
    with torch.inference_mode():
        draw()
