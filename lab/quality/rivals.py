"""The ways to sample that RALU is compared with, on the host calls that RALU itself uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from lab.comfy import ralu_pack
from lab.quality.subject import SEED, SIDE, Pair, Subject


@dataclass(frozen=True)
class Batch:
    """Pictures that are sampled together; each one's noise depends on its number alone.

    base     latents (B, 16, H, W) that are sampled again; None samples from noise.
    denoise  how much of them, as a KSampler's.
    masked   whether only their middle is, as a LATENT's noise_mask says it.
    """

    subject: Subject
    pairs: Sequence[Pair]
    base: torch.Tensor | None = None
    denoise: float = 1.0
    masked: bool = False

    @property
    def latent(self) -> dict:
        side = SIDE // 8
        numbers = [pair.number for pair in self.pairs]
        empty = torch.zeros(len(numbers), 16, side, side)
        latent = {"samples": empty if self.base is None else self.base, "batch_index": numbers}
        return {**latent, "noise_mask": middle(SIDE)} if self.masked else latent

    @property
    def guider(self) -> Any:
        return self.subject.guider([pair.prompt for pair in self.pairs])

    def noise(self, latent: dict, seed: int = SEED) -> torch.Tensor:
        """The noise that a KSampler with this seed draws."""
        import comfy.sample

        noise = comfy.sample.prepare_noise(latent["samples"], seed, latent["batch_index"])
        assert isinstance(noise, torch.Tensor)  # nested for latents of videos only
        return noise

    def fresh_noise(self, stream: int) -> torch.Tensor:
        """Full-size noise for the change of size number `stream`."""
        numbers = [pair.number for pair in self.pairs]
        white_noise = ralu_pack.noise.white_noise
        return white_noise((16, SIDE // 8, SIDE // 8), SEED, numbers, stream)

    def stages(self, plan: Any):
        """The pack's own way to call the host."""
        import comfy.samplers

        guider, facts = self.guider, self.subject.facts
        return ralu_pack.stages.GuiderStages(
            guider=guider,
            sampler=ralu_pack.own_steps.sampler_for(plan, comfy.samplers.sampler_object("euler")),
            conds=guider.original_conds,
            family=facts.family,
            latent=self.latent["samples"],
            mask=None,
            seed=SEED,
            watch=ralu_pack.watch.Watch(self.subject.patcher, facts.space),
            plan=plan,
        )

    def sample(self, plan: Any, choose_regions: Callable | None = None) -> torch.Tensor:
        """The latents of a plan, made by the pack's own copy of the plans.

        choose_regions  as `run_plan` takes it; only a plan with a mixed stage needs one.
        """
        sampler = ralu_pack.sampler
        source = sampler.Source.from_noise(self.noise(self.latent))
        choose = choose_regions or _no_regions
        return sampler.run_plan(plan, source, self.stages(plan), choose, self.fresh_noise).x

    def sigmas(self, steps: int) -> list[float]:
        """The noise levels of a KSampler, "simple" schedule: steps + 1, falling to 0."""
        import comfy.samplers

        model, device = self.subject.patcher, torch.device("cpu")
        wanted = comfy.samplers.KSampler(
            model, steps, device, "euler", "simple", self.denoise, model.model_options
        )
        return wanted.sigmas.tolist()


def middle(side: int) -> torch.Tensor:
    """(1, 1, side, side), 1 in the middle half of a square picture each way, else 0."""
    edge = side // 4
    return F.pad(torch.ones(1, 1, side - 2 * edge, side - 2 * edge), (edge,) * 4)


def plain(batch: Batch, steps: int, sampler: Any = None, seed: int = SEED) -> torch.Tensor:
    """A KSampler: steps at full size, Euler's unless a SAMPLER is given."""
    import comfy.samplers

    latent = batch.latent
    return batch.guider.sample(
        batch.noise(latent, seed),
        latent["samples"],
        sampler or comfy.samplers.sampler_object("euler"),
        torch.tensor(batch.sigmas(steps)),
        denoise_mask=latent.get("noise_mask"),
        disable_pbar=True,
        seed=seed,
    )


def naive(batch: Batch, low: int, high: int, fresh: bool) -> torch.Tensor:
    """Two sizes on the MODEL's own schedule of low + high steps; fresh as `two_sizes` takes it."""
    levels = batch.sigmas(low + high)
    plan = ralu_pack.plans.two_sizes(batch.subject.shift, (low, high), fresh=fresh, sigmas=levels)
    return batch.sample(plan)


def bottleneck(
    batch: Batch, first: int, low: int, high: int, turn: float, jump: float
) -> torch.Tensor:
    """Bottleneck Sampling; turn and jump as the plan takes them."""
    shift, steps = batch.subject.shift, (first, low, high)
    return batch.sample(ralu_pack.plans.bottleneck(shift, steps, turn=turn, jump=jump))


def _no_regions(_end: Any, _ratio: float) -> torch.Tensor:
    raise ValueError("This plan has a mixed stage: pass choose_regions.")
