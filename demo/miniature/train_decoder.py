"""Train the decoder of the miniatures' autoencoder: python -m demo.miniature.train_decoder."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass

import torch

from demo.miniature.codec import CHANNELS, SQUASH, Codec
from demo.miniature.fetch import CACHE, fetch_emoji
from demo.miniature.models import prepare
from demo.miniature.pictures import Pictures, Width
from demo.miniature.train import load_codec


@dataclass(frozen=True)
class Recipe:
    seed: int = 1
    steps: int = 6500
    rate: float = 1e-3
    crop: int = 96
    count: int = 4
    noise: float = 0.05


def build_decoder() -> torch.nn.Module:
    from comfy.taesd.taesd import Decoder

    decoder = Decoder(CHANNELS)
    for layer in decoder.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.reset_parameters()
    with torch.no_grad():
        decoder.get_parameter("1.weight").div_(SQUASH)
    return decoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1]."""
    return float(-10 * (a.clamp(0, 1) - b).square().mean().log10())


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    prepare(options.threads)
    recipe, codec, path = Recipe(), load_codec(), CACHE / "decoder.pt"
    torch.manual_seed(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    wide = Width(scale=(0.6, 1.0), shift=0.1, rotation=30, light=0.15, gradient=0.4)
    pictures = Pictures(fetch_emoji(), wide, generator)
    decoder = build_decoder()
    optimizer = torch.optim.AdamW(decoder.parameters(), betas=(0.9, 0.98), fused=True)
    step, seconds = 0, 0.0
    if path.exists():
        state = torch.load(path)
        decoder.load_state_dict(state["decoder"])
        optimizer.load_state_dict(state["optimizer"])
        step, seconds = state["counts"]
        generator.manual_seed(recipe.seed + step)
    held_out, _ = Pictures(fetch_emoji(), wide, torch.Generator().manual_seed(99)).draw(4, 256)
    while step < recipe.steps:
        start = time.time()
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * min(1, (step + 1) / 100) * (1 - step / recipe.steps)
        latents, target = draw_crops(pictures, codec, recipe)
        with torch.autocast("cpu", torch.bfloat16):
            drawn = decoder(latents)
        error = drawn.float() - target
        loss = error.square().mean() + 0.02 * error.abs().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizer.step()
        step, seconds = step + 1, seconds + time.time() - start
        if step % 100 == 0:
            with torch.no_grad():
                level = psnr(decoder(SQUASH * codec.encode(held_out)), held_out)
            print(
                f"{step} loss {loss.item():.5f} held-out {level:.2f} dB {seconds:.0f} s", flush=True
            )
            state = {
                "decoder": decoder.state_dict(),
                "optimizer": optimizer.state_dict(),
                "counts": (step, seconds),
            }
            torch.save(state, path.with_suffix(".part"))
            os.replace(path.with_suffix(".part"), path)


if __name__ == "__main__":
    main()
