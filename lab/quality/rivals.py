"""The ways to sample that RALU is compared with, on the host calls that RALU itself uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from lab.comfy import ralu_pack
from lab.quality.subject import SEED, SIDE, Pair, Subject


@dataclass(frozen=True)
class Batch:
    """Pictures that are sampled together; each one's noise depends on its number alone."""

    subject: Subject
    pairs: Sequence[Pair]

    @property
    def latent(self) -> dict:
        side = SIDE // 8
        numbers = [pair.number for pair in self.pairs]
        return {"samples": torch.zeros(len(numbers), 16, side, side), "batch_index": numbers}

    @property
    def guider(self) -> Any:
        return self.subject.guider([pair.prompt for pair in self.pairs])

    def noise(self, latent: dict) -> torch.Tensor:
        """The noise that a KSampler with this seed draws."""
        import comfy.sample

        noise = comfy.sample.prepare_noise(latent["samples"], SEED, latent["batch_index"])
        assert isinstance(noise, torch.Tensor)  # nested for latents of videos only
        return noise

    def fresh_noise(self, stream: int) -> torch.Tensor:
        """Full-size noise for the change of size number `stream`."""
        numbers = [pair.number for pair in self.pairs]
        white_noise = ralu_pack.noise.white_noise
        return white_noise((16, SIDE // 8, SIDE // 8), SEED, numbers, stream)

    def stages(self, steps: int):
        """The pack's own way to call the host, at any size of latent."""
        import comfy.samplers

        guider = self.guider
        return ralu_pack.stages.GuiderStages(
            guider=guider,
            sampler=comfy.samplers.sampler_object("euler"),
            conds=guider.original_conds,
            latent=self.latent["samples"],
            mask=None,
            seed=SEED,
            progress=ralu_pack.progress.Progress(self.subject.patcher, steps),
        )

    def sigmas(self, steps: int) -> list[float]:
        """The MODEL's own noise levels, ComfyUI's "simple" schedule: steps + 1, falling to 0."""
        import comfy.samplers

        sampling = self.subject.patcher.get_model_object("model_sampling")
        return comfy.samplers.calculate_sigmas(sampling, "simple", steps).tolist()

    def levels(self, start: float, end: float, steps: int) -> list[float]:
        """steps + 1 noise levels from start to end, even before the MODEL's shift."""
        shift_sigma, shift = ralu_pack.flow.shift_sigma, self.subject.shift
        first, last = (shift_sigma(1 / shift, sigma) for sigma in (start, end))
        inner = (first + (last - first) * i / steps for i in range(1, steps))
        return [start, *(shift_sigma(shift, sigma) for sigma in inner), end]


def plain(batch: Batch, steps: int) -> torch.Tensor:
    """A KSampler: Euler steps at full size."""
    import comfy.samplers

    latent = batch.latent
    return batch.guider.sample(
        batch.noise(latent),
        latent["samples"],
        comfy.samplers.sampler_object("euler"),
        torch.tensor(batch.sigmas(steps)),
        disable_pbar=True,
        seed=SEED,
    )


def naive(batch: Batch, low: int, high: int, fresh: bool) -> torch.Tensor:
    """Two sizes on one schedule of low + high steps, the first `low` of them at half size.

    fresh  False repeats every latent pixel of the noisy state and goes on at the same noise
           level. True enlarges the clean estimate (bicubic) and adds new noise of that level, as
           the usual second pass over an enlarged latent does.
    """
    tokens = ralu_pack.tokens
    levels, run = batch.sigmas(low + high), batch.stages(low + high)
    start = tokens.pick(batch.noise(batch.latent))
    end = _run(run, 0, levels[: low + 1], start)
    if fresh:
        clean = F.interpolate(end.denoised, scale_factor=2, mode="bicubic")
        x = _noised(clean, batch.fresh_noise(1), levels[low])
    else:
        x = tokens.spread(end.x)
    return _run(run, 2, levels[low:], x).x


def bottleneck(
    batch: Batch, first: int, low: int, high: int, turn: float, jump: float
) -> torch.Tensor:
    """Bottleneck Sampling (Tian et al. 2025, arXiv 2503.18940): full, half, then full size.

    first, low and high steps. The first two run down to sigma `turn`. At both changes of size
    the clean estimate is resized and new noise is added: of the same level on the way down, and
    of a level `jump` times higher in sigma / (1 - sigma) on the way up, where the last stage then
    starts. Each stage spreads its steps by the MODEL's shift.
    """
    tokens = ralu_pack.tokens
    levels, run = batch.levels(1.0, turn, first + low), batch.stages(first + low + high)
    noise = batch.noise(batch.latent)
    end = _run(run, 2, levels[: first + 1], noise)
    small = F.avg_pool2d(end.denoised, 2)
    x = _noised(small, tokens.pick(batch.fresh_noise(1)), levels[first])
    end = _run(run, 0, levels[first:], x)
    again = ralu_pack.flow.stage_start(jump, turn)
    clean = F.interpolate(end.denoised, scale_factor=2, mode="bicubic")
    x = _noised(clean, batch.fresh_noise(2), again)
    return _run(run, 2, batch.levels(again, 0.0, high), x).x


def _run(run: Any, index: int, levels: list[float], x: torch.Tensor):
    """The end of a stage that begins with x."""
    sampler = ralu_pack.sampler
    stage = sampler.Stage(index, levels, torch.zeros_like(x), torch.zeros_like(x))
    return run(stage, sampler.Start(x))


def _noised(clean: torch.Tensor, noise: torch.Tensor, sigma: float) -> torch.Tensor:
    return sigma * noise + (1 - sigma) * clean
