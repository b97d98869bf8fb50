"""RALU and its variants, by the pack's own code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from lab.comfy import ralu_pack
from lab.quality.rivals import Batch
from lab.quality.subject import SEED, Subject

NO_EARLY_REGIONS = 1e-6  # the schedule wants a ratio above 0; this many of 64 tokens are none
SMALLEST_JUMP = 2.0  # the least z whose noise can hide the copies of nearest upsampling


def matched(subject: Subject, preset: str, ratio: float | None = None, extra: int = 0):
    """The schedule that the node makes of a preset for this MODEL.

    ratio replaces the preset's; extra is added to the steps of the middle stage.
    """
    presets = ralu_pack.presets
    chosen = presets.preset(preset)
    first, second, third = chosen.steps
    chosen = replace(chosen, steps=(first, second + extra, third), ratio=ratio or chosen.ratio)
    return presets.matched_plan(chosen, subject.shift)


def rescheduled(subject: Subject, preset: str, shifts: tuple[float, float, float], z: float):
    """The preset's steps and ends on other noise levels."""
    return replace(matched(subject, preset), shifts=shifts, z=z)


def matched_jump(subject: Subject, preset: str, z: float):
    """NT-Matching with no larger noise jump than z: more of the low resolution is kept."""
    chosen = ralu_pack.presets.preset(preset)
    solve = ralu_pack.nt_matching.solve
    solution = solve(chosen.steps, chosen.end_sigmas, subject.shift, z)
    return rescheduled(subject, preset, solution.shifts, solution.z)


def own_shifts(subject: Subject) -> tuple[float, float, float]:
    return subject.shift, subject.shift, subject.shift


def unmatched(subject: Subject, preset: str):
    """Without NT-Matching: the MODEL's own shift in each stage, and the smallest noise jump that
    keeps the noise at the level the next stage expects."""
    return rescheduled(subject, preset, own_shifts(subject), SMALLEST_JUMP)


def js_distance(subject: Subject, schedule) -> float:
    return ralu_pack.nt_matching.js_distance(
        schedule.steps, schedule.end_sigmas, subject.shift, schedule.shifts, schedule.z
    )


def node(batch: Batch, schedule, **settings: Any) -> torch.Tensor:
    """What the RALU Sampler node does."""
    return _sampled(batch, schedule, **settings).samples


def early_share(batch: Batch, schedule, threshold: float) -> float:
    """Mean share of coarse tokens that an adaptive ratio grows early."""
    return _sampled(batch, schedule, threshold=threshold).edge_mask.mean().item()


def _sampled(batch: Batch, schedule, **settings: Any):
    import comfy.samplers

    run = ralu_pack.run
    wires = run.Wires(
        batch.guider,
        comfy.samplers.sampler_object("euler"),
        batch.latent,
        batch.subject.vae,
        batch.noise,
        SEED,
    )
    return run.sample(wires, run.Settings(schedule, **settings))


def by_core(
    batch: Batch,
    schedule,
    kept: str = "exact",
    choose: Callable | None = None,
) -> torch.Tensor:
    """The same run put together here, for what the node does not offer.

    kept        law of the noise on kept tokens.
    choose      clean estimate -> regions; None finds them as the node does.
    """
    sampler = ralu_pack.sampler
    subject = batch.subject
    stages, regions = batch.stages(schedule.total_steps), ralu_pack.regions.Regions()

    def decode(denoised: torch.Tensor) -> torch.Tensor:
        return subject.vae.decode(subject.patcher.model.process_latent_out(denoised))

    return sampler.run_stages(
        sampler.Plan(schedule, kept=kept),
        sampler.Source.from_noise(batch.noise(batch.latent)),
        stages,
        choose or (lambda denoised: regions.choose(denoised, schedule.ratio, decode)),
        batch.fresh_noise,
    ).x


def random_regions(batch: Batch, schedule) -> torch.Tensor:
    """As many early regions as RALU takes, anywhere."""
    select = ralu_pack.regions.select_ratio

    def choose(denoised: torch.Tensor) -> torch.Tensor:
        scores = batch.fresh_noise(9)[:, 0, ::4, ::4]
        return select(scores, schedule.ratio)

    return by_core(batch, schedule, choose=choose)
