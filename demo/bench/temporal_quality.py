"""What skipping costs in pictures: the miniature Flux, distance against counted FLOPs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from demo.bench.pack import load
from demo.bench.tables import markdown
from demo.miniature.comfy_pack.text import encode_prompts
from demo.miniature.pictures import list_emoji

WEIGHTS = Path(__file__).resolve().parents[1] / "miniature" / "weights"
SIDE, SHIFT, REFERENCE_STEPS, PER_BATCH = 256, 3.158193, 50, 8
LINEAR = 24  # FLOPs per token, block and width squared, as in ralu_core.cost


@dataclass(frozen=True)
class Run:
    """steps > 0: plain Euler steps, else RALU 5x; settings of the acceleration, None without."""

    name: str
    steps: int = 0
    settings: dict | None = None


@dataclass(frozen=True)
class Outcome:
    """Means over pictures. share: FLOPs of the plain 50 steps; PSNR in dB.

    to_plain  to the plain 50 steps from the same noise.
    to_base   to the same run without acceleration; None without one.
    """

    name: str
    share: float
    to_plain: float
    to_base: float | None


class Miniature:
    """The shipped Flux (or weights of the same shape) in ComfyUI, its prompts and noise."""

    def __init__(self, weights: Path | None = None):
        import comfy.sd

        from demo import tiny

        path = weights or WEIGHTS / "diffusion_models" / "miniature_flux.safetensors"
        self.patcher = tiny.load_model(load_file(path))
        vae = WEIGHTS / "vae" / "miniature_flux_vae.safetensors"
        self.vae = comfy.sd.VAE(sd=load_file(vae))

    def pictures(self, run: Run, prompts: list[str], seed: int) -> tuple[torch.Tensor, float]:
        """(B, 256, 256, 3) pictures, and the FLOPs that the network's blocks ran."""
        patcher = self.patcher
        if run.settings is not None:
            settings = load("nodes.host.temporal.settings").Settings(**run.settings)
            patcher = load("nodes.host.temporal.attach").accelerate(patcher, settings)
        with torch.inference_mode(), block_flops(self.patcher) as flops:
            latents = self._latents(patcher, run, prompts, seed)
            return self.vae.decode(latents).float(), sum(flops)

    def _latents(self, patcher, run: Run, prompts: list[str], seed: int) -> torch.Tensor:
        import comfy.samplers

        guider = comfy.samplers.CFGGuider(patcher)
        context, pooled = encode_prompts(prompts)
        conditioning = [[context, {"pooled_output": pooled, "guidance": 3.5}]]
        guider.set_conds(conditioning, conditioning)
        guider.set_cfg(1.0)
        sampler = comfy.samplers.sampler_object("euler")
        latent = torch.zeros(len(prompts), 16, SIDE // 8, SIDE // 8)
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
        if run.steps:
            sampling = patcher.get_model_object("model_sampling")
            sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", run.steps)
            return guider.sample(noise, latent, sampler, sigmas, disable_pbar=True, seed=seed)
        host, presets = load("nodes.host.run"), load("ralu_core.presets")
        schedule = presets.matched_schedule(presets.preset("FLUX 5x"), SHIFT)
        wires = host.Wires(
            guider, sampler, {"samples": latent}, self.vae, lambda _latent: noise, seed
        )
        return host.sample(wires, host.Settings(schedule)).samples


@contextmanager
def block_flops(patcher: Any) -> Iterator[list[float]]:
    """FLOPs of every block call while open, by the tokens that passed it.

    Where some tokens pass, they attend to all; a run's token counts never fall from stage to stage.
    """
    network, found, most = patcher.model.diffusion_model, [], [0]
    width = network.hidden_size

    def note(_block, args, kwargs):
        parts = [kwargs["img"], kwargs["txt"]] if "img" in kwargs else [args[0]]
        tokens = sum(part.shape[1] for part in parts)
        most[0] = max(most[0], tokens)
        flops = LINEAR * width**2 * tokens + 4 * width * tokens * most[0]
        found.append(parts[0].shape[0] * flops)

    blocks = [*network.double_blocks, *network.single_blocks]
    handles = [block.register_forward_pre_hook(note, with_kwargs=True) for block in blocks]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def runs() -> list[Run]:
    """Plain steps first; every acceleration alone over 50 steps, and inside RALU 5x."""
    plain = [Run(f"plain {n} steps", n) for n in (REFERENCE_STEPS, 28, 20, 14, 10, 8, 7, 6)]
    taylor = [
        {"interval": n, "order": o, "warm_up": w}
        for n, o, w in (
            (2, 0, 2), (2, 1, 2), (2, 2, 2), (2, 1, 1), (3, 0, 2), (3, 1, 2), (3, 2, 2), (3, 1, 3),
            (3, 2, 3), (4, 1, 2), (4, 1, 3),
        )
    ]  # fmt: skip
    others = [
        {"method": "Delta-DiT", "interval": 2, "warm_up": 1, "range_start": 1 / 3},
        {"method": "Delta-DiT", "interval": 2, "warm_up": 1},
        {"method": "ToCa", "interval": 2, "warm_up": 2},
        {"method": "ToCa", "interval": 3, "warm_up": 2},
        {"method": "ToCa", "interval": 3, "warm_up": 3},
        *({"method": "TeaCache", "threshold": t} for t in (0.1, 0.2, 0.3, 0.5)),
    ]
    staged = [Run(f"RALU 5x, {words(one)}", 0, one) for one in (*taylor, *others)]
    alone = [
        Run(f"50 steps, {words(one)}", REFERENCE_STEPS, one)
        for one in (
            *({"interval": n, "order": o, "warm_up": 3} for n in (3, 5, 7) for o in (0, 1, 2)),
            {"method": "ToCa", "interval": 4, "warm_up": 3},
            *({"method": "TeaCache", "threshold": t} for t in (0.1, 0.2, 0.4)),
        )
    ]
    return [*plain, Run("RALU 5x"), *staged, *alone]


def words(settings: dict) -> str:
    short = {"interval": "N", "order": "O", "warm_up": "W", "threshold": "delta"}
    numbers = [f"{short[k]}={v:g}" for k, v in settings.items() if k in short]
    ranged = ["single blocks"] if "range_start" in settings else []
    return ", ".join([settings.get("method", "TaylorSeer"), *numbers, *ranged])


def measure(prompts: int, seeds: int, weights: Path | None = None) -> Iterator[Outcome]:
    """Every run on the same prompts and noise, as they finish."""
    miniature = Miniature(weights)
    names = [emoji.name for emoji in list_emoji()]
    names = [names[k * len(names) // prompts] for k in range(prompts)]
    batches = [
        (names[start : start + PER_BATCH], 1000 * seed + start)
        for seed in range(seeds)
        for start in range(0, prompts, PER_BATCH)
    ]
    plain: list[torch.Tensor] = []
    bases: dict[int, list[torch.Tensor]] = {}
    whole = 0.0
    for run in runs():
        parts = [miniature.pictures(run, *batch) for batch in batches]
        found, flops = [part[0] for part in parts], sum(part[1] for part in parts)
        if not plain:
            plain, whole = found, flops
        if run.settings is None:
            bases[run.steps] = found
        base = None if run.settings is None else psnr(found, bases[run.steps])
        yield Outcome(run.name, flops / whole, psnr(found, plain), base)


def psnr(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> float:
    """Mean over pictures in [0, 1], in dB; infinite where all are equal."""
    errors = [
        error
        for a, b in zip(found, wanted, strict=True)
        for error in (a - b).square().flatten(1).mean(1).tolist()
    ]
    if min(errors) == 0:
        return math.inf
    return statistics.mean(-10 * math.log10(error) for error in errors)


def table(outcomes: list[Outcome]) -> str:
    lines = [
        (
            one.name,
            f"{100 * one.share:.1f} %",
            f"{1 / one.share:.1f}x",
            f"{one.to_plain:.2f}",
            "" if one.to_base is None else f"{one.to_base:.2f}",
        )
        for one in outcomes
    ]
    head = ("run", "FLOPs", "fewer", "dB to plain 50", "dB to the same without cache")
    return markdown(head, lines)


def finite(outcomes: list[Outcome]) -> list[dict]:
    """As JSON knows no infinity."""
    return [vars(replace(one, to_plain=min(one.to_plain, 999.0))) for one in outcomes]
