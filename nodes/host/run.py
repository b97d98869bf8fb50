"""One RALU run inside ComfyUI: from what is wired to a node to a finished latent."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import torch
import torch.nn.functional as F

from ...ralu_core.cost import CallCost
from ...ralu_core.flow import shift_sigma
from ...ralu_core.noise import white_noise
from ...ralu_core.presets import matched_schedule, preset
from ...ralu_core.regions import Regions
from ...ralu_core.sampler import MIXED, DrawNoise, Plan, Source, run_stages
from ...ralu_core.schedule import StageSchedule
from ...ralu_core.upsampling import DEFAULT_UPSAMPLING
from .canvas import Canvas
from .conds import check_conds, fit_to_canvas
from .gate import ModelFacts, check_schedule_fits, check_size, inspect_model, text_width
from .inputs import (
    always_regions,
    batch_items,
    check_sampler,
    check_vae,
    extend_noise,
    latent_samples,
    placed_for,
)
from .overlay import Overlay
from .progress import Progress
from .report import RunReport, plain_steps
from .stages import GuiderStages, all_finite
from .status import show_status

log = logging.getLogger(__name__)


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

    schedule: StageSchedule | None = None
    denoise: float = 1.0
    detector: str = "canny"
    threshold: float = 0.0
    upsampling: str = DEFAULT_UPSAMPLING
    region_mask: torch.Tensor | None = None


@dataclass(frozen=True)
class Sampled:
    """samples and denoised as LATENT tensors, the edge mask as MASK, and what happened.

    drawing  the regions chosen after stage 1 on its picture; None when that stage was skipped.
    """

    samples: torch.Tensor
    denoised: torch.Tensor
    edge_mask: torch.Tensor
    report: RunReport
    drawing: Overlay | None

    @property
    def overlay(self) -> torch.Tensor | None:
        """IMAGE of the drawing, made when it is first asked for."""
        return None if self.drawing is None else self.drawing.drawn


def sample(wires: Wires, settings: Settings) -> Sampled:
    """Sample in three stages. Raises ValueError, before sampling, for what cannot be run."""
    started = time.perf_counter()
    patcher = wires.guider.model_patcher
    facts = inspect_model(patcher)
    check_conds(wires.guider.original_conds, text_width(patcher))
    schedule = settings.schedule or matched_schedule(preset(facts.preset_name), facts.shift)
    check_schedule_fits(schedule.model_shift, facts.shift)
    plan = _plan(settings, schedule, facts)
    check_sampler(wires.sampler, plan.steps)
    samples = latent_samples(patcher, wires.latent)
    canvas = Canvas(*samples.shape[-2:])
    check_size(patcher, canvas)
    regions = _regions(settings, plan, wires.vae, canvas, samples.shape[0])
    draw_noise = _transition_noise(wires, canvas, samples)
    source, stages = _prepare(wires, canvas, samples, plan, draw_noise)
    model, progress = patcher.model, stages.progress
    decode = progress.watched(_decoder(wires.vae, model, settings.detector))
    try:
        result = run_stages(
            plan,
            source,
            stages,
            lambda denoised: progress.show_regions(
                regions.choose(denoised, schedule.ratio, decode)
            ),
            draw_noise,
        )
    finally:
        progress.close()
    layout = result.layout
    fine = torch.zeros(len(samples), *canvas.grid) if layout is None else layout.fine
    report = RunReport(
        progress.records,
        time.perf_counter() - started,
        CallCost(facts.blocks, facts.width, facts.text_tokens),
        canvas.grid,
        plain_steps(schedule, settings.denoise),
        progress.has_previews,
    )
    show_status(report.summary())
    log.info(report.line())
    device = comfy.model_management.intermediate_device()
    return Sampled(
        canvas.crop(result.x).to(device),
        canvas.crop(model.process_latent_out(result.denoised.float())).to(device),
        canvas.mask(fine),
        report,
        progress.overlay,
    )


def _plan(settings: Settings, schedule: StageSchedule, facts: ModelFacts) -> Plan:
    if not 0 < settings.denoise <= 1:
        raise ValueError(f"Denoise must lie in (0, 1], got {settings.denoise:g}: 1 samples anew.")
    start_sigma = float(shift_sigma(facts.shift, settings.denoise))
    return Plan(schedule, settings.upsampling, start_sigma=start_sigma)


def _regions(settings: Settings, plan: Plan, vae, canvas: Canvas, batch: int) -> Regions:
    stages = [index for index, _ in plan.schedule.truncated(plan.start_sigma)]
    if MIXED in stages:
        check_vae(vae, settings.detector)
    always = always_regions(settings.region_mask, canvas, batch)
    return Regions(settings.detector, settings.threshold or None, always)


def _transition_noise(wires: Wires, canvas: Canvas, samples: torch.Tensor) -> DrawNoise:
    """Stage number -> white noise of its transition; drawn once, for whoever asks first."""
    shape, items = (samples.shape[1], *canvas.padded), batch_items(wires.latent, len(samples))
    device = comfy.model_management.intermediate_device()
    return functools.cache(lambda stage: white_noise(shape, wires.seed, items, stage).to(device))


def _prepare(
    wires: Wires, canvas: Canvas, samples: torch.Tensor, plan: Plan, draw_noise: DrawNoise
) -> tuple[Source, GuiderStages]:
    patcher = wires.guider.model_patcher
    device = comfy.model_management.intermediate_device()
    latent = canvas.extend(samples.to(device=device, dtype=torch.float32))
    noise = wires.draw_noise({**wires.latent, "samples": samples})
    items = batch_items(wires.latent, len(samples))
    noise = extend_noise(noise.to(device, torch.float32), canvas, wires.seed, items)
    mask = wires.latent.get("noise_mask")
    stages = GuiderStages(
        guider=wires.guider,
        sampler=wires.sampler,
        conds=fit_to_canvas(wires.guider.original_conds, canvas),
        latent=latent,
        mask=None if mask is None else canvas.extend(mask),
        seed=wires.seed,
        progress=Progress(patcher, sum(plan.steps)),
        draw_ahead=draw_noise,
    )
    if stages.is_empty:
        return Source.from_noise(noise), stages
    clean = patcher.model.process_latent_in(latent)
    return Source(noise, clean, F.avg_pool2d(clean, 2)), stages


def _decoder(vae, model, detector: str) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Decode a clean estimate to (B, H, W, 3) pictures, or None without a VAE."""
    if vae is None:
        return None

    def decode(denoised: torch.Tensor) -> torch.Tensor:
        comfy.model_management.throw_exception_if_processing_interrupted()
        picture = placed_for(detector, vae.decode(model.process_latent_out(denoised)))
        if not all_finite(picture):
            raise ValueError(
                "The VAE returned values that are not numbers after stage 1: start ComfyUI with "
                "--fp32-vae, or set the detector to latent_gradient."
            )
        return picture

    return decode
