"""A low-rank change of a shipped miniature that learns from pictures of its own."""

from __future__ import annotations

import argparse
import os
from abc import abstractmethod
from functools import partial
from pathlib import Path

import torch

from lab.models.miniature.fetch import CACHE
from lab.models.miniature.models import build, prepare
from lab.models.miniature.train import WIDE, Recipe
from lab.models.miniature.train_guided import Continued, shipped_weights

RANK = 32
BATCH = 24
# The recipe of all; model, seed, steps and name are each one's own.
LEARNT = partial(Recipe, cooldown=0.5, rate=2e-3, warmup=50, ema=0.99, widths=((0, WIDE),))


class LowRank(Continued):
    """Low-rank changes of a teacher's blocks, beside weights that stay.

    teacher  of `KINDS`, its shipped weights.
    counts   pixels: how many pictures the teacher draws to learn from, kept so that training can
             go on.
    """

    teacher: str
    counts: dict[int, int]

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        super().__init__(recipe, folder, shipped_weights(self.teacher))
        self.model.requires_grad_(False)
        for name, layer in list(self.model.named_modules()):
            if isinstance(layer, torch.nn.Linear) and "_blocks." in name:
                add_low_rank(layer)
        learnt = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(learnt, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.pairs = {size: self.drawn(size, count) for size, count in self.counts.items()}

    def drawn(self, size: int, count: int) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
        """Noise, what the teacher draws of it, and prompts."""
        path = self.folder / f"{self.recipe.name}_pairs_{size}.pt"
        if not path.exists():
            generator = torch.Generator().manual_seed(size)
            self.pictures.generator = generator
            teacher = build(self.teacher).eval().requires_grad_(False)
            teacher.load_state_dict(shipped_weights(self.teacher))
            parts = []
            for start in range(0, count, BATCH):
                _, prompts = self.pictures.draw(BATCH, size)
                noise = torch.randn(BATCH, 16, size // 8, size // 8, generator=generator)
                parts.append((noise, self.many_steps(teacher, noise, prompts), prompts))
                print(f"{size} pixels: {start + BATCH} of {count} pairs", flush=True)
            noises, pictures, prompts = zip(*parts, strict=True)
            words = [prompt for some in prompts for prompt in some]
            whole = torch.cat(noises), torch.cat(pictures), words
            torch.save(whole, path.with_suffix(".part"))
            os.replace(path.with_suffix(".part"), path)
            self.pictures.generator = self.generator
        return torch.load(path)

    @abstractmethod
    def many_steps(
        self, teacher: torch.nn.Module, noise: torch.Tensor, prompts: list[str]
    ) -> torch.Tensor:
        """What the teacher draws of noise (B, C, H, W), a row for each."""

    def record(self) -> dict[str, object]:
        told = super().record()
        hardware = str(told["hardware"]).replace("bfloat16 autocast", "float32")
        return {**told, "rank": RANK, "pairs": self.counts, "hardware": hardware}


def add_low_rank(layer: torch.nn.Linear) -> None:
    """Adds up(down(x)) to what a layer gives: nothing at first. Named as LoRA files name them."""
    down = torch.nn.Linear(layer.in_features, RANK, bias=False)
    up = torch.nn.Linear(RANK, layer.out_features, bias=False)
    torch.nn.init.zeros_(up.weight)
    layer.add_module("lora_down", down)
    layer.add_module("lora_up", up)
    layer.register_forward_hook(lambda _layer, given, out: out + up(down(given[0])))


def train(kind: type[LowRank], recipe: Recipe, words: str) -> None:
    """The command that trains one, or goes on where it was stopped; words say what it teaches."""
    parser = argparse.ArgumentParser(description=words)
    parser.add_argument("--threads", type=int, default=1)
    prepare(parser.parse_args().threads)
    trainer = kind(recipe, CACHE)
    trainer.resume()
    trainer.run(save_every=50)
