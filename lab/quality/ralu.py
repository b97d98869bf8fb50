"""RALU and its variants, by the pack's own code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from lab.comfy import ralu_pack
from lab.quality.rivals import Batch
from lab.quality.subject import SEED, SIDE, Subject

NO_EARLY_REGIONS = 1e-6  # the plan wants a ratio above 0; this many of 64 tokens are none
SMALLEST_JUMP = 2.0  # the least z whose noise can hide the copies of nearest upsampling


def matched(subject: Subject, preset: str, ratio: float | None = None, extra: int = 0):
    """The plan that the node makes of a preset for this MODEL.

    ratio replaces the preset's; extra is added to the steps of the middle stage.
    """
    presets = ralu_pack.presets
    chosen = presets.preset(preset)
    first, second, third = chosen.steps
    chosen = replace(chosen, steps=(first, second + extra, third), ratio=ratio or chosen.ratio)
    return presets.matched_plan(chosen, subject.shift)


def rescheduled(subject: Subject, preset: str, shifts: Sequence[float], z: float):
    """The preset's steps and ends on other noise levels."""
    chosen = ralu_pack.presets.preset(preset)
    steps, ends, ratio = chosen.steps, chosen.end_sigmas, chosen.ratio
    return ralu_pack.plans.ralu(steps, ends, shifts, z, ratio, subject.shift, name=preset)


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


def matching_numbers(plan) -> tuple:
    """Steps, ends, model shift, stage shifts and z of one of the plans above."""
    numbers = ralu_pack.plans.matching_numbers(plan)
    assert numbers is not None  # NT-Matching says something of them all
    return numbers


def js_distance(plan) -> float:
    return ralu_pack.nt_matching.js_distance(*matching_numbers(plan))


def node(batch: Batch, plan, **settings: Any) -> torch.Tensor:
    """What the RALU Sampler node does."""
    return sampled(batch, plan, **settings).samples


def early_share(batch: Batch, plan, threshold: float) -> float:
    """Mean share of coarse tokens that an adaptive ratio grows early."""
    return sampled(batch, plan, threshold=threshold).edge_mask.mean().item()


def sampled(batch: Batch, plan, **settings: Any):
    import comfy.samplers

    run, request = ralu_pack.run, ralu_pack.request
    wires = request.Wires(
        batch.guider,
        comfy.samplers.sampler_object("euler"),
        batch.latent,
        batch.subject.vae,
        batch.noise,
        SEED,
    )
    own = request.OwnRun(denoise=batch.denoise)
    return run.sample(wires, request.Settings(plan, own, **settings))


def by_core(
    batch: Batch,
    plan,
    kept: str = "exact",
    choose: Callable | None = None,
) -> torch.Tensor:
    """The same run put together here, for what the node does not offer.

    kept        law of the noise on kept tokens.
    choose      (end of the stage before, ratio) -> regions; None finds them as the node does.
    """
    scores, subject = ralu_pack.scores, batch.subject
    grid = ralu_pack.frame.Frame.of_picture(SIDE, SIDE, subject.facts.space).grid

    def decode(denoised: torch.Tensor) -> torch.Tensor:
        return subject.vae.decode(subject.patcher.model.process_latent_out(denoised))

    def as_the_node(end, ratio: float) -> torch.Tensor:
        return scores.Regions().choose(scores.Evidence(end, grid, decode), ratio)

    crossings = tuple(replace(crossing, kept=kept) for crossing in plan.crossings)
    return batch.sample(replace(plan, crossings=crossings), choose or as_the_node)


def random_regions(batch: Batch, plan) -> torch.Tensor:
    """As many early regions as RALU takes, anywhere."""

    def choose(_end, ratio: float) -> torch.Tensor:
        return ralu_pack.scores.select_ratio(batch.fresh_noise(9)[:, 0, ::4, ::4], ratio)

    return by_core(batch, plan, choose=choose)
