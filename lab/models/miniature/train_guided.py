"""Teach the shipped Flux guidance, as FLUX.1-dev has it.

python -m lab.models.miniature.train_guided

First the shipped weights learn the empty prompt, which they never saw. Those then teach a copy of
theirs: its velocity under guidance g is what they say without a prompt plus g times what the prompt
changes (Meng et al. 2023, arXiv 2210.03142). So the number that a workflow hands on as guidance
sharpens the picture at one call a step, and bends its trajectory.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file

from lab.models.miniature.codec import Codec, read_codec
from lab.models.miniature.export import WEIGHTS
from lab.models.miniature.fetch import CACHE
from lab.models.miniature.models import build, prepare
from lab.models.miniature.train import WIDE, Recipe, Trainer, draw_sigmas

STRONGEST = 5.0
TEACHER = Recipe(
    "flux",
    seed=7,
    steps=600,
    cooldown=0.3,
    rate=3e-4,
    warmup=50,
    ema=0.99,
    widths=((0, WIDE),),
    dropout=0.15,
    name="flux_teacher",
)
STUDENT = Recipe(
    "flux",
    seed=8,
    steps=600,
    cooldown=0.3,
    rate=4e-4,
    warmup=50,
    ema=0.99,
    widths=((0, WIDE),),
    name="flux_guided",
)


class Continued(Trainer):
    """Begins with given weights, in the latents of the shipped autoencoder."""

    def __init__(self, recipe: Recipe, folder: Path, weights: dict[str, torch.Tensor]) -> None:
        super().__init__(recipe, folder)
        self.model.load_state_dict(weights)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}

    def find_codec(self) -> Codec:
        path = WEIGHTS / "vae" / f"miniature_{self.recipe.model}_vae.safetensors"
        return read_codec(load_file(path))


class Student(Continued):
    """Learns its teacher's guidance; the teacher is where it begins."""

    def __init__(self, recipe: Recipe, folder: Path, weights: dict[str, torch.Tensor]) -> None:
        super().__init__(recipe, folder, weights)
        self.teacher = build(recipe.model).eval().requires_grad_(False)
        self.teacher.load_state_dict(weights)

    def velocity_loss(self, size: int, count: int) -> torch.Tensor:
        """Mean squared error, divided by the guidance: strong guidance has larger numbers."""
        self.pictures.width = self.recipe.width(self.step)
        pictures, prompts = self.pictures.draw(count, size)
        clean = self.codec.encode(pictures)
        noise = torch.randn(clean.shape, generator=self.generator)
        sigma = draw_sigmas(self.recipe, count, self.generator)
        grid = sigma.view(-1, 1, 1, 1)
        noisy = grid * noise + (1 - grid) * clean
        guidance = 1 + torch.rand(count, generator=self.generator) * (STRONGEST - 1)
        target = self.guided(noisy, sigma, prompts, guidance.view(-1, 1, 1, 1))
        context, pooled = self.encode(prompts)
        with torch.autocast("cpu", torch.bfloat16):
            velocity = self.model(noisy, sigma, context=context, y=pooled, guidance=guidance)
        error = (velocity.float() - target).square().mean((1, 2, 3))
        return (error / guidance).mean()

    @torch.no_grad()
    def guided(
        self,
        noisy: torch.Tensor,
        sigma: torch.Tensor,
        prompts: list[str],
        guidance: torch.Tensor,
    ) -> torch.Tensor:
        """The teacher's velocity, guided by two calls."""
        (context, pooled), (empty, none) = self.encode(prompts), self.encode([""] * len(prompts))
        number = torch.full((len(prompts),), 3.5)  # has no effect on the teacher
        with torch.autocast("cpu", torch.bfloat16):
            said = self.teacher(noisy, sigma, context=context, y=pooled, guidance=number)
            unsaid = self.teacher(noisy, sigma, context=empty, y=none, guidance=number)
        return unsaid.float() + guidance * (said.float() - unsaid.float())

    def record(self) -> dict[str, object]:
        return {**super().record(), "teacher": asdict(TEACHER)}


def shipped_weights(model: str) -> dict[str, torch.Tensor]:
    shipped = load_file(WEIGHTS / "diffusion_models" / f"miniature_{model}.safetensors")
    return {k.replace("_norm.scale", "_norm.weight"): v.float() for k, v in shipped.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    prepare(parser.parse_args().threads)
    teacher = Continued(TEACHER, CACHE, shipped_weights("flux"))
    teacher.resume()
    teacher.run(save_every=50)
    student = Student(STUDENT, CACHE, teacher.average)
    student.resume()
    student.run(save_every=50)


if __name__ == "__main__":
    main()
