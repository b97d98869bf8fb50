"""Teach the guided Flux to draw in four steps, as a Turbo LoRA does.

python -m lab.models.miniature.train_turbo

The guided Flux draws pictures in many steps. Those lie at the ends of bent ways; a LoRA learns the
straight ones, the velocity from each picture to the noise that it was drawn from (reflow, Liu et
al. 2022, arXiv 2209.03003). So what its few steps draw is the picture of the same seed in many.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from lab.models.miniature.low_rank import LEARNT, LowRank, train
from lab.models.miniature.train import draw_sigmas
from ralu_core import Source, sample
from ralu_core.plans import CONDITIONED_TIMES, named_plan

GUIDANCE = 3.5
PLAN, SHIFT = f"early second order 10, from {CONDITIONED_TIMES:g} times the shift", 3.0
TURBO = LEARNT("flux", seed=9, steps=1200, name="flux_turbo")


class Turbo(LowRank):
    """Learns straight ways from noise to what the guided Flux draws of it."""

    teacher = "flux_guided"
    counts = {128: 2304, 256: 1152}

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
        return {**super().record(), "guidance": GUIDANCE, "plan": PLAN}


if __name__ == "__main__":
    train(Turbo, TURBO, __doc__ or "")
