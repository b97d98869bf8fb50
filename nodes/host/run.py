"""One RALU run inside ComfyUI: from what is wired to a node to a finished latent."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import comfy.model_management
import torch

from ...ralu_core.sampler import Result, run_plan
from .asked import Settings, Wires
from .prepare import Run, prepare
from .sampling.guidance import calls_of
from .sampling.references import references_of
from .showing.overlay import Overlay
from .showing.report import RunReport

log = logging.getLogger(__name__)

__all__ = ["Sampled", "Settings", "Wires", "sample"]


@dataclass(frozen=True)
class Sampled:
    """samples and denoised as LATENT tensors, the edge mask as MASK, and what happened.

    regions  chosen in the run, on its picture; None where no stage before chose any.
    """

    samples: torch.Tensor
    denoised: torch.Tensor
    edge_mask: torch.Tensor
    report: RunReport
    regions: Overlay | None


def sample(wires: Wires, settings: Settings) -> Sampled:
    """Sample by a plan. Raises ValueError, before sampling, for what cannot be run."""
    started = time.perf_counter()
    run = prepare(wires, settings)
    try:
        result = run_plan(
            run.plan,
            run.source,
            run.stages,
            run.choose_regions,
            run.draw_noise,
            run.regions.needs_history,
        )
    finally:
        run.watch.close()
    return finish(run, result, started)


def finish(run: Run, result: Result, started: float) -> Sampled:
    """The outputs of a run, and its report to the log and to the node."""
    space, frame = run.facts.space, run.frame
    model = run.wires.guider.model_patcher.model
    report = RunReport(
        run.watch.records,
        time.perf_counter() - started,
        run.facts.cost,
        frame.grid,
        run.plain_steps,
        run.progress.has_previews,
        references_of(run.stages.conds, space, run.stages.half_conds),
        calls_of(run.wires.guider),
        run.published,
        run.plan.name,
        run.grown,
        run.remarks,
    )
    run.wires.tell(report.summary())
    log.info(report.line())
    device = comfy.model_management.intermediate_device()
    denoised = model.process_latent_out(space.leave(result.denoised).float())
    layout = result.layout
    fine = torch.zeros(len(result.x), *frame.grid) if layout is None else layout.fine
    return Sampled(
        space.leave(frame.crop(result.x)).to(device),
        space.leave(frame.crop(space.enter(denoised))).to(device),
        frame.mask(fine),
        report,
        run.progress.overlay,
    )
