"""Train the decoder of the miniatures' autoencoder.

python -m lab.models.miniature.train_decoder
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from lab.models.miniature.codec import CHANNELS, SQUASH, Codec
from lab.models.miniature.fetch import CACHE, fetch_emoji
from lab.models.miniature.models import prepare
from lab.models.miniature.pictures import Pictures, Width
from lab.models.miniature.train import load_codec
from lab.models.viewing import psnr

WIDE = Width(scale=(0.6, 1.0), shift=0.1, rotation=30, light=0.15, gradient=0.4)


@dataclass(frozen=True)
class Recipe:
    seed: int = 1
    steps: int = 6500
    rate: float = 1e-3
    crop: int = 96
    count: int = 4
    noise: float = 0.05
    width: Width = WIDE


def build_decoder() -> torch.nn.Module:
    from comfy.taesd.taesd import Decoder

    decoder = Decoder(CHANNELS)
    for layer in decoder.modules():
        if isinstance(layer, torch.nn.Conv2d):
            # ComfyUI's own layers skip the initialisation of the class they derive from.
            torch.nn.Conv2d.reset_parameters(layer)
    with torch.no_grad():
        decoder.get_parameter("1.weight").div_(SQUASH)
    return decoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def draw_crops(
    pictures: Pictures, codec: Codec, recipe: Recipe
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy scaled latents and the pictures they stand for."""
    size = (128, 256, 256)[int(pictures.uniform(1, 0, 3))]
    whole, _ = pictures.draw(recipe.count, size)
    top, left = (8 * int(pictures.uniform(1, 0, (size - recipe.crop) / 8 + 1)) for _ in range(2))
    target = whole[:, :, top : top + recipe.crop, left : left + recipe.crop]
    latents = codec.encode(target)
    latents = latents + recipe.noise * torch.randn(latents.shape, generator=pictures.generator)
    return (SQUASH * latents).contiguous(memory_format=torch.channels_last), target


class Trainer:
    """Decoder, optimizer and counts: all that a checkpoint holds."""

    def __init__(self, recipe: Recipe, path: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.path, self.codec = recipe, path, load_codec()
        self.decoder = build_decoder()
        self.optimizer = torch.optim.AdamW(self.decoder.parameters(), betas=(0.9, 0.98), fused=True)
        self.step, self.seconds = 0, 0.0
        if path.exists():
            state = torch.load(path)
            self.decoder.load_state_dict(state["decoder"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["counts"]
        generator = torch.Generator().manual_seed(recipe.seed + self.step)
        self.pictures = Pictures(fetch_emoji(), recipe.width, generator)
        fresh = torch.Generator().manual_seed(99)
        self.held_out, _ = Pictures(fetch_emoji(), recipe.width, fresh).draw(4, 256)

    def train_step(self) -> None:
        start, recipe = time.time(), self.recipe
        for group in self.optimizer.param_groups:
            warm = min(1.0, (self.step + 1) / 100)
            group["lr"] = recipe.rate * warm * (1 - self.step / recipe.steps)
        latents, target = draw_crops(self.pictures, self.codec, recipe)
        with torch.autocast("cpu", torch.bfloat16):
            drawn = self.decoder(latents)
        error = drawn.float() - target
        loss = error.square().mean() + 0.02 * error.abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.seconds += time.time() - start

    @torch.no_grad()
    def report(self) -> None:
        made = self.decoder(SQUASH * self.codec.encode(self.held_out)).clamp(0, 1)
        level = psnr(made[None], self.held_out[None]).item()  # of all pictures as one
        print(f"{self.step} held-out {level:.2f} dB {self.seconds:.0f} s", flush=True)

    def save(self) -> None:
        state = {
            "decoder": self.decoder.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "counts": (self.step, self.seconds),
        }
        torch.save(state, self.path.with_suffix(".part"))
        os.replace(self.path.with_suffix(".part"), self.path)

    def run(self) -> None:
        while self.step < self.recipe.steps:
            self.train_step()
            if self.step % 100 == 0:
                self.report()
                self.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    prepare(parser.parse_args().threads)
    Trainer(Recipe(), CACHE / "decoder.pt").run()


if __name__ == "__main__":
    main()
