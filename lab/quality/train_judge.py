"""Train the judge on fresh training pictures: python -m lab.quality.train_judge."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from lab.models.miniature.fetch import fetch_emoji
from lab.models.miniature.pictures import list_emoji
from lab.models.miniature.train import WIDE
from lab.quality.defects import DEFECTS
from lab.quality.judge import WEIGHTS, Judge, NamedPictures

SIZE = 256
SEED, TEST_SEED = 910, 911  # neither is a seed of the miniatures' training
STEPS, BATCH, RATE = 900, 24, 3e-3
LEAST = 0.2  # strength of a defect; a weaker one could not be told from none
TEST_PICTURES = 480


def spoil(pictures: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Give each picture one defect of random strength, or none; which one (B,), 0 for none."""
    count = len(pictures)
    strength = LEAST + (1 - LEAST) * torch.rand(count, generator=generator)
    which = torch.randint(1 + len(DEFECTS), (count,), generator=generator)
    spoiled = pictures.clone()
    for number, defect in enumerate(DEFECTS.values(), 1):
        hit = which == number
        if hit.any():
            spoiled[hit] = defect(pictures[hit], strength[hit])
    return spoiled, which


class Lessons:
    """Batches of spoiled pictures, the emoji's numbers and the defects' numbers."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.pictures = NamedPictures(fetch_emoji(), WIDE, self.generator)
        self.numbers = {emoji.name: i for i, emoji in enumerate(list_emoji())}

    def draw(self, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        clean, names = self.pictures.draw(count, SIZE)
        spoiled, which = spoil(clean, self.generator)
        return spoiled, torch.tensor([self.numbers[name] for name in names]), which


def train(steps: int) -> Judge:
    torch.manual_seed(SEED)
    judge, lessons = Judge(), Lessons(SEED)
    network: Any = judge
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(judge.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for step in range(steps):
        pictures, numbers, which = lessons.draw(BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            names, defects = judge(pictures)
        loss = F.cross_entropy(names.float(), numbers) + F.cross_entropy(defects.float(), which)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            hits = (
                (names.argmax(1) == numbers).sum().item(),
                (defects.argmax(1) == which).sum().item(),
            )
            print(step, round(loss.item(), 3), *hits, flush=True)
    return judge.eval()


@torch.no_grad()
def examine(judge: Judge) -> dict[str, object]:
    """How well the judge does on fresh pictures, clean and spoiled."""
    lessons = Lessons(TEST_SEED)
    named, told, kinds = [], [], []
    for _ in range(TEST_PICTURES // BATCH):
        pictures, numbers, which = lessons.draw(BATCH)
        names, defects = judge(pictures)
        named.append(names.argmax(1) == numbers)
        told.append(defects.argmax(1) == which)
        kinds.append(which)
    named, told, kinds = (torch.cat(rows) for rows in (named, told, kinds))

    def share(hits: torch.Tensor) -> float:
        return round(hits.float().mean().item(), 4)

    return {
        "named, clean": share(named[kinds == 0]),
        "named, most spoiled": share(named),
        "defect told": {
            name: share(told[kinds == number]) for number, name in enumerate(("none", *DEFECTS))
        },
        "pictures": TEST_PICTURES,
    }


def save(judge: Judge, record: dict[str, object], path: Path = WEIGHTS) -> None:
    weights = {k: v.half().contiguous() for k, v in judge.state_dict().items()}
    save_file(weights, path)
    path.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    started = time.time()
    judge = train(options.steps)
    recipe = {"steps": options.steps, "batch": BATCH, "rate": RATE, "seed": SEED}
    record = {
        **recipe,
        "pictures": f"{SIZE} pixels, {WIDE}",
        "seconds": round(time.time() - started),
        "threads": options.threads,
        "torch": torch.__version__,
        "on fresh pictures": examine(judge),
    }
    save(judge, record)
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
