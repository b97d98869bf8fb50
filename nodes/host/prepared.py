"""A run that is checked and can begin, and what it chooses and draws while it samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import comfy.model_management
import torch

from ...ralu_core.latents.frame import Frame
from ...ralu_core.latents.noise import REGIONS, white_noise
from ...ralu_core.latents.states import StageEnd
from ...ralu_core.plans import Plan
from ...ralu_core.sampler import Source
from ...ralu_core.scores import Evidence, Regions
from .families.inspect import ModelFacts
from .inputs import colours, placed_for
from .noise import batch_items
from .request import Wires
from .sampling.finite import all_finite
from .sampling.stages import GuiderStages
from .sampling.watch import Watch
from .showing.progress import Progress
from .showing.said import Said


@dataclass(frozen=True)
class Run:
    """A run that can begin.

    plan         what of the plan is run; name, how its user knows it.
    plain_steps  full-size steps that the run stands for: the user's own, or published ones; None
                 where nobody says.
    published    the latter, where they are others than the user's own.
    grown        how latents grew, where that is to be told.
    remarks      what of its settings the run takes otherwise, as `remarks` has it.
    """

    wires: Wires
    facts: ModelFacts
    plan: Plan
    name: str
    plain_steps: int | None
    published: int | None
    frame: Frame
    regions: Regions
    source: Source
    stages: GuiderStages
    progress: Progress
    grown: str = ""
    remarks: tuple[Said, ...] = ()

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

        attention, lettering = self.stages.attention_to_text(end.denoised.device)
        evidence = Evidence(
            end,
            self.frame.grid,
            None if self.wires.vae is None else decode,
            attention,
            lettering=lettering,
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
        picture = placed_for(self.regions.score, colours(picture))
        if not all_finite(picture):
            raise ValueError(
                "The VAE returned values that are not numbers in the run: start ComfyUI with "
                "--fp32-vae, or set the detector to latent_gradient."
            )
        return picture
