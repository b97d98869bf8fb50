"""Teach SD3 to draw in four steps without guidance, as a Lightning LoRA does.

python -m lab.models.miniature.train_lightning

SD3 draws a picture in many guided steps, of two calls each. Its way is cut in four, evenly as four
steps at its shift cut it, and a LoRA learns the straight way through each part (piecewise rectified
flow, Yan et al. 2024, arXiv 2405.07510). So it is made for four steps, which begin where parts do:
as Lightning and Hyper LoRAs are, other numbers of steps lie between what it learnt.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from lab.models.miniature.low_rank import LEARNT, LowRank, train
from lab.models.miniature.models import KINDS
from ralu_core import Source, sample
from ralu_core.latents.flow import shift_sigma
from ralu_core.plans import plain

GUIDANCE, SHIFT = 4.0, 3.0
PARTS, STEPS_EACH = 4, 3
LIGHTNING = LEARNT("sd3", seed=10, steps=3000, name="sd3_lightning")


class Lightning(LowRank):
    """Learns the straight ways through the parts of SD3's guided ones."""

    teacher = "sd3"
    counts = {128: 1536, 256: 480}

    @torch.no_grad()
    def many_steps(
        self, teacher: torch.nn.Module, noise: torch.Tensor, prompts: list[str]
    ) -> torch.Tensor:
        """(B, PARTS + 1, 16, H, W): latents where the parts begin, and the clean ones."""
        context, pooled = self.encode([*prompts, *[""] * len(prompts)])
        seen: list[torch.Tensor] = []

        def denoise(x: torch.Tensor, sigma: float, _layout: object) -> torch.Tensor:
            seen.append(x)
            now = torch.full((2 * len(x),), KINDS["sd3"].time * sigma)
            said, unsaid = teacher(torch.cat([x, x]), now, context=context, y=pooled).chunk(2)
            return x - sigma * (unsaid + GUIDANCE * (said - unsaid))

        plan = plain(SHIFT, (PARTS * STEPS_EACH,), order=2)
        clean = sample(denoise, None, Source.from_noise(noise), plan, seed=0).x
        return torch.stack([*seen[::STEPS_EACH], clean], 1)

    def velocity_loss(self, size: int, count: int) -> torch.Tensor:
        _, ways, words = self.pairs[size]
        which = torch.randint(len(words), (count,), generator=self.generator)
        part = torch.randint(PARTS, (count,), generator=self.generator)
        from_level, to_level = level(part), level(part + 1)
        share = torch.rand(count, generator=self.generator)
        sigma = to_level + share * (from_level - to_level)
        begin, end = ways[which, part], ways[which, part + 1]
        noisy = torch.lerp(end, begin, share.view(-1, 1, 1, 1))
        straight = (begin - end) / (from_level - to_level).view(-1, 1, 1, 1)
        context, pooled = self.encode([words[one] for one in which.tolist()])
        time = KINDS["sd3"].time * sigma
        return F.mse_loss(self.model(noisy, time, context=context, y=pooled), straight)

    def record(self) -> dict[str, object]:
        how = {"guidance": GUIDANCE, "parts": PARTS, "steps of each": STEPS_EACH}
        return {**super().record(), **how}


def level(part: torch.Tensor) -> torch.Tensor:
    """Sigma where a part begins."""
    return shift_sigma(SHIFT, 1 - part / PARTS)


if __name__ == "__main__":
    train(Lightning, LIGHTNING, __doc__ or "")
