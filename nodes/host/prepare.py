"""All that is checked and made before anything is sampled, in the order of the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import torch
import torch.nn.functional as F

from ...ralu_core.growth import DEFAULT_GROWTH
from ...ralu_core.latents.flow import shift_sigma
from ...ralu_core.latents.frame import Frame
from ...ralu_core.latents.noise import REGIONS, white_noise
from ...ralu_core.latents.states import StageEnd
from ...ralu_core.latents.views import view_named
from ...ralu_core.plans import Plan
from ...ralu_core.plans.presets import matched_plan, preset
from ...ralu_core.sampler import Source
from ...ralu_core.scores import Evidence, Regions, score_named
from .families.inspect import ModelFacts, check_shift_fits, inspect_model, network_of
from .inputs import (
    always_regions,
    check_guider,
    check_history,
    check_score,
    check_vae,
    latent_samples,
    placed_for,
)
from .noise import batch_items, check_noise_level, extend_noise, noise_for
from .samplers import check_sampler, sampler_for
from .sampling.conds import check_conds, fit_to_frame
from .sampling.finite import all_finite, check_finite
from .sampling.guidance import name_unstoppable
from .sampling.spatial import name_unknown
from .sampling.stages import GuiderStages
from .sampling.watch import Watch
from .showing.progress import Progress

DEFAULT_SCORE = Regions.score


@dataclass(frozen=True)
class Wires:
    """What a node is wired to. draw_noise makes full-size noise for a LATENT, as NOISE does."""

    guider: Any
    sampler: Any
    latent: dict
    vae: Any
    draw_noise: Callable[[dict], torch.Tensor]
    seed: int


@dataclass(frozen=True)
class Settings:
    """What a node's widgets and optional inputs say.

    schedule     None takes the recommended preset, solved for the MODEL.
    denoise      1 samples from noise; below 1 keeps that much of the latent, as in a KSampler.
    threshold    0 takes the schedule's ratio; above 0 the ratio adapts to the picture.
    region_mask  MASK of what grows early in any case, or None.
    """

    schedule: Plan | None = None
    denoise: float = 1.0
    detector: str = DEFAULT_SCORE
    threshold: float = 0.0
    upsampling: str = DEFAULT_GROWTH
    region_mask: torch.Tensor | None = None


@dataclass(frozen=True)
class Run:
    """A run that can begin.

    plan         what of the plan denoise leaves.
    plain_steps  full-size steps that the run stands for; None where nobody published it.
    """

    wires: Wires
    facts: ModelFacts
    plan: Plan
    plain_steps: int | None
    frame: Frame
    regions: Regions
    source: Source
    stages: GuiderStages
    progress: Progress

    @property
    def watch(self) -> Watch:
        return self.stages.watch

    def choose_regions(self, end: StageEnd, ratio: float) -> torch.Tensor:
        """The regions that grow early, told to whoever watches."""
        pictures: list[torch.Tensor] = []

        def decode(denoised: torch.Tensor) -> torch.Tensor:
            self.watch.regions_sought()
            pictures.append(self._decode(denoised))
            return pictures[0]

        evidence = Evidence(
            end,
            self.frame.grid,
            None if self.wires.vae is None else decode,
            draw=lambda: self._white(self.frame.grid, REGIONS),
        )
        chosen = self.regions.choose(evidence, ratio)
        self.watch.regions_chosen(pictures[0] if pictures else None, chosen)
        return chosen

    def draw_noise(self, stream: int) -> torch.Tensor:
        """White noise of a crossing."""
        white = self._white(self.source.noise.shape[1:], stream)
        return white.to(comfy.model_management.intermediate_device())

    def _white(self, shape: Sequence[int], stream: int) -> torch.Tensor:
        items = batch_items(self.wires.latent, len(self.source.noise))
        return white_noise(shape, self.wires.seed, items, stream)

    def _decode(self, denoised: torch.Tensor) -> torch.Tensor:
        """(B, H, W, 3) pictures of a clean estimate."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        model = self.wires.guider.model_patcher.model
        latent = model.process_latent_out(self.facts.space.leave(denoised))
        picture = self.wires.vae.decode(latent)
        if picture.ndim == 5:  # a video VAE's pictures of one frame each
            picture = picture.flatten(0, 1)
        picture = placed_for(self.regions.score, picture)
        if not all_finite(picture):
            raise ValueError(
                "The VAE returned values that are not numbers after stage 1: start ComfyUI with "
                "--fp32-vae, or set the detector to latent_gradient."
            )
        return picture


def prepare(wires: Wires, settings: Settings) -> Run:
    """Check what is wired and make a run of it. Raises ValueError for what cannot be run."""
    patcher = wires.guider.model_patcher
    facts = inspect_model(patcher)
    network = network_of(patcher)
    check_guider(wires.guider)
    check_conds(wires.guider.original_conds, facts.family.text_width(network))
    samples = latent_samples(patcher, wires.latent, facts.space)
    frame = Frame(samples.shape[-2], samples.shape[-1], facts.space)
    whole, plan, shift = _plans(settings, facts, frame)
    check_sampler(wires.sampler, plan.steps)
    _check_patches(wires.guider, facts, plan)
    name_unstoppable(wires.guider, plan)
    facts.family.check_size(network, frame)
    regions = _regions(settings, plan, wires, frame, len(samples))
    progress = Progress(patcher, plan.total_steps, whole.stages[-1].number)
    source, stages = _source_and_stages(wires, facts, plan, frame, samples, progress)
    check_noise_level(source.noise, plan, whole.stages[-1].start, shift)
    baseline = whole.baseline_steps
    if baseline is not None:
        baseline = math.ceil(facts.plain_steps(baseline) * settings.denoise)
    return Run(wires, facts, plan, baseline, frame, regions, source, stages, progress)


def _plans(settings: Settings, facts: ModelFacts, frame: Frame) -> tuple[Plan, Plan, float]:
    """The whole plan, what of it denoise leaves, and the MODEL's shift for such a picture."""
    whole, recommended = settings.schedule, preset(facts.preset_name)
    baseline = recommended.baseline_steps if whole is None else whole.baseline_steps
    shift = facts.shift_for(frame, baseline)
    if whole is None:
        whole = matched_plan(recommended.at(shift), shift)
    check_shift_fits(whole.model_shift, shift, facts.is_sized)
    if not 0 < settings.denoise <= 1:
        raise ValueError(f"Denoise must lie in (0, 1], got {settings.denoise:g}: 1 samples anew.")
    start = float(shift_sigma(shift, settings.denoise))
    return whole, whole.growing_by(settings.upsampling).begun_at(start), shift


def _check_patches(guider: Any, facts: ModelFacts, plan: Plan) -> None:
    """Refuse, or name, what other nodes put on the MODEL and a mixed stage cannot carry."""
    if plan.ratio is None:
        return
    options = guider.model_options.get("transformer_options", {})
    facts.family.check_call(options)
    facts.family.check_call({"wrappers": guider.model_patcher.wrappers})
    for stage in plan.stages:
        facts.family.views.check(view_named(stage.views), options, facts.family.short)
    name_unknown(guider.model_options)


def _regions(settings: Settings, plan: Plan, wires: Wires, frame: Frame, batch: int) -> Regions:
    check_score(settings.detector)
    if plan.ratio is not None:
        score_named(settings.detector).check()
        check_history(settings.detector, plan)
        check_vae(wires.vae, settings.detector, frame.space)
    always = always_regions(settings.region_mask, frame, batch)
    return Regions(settings.detector, settings.threshold or None, always)


def _source_and_stages(
    wires: Wires,
    facts: ModelFacts,
    plan: Plan,
    frame: Frame,
    samples: torch.Tensor,
    progress: Progress,
) -> tuple[Source, GuiderStages]:
    patcher, space = wires.guider.model_patcher, facts.space
    device = comfy.model_management.intermediate_device()
    latent = frame.extend(samples.to(device=device, dtype=torch.float32))
    asked = space.leave(samples)
    noise = noise_for(wires.draw_noise({**wires.latent, "samples": asked}), asked)
    noise = space.enter(noise)
    items = batch_items(wires.latent, len(samples))
    noise = extend_noise(noise.to(device, torch.float32), frame, wires.seed, items)
    mask = wires.latent.get("noise_mask")
    if mask is not None:
        check_finite(mask, "inpaint mask", "paint it anew")
    stages = GuiderStages(
        guider=wires.guider,
        sampler=sampler_for(plan, wires.sampler),
        conds=fit_to_frame(wires.guider.original_conds, frame),
        family=facts.family,
        latent=latent,
        mask=None if mask is None else frame.extend(mask),
        seed=wires.seed,
        watch=Watch(patcher, space, (progress,)),
        plan=plan,
    )
    if stages.is_empty:
        return Source.from_noise(noise, space.patch), stages
    clean = space.enter(patcher.model.process_latent_in(space.leave(latent)))
    return Source(noise, clean, F.avg_pool2d(clean, 2), patch=space.patch), stages
