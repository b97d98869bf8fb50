"""Teach the guided Flux to draw in four steps, as a Turbo LoRA does.

python -m lab.models.miniature.train_turbo

The guided Flux draws pictures in many steps. Those lie at the ends of bent ways; a LoRA learns the
straight ones, the velocity from each picture to the noise that it was drawn from (reflow, Liu et
al. 2022, arXiv 2209.03003). So what its few steps draw is the picture of the same seed in many.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
import torch.nn.functional as F

from lab.models.miniature.fetch import CACHE
from lab.models.miniature.models import build, prepare
from lab.models.miniature.train import WIDE, Recipe, draw_sigmas
from lab.models.miniature.train_guided import Continued, shipped_weights
from ralu_core import Source, sample
from ralu_core.plans import named_plan

GUIDANCE = 3.5
RANK = 32
PLAN, SHIFT = "early second order 10, from 2.5 times the shift", 3.0
PAIRS = {128: 2304, 256: 1152}  # pixels: how many
BATCH = 24
TURBO = Recipe(
    "flux",
    seed=9,
    steps=1200,
    cooldown=0.5,
    rate=2e-3,
    warmup=50,
    ema=0.99,
    batches=((128, 24), (256, 8)),
    widths=((0, WIDE),),
    name="flux_turbo",
)


class Turbo(Continued):
    """Low-rank changes of the guided Flux's blocks, beside weights that stay."""

    def __init__(self, recipe: Recipe, folder: Path, weights: dict[str, torch.Tensor]) -> None:
        super().__init__(recipe, folder, weights)
        self.model.requires_grad_(False)
        for name, layer in list(self.model.named_modules()):
            if isinstance(layer, torch.nn.Linear) and "_blocks." in name:
                add_low_rank(layer)
        learnt = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(learnt, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.pairs = {size: self.drawn(size, count) for size, count in PAIRS.items()}

    def drawn(self, size: int, count: int) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
        """Noise, what the teacher draws of it, and prompts; kept, so that training can go on."""
        path = self.folder / f"turbo_pairs_{size}.pt"
        if not path.exists():
            generator = torch.Generator().manual_seed(size)
            self.pictures.generator = generator
            teacher = build("flux_guided").eval().requires_grad_(False)
            teacher.load_state_dict(shipped_weights("flux_guided"))
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

    @torch.no_grad()
    def many_steps(
        self, teacher: torch.nn.Module, noise: torch.Tensor, prompts: list[str]
    ) -> torch.Tensor:
        """Clean latents (B, 16, H, W) of the noise."""
        context, pooled = self.encode(prompts)
        number = torch.full((len(prompts),), GUIDANCE)

        def denoise(x: torch.Tensor, sigma: float, _layout: object) -> torch.Tensor:
            now = torch.full((len(x),), sigma)
            return x - sigma * teacher(x, now, context=context, y=pooled, guidance=number)

        return sample(denoise, None, Source.from_noise(noise), named_plan(PLAN, SHIFT), seed=0).x

    def velocity_loss(self, size: int, count: int) -> torch.Tensor:
        noises, pictures, words = self.pairs[size]
        which = torch.randint(len(words), (count,), generator=self.generator)
        noise, clean = noises[which], pictures[which]
        sigma = draw_sigmas(self.recipe, count, self.generator)
        grid = sigma.view(-1, 1, 1, 1)
        context, pooled = self.encode([words[one] for one in which.tolist()])
        number = torch.full((count,), GUIDANCE)
        noisy = grid * noise + (1 - grid) * clean
        velocity = self.model(noisy, sigma, context=context, y=pooled, guidance=number)
        return F.mse_loss(velocity, noise - clean)

    def record(self) -> dict[str, object]:
        how = {"rank": RANK, "guidance": GUIDANCE, "pairs": PAIRS, "plan": PLAN}
        told = super().record()
        return {
            **told,
            **how,
            "hardware": str(told["hardware"]).replace("bfloat16 autocast", "float32"),
        }


def add_low_rank(layer: torch.nn.Linear) -> None:
    """Adds up(down(x)) to what a layer gives: nothing at first. Named as LoRA files name them."""
    down = torch.nn.Linear(layer.in_features, RANK, bias=False)
    up = torch.nn.Linear(RANK, layer.out_features, bias=False)
    torch.nn.init.zeros_(up.weight)
    layer.add_module("lora_down", down)
    layer.add_module("lora_up", up)
    layer.register_forward_hook(lambda _layer, given, out: out + up(down(given[0])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    prepare(parser.parse_args().threads)
    turbo = Turbo(TURBO, CACHE, shipped_weights("flux_guided"))
    turbo.resume()
    turbo.run(save_every=50)


if __name__ == "__main__":
    main()
