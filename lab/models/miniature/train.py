"""Train a miniature text-to-image model: python -m lab.models.miniature.train flux."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F

from lab.models.miniature.codec import Codec, fit_codec
from lab.models.miniature.fetch import CACHE, fetch_emoji
from lab.models.miniature.models import KINDS, build, prepare
from lab.models.miniature.pictures import Pictures, Width
from lab.models.miniature.text_encoding import encode_prompt

SHIFT = 3.0


@dataclass(frozen=True)
class Recipe:
    """sigma is mean and spread of the logit-normal draw: larger than the usual 0 and 1, because
    the layout of these small pictures is settled above sigma 0.9 and their detail below 0.5.
    batches (pixels, count) take turns; widths (from step, width) follow one another. cooldown is
    the share of steps over which the rate falls to zero, dropout that of empty prompts. name is
    that of the checkpoint, where it is not the model's.
    """

    model: str = "flux"
    seed: int = 0
    steps: int = 8000
    cooldown: float = 0.35
    rate: float = 1.2e-3
    warmup: int = 100
    ema: float = 0.999
    sigma: tuple[float, float] = (0.5, 1.4)
    batches: tuple[tuple[int, int], ...] = ((128, 24), (256, 8))
    widths: tuple[tuple[int, Width], ...] = ((0, Width()),)
    dropout: float = 0.0
    name: str = ""

    def width(self, step: int) -> Width:
        return [width for start, width in self.widths if start <= step][-1]


def learning_rate(recipe: Recipe, step: int) -> float:
    """Constant after a linear warm-up, then linear to zero over the last `cooldown` share."""
    left = (recipe.steps - step) / (recipe.cooldown * recipe.steps)
    return recipe.rate * min(1.0, (step + 1) / recipe.warmup, max(left, 0.0))


def draw_sigmas(recipe: Recipe, count: int, generator: torch.Generator) -> torch.Tensor:
    """Logit-normal, then moved towards noise by SHIFT."""
    mean, spread = recipe.sigma
    sigma = (mean + spread * torch.randn(count, generator=generator)).sigmoid()
    return SHIFT * sigma / (1 + (SHIFT - 1) * sigma)


class Trainer:
    """Model, running average, optimizer and random state: all that a checkpoint holds."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.folder = recipe, folder
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.pictures = Pictures(fetch_emoji(), recipe.width(0), self.generator)
        self.codec = self.find_codec()
        self.model = build(recipe.model)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        self.step, self.seconds, self.loss = 0, 0.0, 0.0
        self.history: list[tuple[int, int, float]] = []
        self.words: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    @property
    def path(self) -> Path:
        return self.folder / f"{self.recipe.name or self.recipe.model}.pt"

    def find_codec(self) -> Codec:
        return load_codec()

    def encode(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        for prompt in prompts:
            if prompt not in self.words:
                self.words[prompt] = encode_prompt(prompt)
        pairs = [self.words[prompt] for prompt in prompts]
        return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])

    def velocity_loss(self, size: int, count: int) -> torch.Tensor:
        self.pictures.width = self.recipe.width(self.step)
        pictures, prompts = self.pictures.draw(count, size)
        dropped = torch.rand(count, generator=self.generator) < self.recipe.dropout
        prompts = ["" if drop else p for p, drop in zip(prompts, dropped.tolist(), strict=True)]
        clean = self.codec.encode(pictures)
        noise = torch.randn(clean.shape, generator=self.generator)
        sigma = draw_sigmas(self.recipe, count, self.generator)
        grid = sigma.view(-1, 1, 1, 1)
        context, pooled = self.encode(prompts)
        # The guidance number has no effect to learn: what counts is that any value is harmless.
        guidance = torch.rand(count, generator=self.generator) * 5 + 1
        noisy, time = grid * noise + (1 - grid) * clean, KINDS[self.recipe.model].time * sigma
        with torch.autocast("cpu", torch.bfloat16):
            velocity = self.model(noisy, time, context=context, y=pooled, guidance=guidance)
        return F.mse_loss(velocity.float(), noise - clean)

    def train_step(self) -> None:
        start = time.time()
        size, count = self.recipe.batches[self.step % len(self.recipe.batches)]
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.step)
        loss = self.velocity_loss(size, count)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        keep = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - keep)
        self.step += 1
        self.loss += (loss.item() - self.loss) / min(self.step, 200)
        self.seconds += time.time() - start

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "counts": (self.step, self.seconds, self.loss),
            "record": self.record(),
        }
        torch.save(state, self.path.with_suffix(".part"))
        os.replace(self.path.with_suffix(".part"), self.path)

    def record(self) -> dict[str, object]:
        """What the model card needs: recipe, hardware, time and loss so far."""
        return {
            "recipe": asdict(self.recipe),
            "steps": self.step,
            "seconds": round(self.seconds),
            "hardware": f"{torch.get_num_threads()} thread(s), bfloat16 autocast, torch "
            + torch.__version__,
            "loss": self.history,
            "loss columns": ["step", "seconds", "mean of the last 200 steps"],
        }

    def resume(self) -> None:
        if not self.path.exists():
            return
        state = torch.load(self.path)
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.step, self.seconds, self.loss = state["counts"]
        self.history = state.get("record", {}).get("loss", [])

    def run(self, save_every: int = 100) -> None:
        while self.step < self.recipe.steps:
            self.train_step()
            if self.step % 1000 == 0 or self.step == self.recipe.steps:
                self.history.append((self.step, round(self.seconds), round(self.loss, 4)))
            if self.step % 50 == 0:
                print(f"{self.step} loss {self.loss:.4f} {self.seconds:.0f} s", flush=True)
            if self.step % save_every == 0:
                self.save()
        self.save()


def load_codec() -> Codec:
    """The codec fitted once on the widest distribution and kept beside the checkpoints."""
    path = CACHE / "codec.pt"
    if not path.exists():
        wide = Width(scale=(0.6, 1.0), shift=0.1, rotation=20, light=0.1, gradient=0.3)
        pictures = Pictures(fetch_emoji(), wide, torch.Generator().manual_seed(0))
        batches = [pictures.draw(64, size)[0] for size in (128, 256) for _ in range(4)]
        torch.save(asdict(fit_codec(batches)), path)
    return Codec(**torch.load(path))


NARROW = Width(scale=(0.85, 0.97), shift=0.03)
STILL = replace(NARROW, mirror=0)
SHADED = replace(NARROW, light=0.1, gradient=0.3)
# Mirrored pictures are left out: without guidance, small models draw both sides at once.
WIDE = Width(scale=(0.75, 0.98), mirror=0, rotation=8, light=0.1, gradient=0.3, texture=0.15)
RECIPES = {
    "flux": Recipe(
        "flux",
        steps=17000,
        widths=((0, Width()), (2000, NARROW), (3700, STILL), (8000, SHADED), (10000, WIDE)),
    ),
    "sd3": Recipe("sd3", steps=12000, widths=((0, STILL), (4000, WIDE)), dropout=0.1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=list(RECIPES))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    prepare(options.threads)
    trainer = Trainer(RECIPES[options.model], CACHE)
    trainer.resume()
    trainer.run()


if __name__ == "__main__":
    main()
