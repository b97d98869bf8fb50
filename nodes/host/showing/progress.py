"""One progress bar over the stages of a run, with live previews and lines on the node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import comfy.utils
import latent_preview
import numpy as np
import torch
from PIL import Image

from ....ralu_core.latents.grid import MIXED
from ....ralu_core.plans.text import count_of_steps
from ..sampling.watch import Listener, StageRecord
from .overlay import Overlay, region_overlay
from .status import Tell, is_watched
from .work import Work

WHOLE = 1000  # of the bar


@dataclass
class Progress(Listener):
    """What a run tells while it goes.

    work     of the run.
    stages   of the whole plan, also those that the run leaves out.
    tell     shows a line.
    overlay  the regions that were chosen, on their picture; None before, and where no panel of
             RALU's shows them.
    """

    work: Work
    stages: int
    tell: Tell
    overlay: Overlay | None = field(default=None, init=False)

    has_previews = False

    def stage_began(self, record: StageRecord) -> None:
        steps = count_of_steps(record.steps)
        tokens = f"{max(record.tokens)} tokens"
        if self.stages == 1:
            self.tell(f"{steps} at {record.words}, {tokens}", passing=True)
        else:
            words = f"{record.words}, {tokens}, {steps}"
            self.tell(f"Stage {record.number} of {self.stages}: {words}")

    def regions_sought(self) -> None:
        self.tell("Looking for the regions that grow early", passing=True)


@dataclass
class Bar(Progress):
    """The host's bar, filled by work, with live previews.

    patcher  the MODEL that is sampled.
    """

    patcher: Any

    def __post_init__(self) -> None:
        self._done = 0  # of WHOLE
        self._previewer = latent_preview.get_previewer(
            self.patcher.load_device, self.patcher.model.latent_format
        )
        self._bar = comfy.utils.ProgressBar(WHOLE)

    @property
    def has_previews(self) -> bool:
        return self._previewer is not None

    def step_done(
        self,
        record: StageRecord,
        step: int,
        denoised: torch.Tensor | None,
        x: torch.Tensor | None = None,
    ) -> None:
        preview = None if denoised is None else self._preview(denoised, record)
        done = round(WHOLE * self.work.done(record.number, step, record.steps))
        if done > self._done or preview:
            self._bar.update_absolute(done, WHOLE, preview)
        self._done = done

    def regions_chosen(self, picture: torch.Tensor | None, chosen: torch.Tensor) -> None:
        watched = is_watched()
        self.overlay = Overlay.of(picture if watched else None, chosen)
        if watched and self._bar.hook is not None:
            self._bar.update_absolute(self._done, WHOLE, _as_preview(self.overlay.drawn))

    def _preview(self, denoised: torch.Tensor, record: StageRecord) -> tuple | None:
        """What the host's ProgressBar takes: format, picture, longest side; None: previews off."""
        if self._previewer is None:
            return None
        preview = self._previewer.decode_latent_to_preview_image("JPEG", denoised)
        if preview is None or record.grid != MIXED.name or self.overlay is None:
            return preview
        picture = torch.from_numpy(np.array(preview[1].convert("RGB"), dtype=np.float32) / 255)
        return _as_preview(region_overlay(picture[None], self.overlay.chosen[:1]))


def _as_preview(overlay: torch.Tensor) -> tuple:
    picture = Image.fromarray((overlay[0] * 255).round().byte().numpy())
    return "JPEG", picture, latent_preview.MAX_PREVIEW_RESOLUTION
