"""What skipping costs in pictures: the miniature Flux, distance against counted FLOPs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from lab.bench.results import markdown
from lab.comfy import ralu_pack
from lab.models.blocks import blocks_of
from lab.models.miniature.pictures import list_emoji
from lab.models.miniature.text_encoding import encode_prompts
from lab.models.stand_ins import TRAINED
from lab.models.viewing import psnr
from ralu_core.cost import LINEAR_FLOPS

SIDE, REFERENCE_STEPS, PER_BATCH = 256, 50, 8
RALU_STEPS = (4, 5, 6)


@dataclass(frozen=True)
class Run:
    """Plain Euler steps, or the steps of RALU 5x's three stages; settings of the acceleration."""

    name: str
    steps: int | tuple[int, int, int] = RALU_STEPS
    settings: dict | None = None


@dataclass(frozen=True)
class Outcome:
    """share: FLOPs of the plain 50 steps. PSNR in dB, mean over pictures and its standard error.

    to_plain  to the plain 50 steps from the same noise.
    to_base   to the same run without acceleration, or with all of RALU 5x's steps; else None.
    """

    name: str
    share: float
    to_plain: tuple[float, float]
    to_base: tuple[float, float] | None


class Miniature:
    """The shipped Flux (or weights of the same shape) in ComfyUI, its prompts and noise."""

    def __init__(self, weights: Path | None = None):
        import comfy.sd

        from lab.models import tiny

        path = weights or TRAINED / "diffusion_models" / "miniature_flux.safetensors"
        self.patcher = tiny.load_model(load_file(path))
        vae = TRAINED / "vae" / "miniature_flux_vae.safetensors"
        self.vae = comfy.sd.VAE(sd=load_file(vae))

    def pictures(self, run: Run, prompts: list[str], seed: int) -> tuple[torch.Tensor, float]:
        """(B, 256, 256, 3) pictures, and the FLOPs that the network's blocks ran."""
        patcher = self.patcher
        if run.settings is not None:
            node = ralu_pack.temporal_acceleration
            patcher = node.accelerated(patcher, node.Acceleration(**run.settings))
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
        if isinstance(run.steps, int):
            sampling = patcher.get_model_object("model_sampling")
            sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", run.steps)
            return guider.sample(noise, latent, sampler, sigmas, disable_pbar=True, seed=seed)
        request, presets = ralu_pack.request, ralu_pack.presets
        chosen = presets.adjusted(presets.preset("FLUX 5x"), run.steps, (0, 0), 0)
        plan = presets.matched_plan(chosen, chosen.model_shift)
        wires = request.Wires(
            guider, sampler, {"samples": latent}, self.vae, lambda _latent: noise, seed
        )
        return ralu_pack.run.sample(wires, request.Settings(plan)).samples


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
        flops = LINEAR_FLOPS * width**2 * tokens + 4 * width * tokens * most[0]
        found.append(parts[0].shape[0] * flops)

    blocks = blocks_of(network)
    handles = [block.register_forward_pre_hook(note, with_kwargs=True) for block in blocks]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def runs() -> list[Run]:
    """Plain and RALU with fewer and fewer steps; accelerations inside RALU 5x and alone."""
    plain = [Run(f"plain {n} steps", n) for n in (REFERENCE_STEPS, 20, 14, 10, 7)]
    fewer = [
        Run(f"RALU 5x in {', '.join(map(str, steps))} steps", steps)
        for steps in ((3, 4, 5), (2, 3, 4), (2, 2, 3), (1, 2, 2))
    ]
    taylor = [
        {"interval": n, "order": o, "warm_up": w}
        for n, o, w in (
            (2, 0, 1), (2, 0, 2), (2, 1, 2), (2, 2, 2), (3, 0, 2), (3, 1, 2), (3, 2, 2), (3, 0, 3),
            (3, 1, 3), (3, 2, 3), (4, 1, 2),
        )
    ]  # fmt: skip
    others = [
        {"method": "Delta-DiT", "interval": 2, "warm_up": 1, "range_start": 1 / 3},
        {"method": "ToCa", "interval": 3, "warm_up": 2},
        {"method": "ToCa", "interval": 3, "warm_up": 3},
        *({"method": "TeaCache", "threshold": t} for t in (0.15, 0.25, 0.4)),
    ]
    staged = [Run(f"RALU 5x, {words(one)}", settings=one) for one in (*taylor, *others)]
    alone = [
        Run(f"50 steps, {words(one)}", REFERENCE_STEPS, one)
        for one in (
            *({"interval": n, "order": o, "warm_up": 2} for n in (3, 5) for o in (0, 1)),
            {"interval": 3, "order": 1, "warm_up": 3},
            {"interval": 3, "order": 2, "warm_up": 2},
            {"interval": 7, "order": 1, "warm_up": 2},
            *({"method": "TeaCache", "threshold": t} for t in (0.1, 0.25)),
            {"method": "ToCa", "interval": 4, "warm_up": 2},
            {"method": "Delta-DiT", "interval": 2, "warm_up": 1, "range_start": 1 / 3},
        )
    ]
    return [*plain, Run("RALU 5x"), *fewer, *staged, *alone]


def words(settings: dict) -> str:
    short = {"interval": "N", "order": "O", "warm_up": "W", "threshold": "delta"}
    numbers = [f"{short[k]}={v:g}" for k, v in settings.items() if k in short]
    ranged = ["single blocks"] if "range_start" in settings else []
    return ", ".join([settings.get("method", "TaylorSeer"), *numbers, *ranged])


def measure(prompts: int, seeds: int, weights: Path | None = None) -> Iterator[Outcome]:
    """Every run on the same prompts and noise, as they finish."""
    yield from compare(Miniature(weights), batches(prompts, seeds))


def batches(prompts: int, seeds: int) -> list[tuple[list[str], int]]:
    """Prompts and seed of every batch; emoji in even distances on the list of all."""
    names = [emoji.name for emoji in list_emoji()]
    names = [names[k * len(names) // prompts] for k in range(prompts)]
    return [
        (names[start : start + PER_BATCH], 1000 * seed + start)
        for seed in range(seeds)
        for start in range(0, prompts, PER_BATCH)
    ]


def compare(miniature: Miniature, batches: list[tuple[list[str], int]]) -> Iterator[Outcome]:
    plain: list[torch.Tensor] = []
    bases: dict[int | tuple[int, int, int], list[torch.Tensor]] = {}
    whole = 0.0
    for run in runs():
        parts = [miniature.pictures(run, *batch) for batch in batches]
        found, flops = [part[0] for part in parts], sum(part[1] for part in parts)
        if not plain:
            plain, whole = found, flops
        if run.settings is None:
            bases[run.steps] = found
        base = bases.get(RALU_STEPS if isinstance(run.steps, tuple) else run.steps)
        to_base = None if base is None or base is found else mean_psnr(found, base)
        yield Outcome(run.name, flops / whole, mean_psnr(found, plain), to_base)


def mean_psnr(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> tuple[float, float]:
    """Of pictures in [0, 1], in dB: mean and its standard error; infinite where one is equal."""
    levels = torch.cat([psnr(a, b) for a, b in zip(found, wanted, strict=True)]).tolist()
    if math.inf in levels:
        return math.inf, 0.0
    spread = statistics.stdev(levels) if len(levels) > 1 else 0.0
    return statistics.mean(levels), spread / math.sqrt(len(levels))


def table(outcomes: list[Outcome]) -> str:
    lines = [
        (
            one.name,
            f"{100 * one.share:.1f} %",
            f"{1 / one.share:.1f}x",
            _with_error(one.to_plain),
            "" if one.to_base is None else _with_error(one.to_base),
        )
        for one in outcomes
    ]
    head = ("run", "FLOPs", "fewer", "dB to plain 50", "dB to the same with all steps")
    return markdown(head, lines)


def _with_error(value: tuple[float, float]) -> str:
    return "same" if math.isinf(value[0]) else f"{value[0]:.2f} ± {value[1]:.2f}"


def finite(outcomes: list[Outcome]) -> list[dict]:
    """As JSON knows no infinity."""
    records = []
    for one in outcomes:
        to_plain = None if math.isinf(one.to_plain[0]) else one.to_plain
        records.append({**vars(one), "to_plain": to_plain})
    return records
