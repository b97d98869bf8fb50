"""One RALU run inside ComfyUI: from what is wired to a node to a finished latent."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import cached_property

import comfy.model_management
import torch

from ...ralu_core.sampler import Result, run_plan
from .prepare import prepare
from .prepared import Run
from .request import Settings, Wires
from .sampling.guidance import calls_of
from .sampling.references import references_of
from .showing.overlay import Overlay
from .showing.report import RunReport

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sampled:
    """What a run made, and what happened; tensors are made when they are asked for.

    regions  chosen in the run, on its picture; None where no stage before chose any.
    """

    run: Run
    result: Result
    report: RunReport
    regions: Overlay | None

    @cached_property
    def samples(self) -> torch.Tensor:
        """A LATENT's."""
        x = self.run.frame.crop(self.result.x)
        return self.run.facts.space.leave(x).to(comfy.model_management.intermediate_device())

    @cached_property
    def denoised(self) -> torch.Tensor:
        """The last clean estimate, a LATENT's samples."""
        space, frame = self.run.facts.space, self.run.frame
        model = self.run.wires.guider.model_patcher.model
        latent = model.process_latent_out(space.leave(self.result.denoised).float())
        cropped = space.leave(frame.crop(space.enter(latent)))
        return cropped.to(comfy.model_management.intermediate_device())

    @cached_property
    def edge_mask(self) -> torch.Tensor:
        """A MASK of the regions that grew early."""
        frame, layout = self.run.frame, self.result.layout
        if layout is None:
            return torch.zeros(len(self.result.x), *frame.picture)
        return frame.mask(layout.fine)


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
    """A run's outputs, and its report to the log and to the node."""
    report = RunReport(
        stages=run.watch.records,
        seconds=time.perf_counter() - started,
        cost=run.facts.cost,
        grid=run.frame.grid,
        plain_steps=run.plain_steps,
        live_previews=run.progress.has_previews,
        references=references_of(run.stages.conds, run.facts.space, run.stages.half_conds),
        rows=calls_of(run.wires.guider),
        published=run.published,
        plan=run.name,
        grown=run.grown,
        remarks=run.remarks,
    )
    run.wires.tell(report.summary(), run=report.values())
    log.info(report.line())
    return Sampled(run, result, report, run.progress.overlay)
