"""One progress bar over the stages of a run, with live previews and lines on the node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.utils
import latent_preview
import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm

from ....ralu_core.latents.grid import MIXED
from ..sampling.watch import Listener, StageRecord
from .overlay import Overlay, region_overlay
from .status import is_watched, show_status


@dataclass
class Progress(Listener):
    """Steps of all stages on the host's bar.

    patcher  the MODEL that is sampled.
    total    steps of the run.
    stages   of the whole plan, also those that the run leaves out.
    overlay  the regions that were chosen, on their picture; None before.
    """

    patcher: Any
    total: int
    stages: int
    overlay: Overlay | None = None

    def __post_init__(self) -> None:
        self._done = self._before = 0  # steps of the run, and of the stages before this one
        self._previewer = latent_preview.get_previewer(
            self.patcher.load_device, self.patcher.model.latent_format
        )
        self._bar = comfy.utils.ProgressBar(self.total)
        self._log_bar = tqdm(total=self.total, disable=not comfy.utils.PROGRESS_BAR_ENABLED)

    @property
    def has_previews(self) -> bool:
        return self._previewer is not None

    def stage_began(self, record: StageRecord) -> None:
        self._before = self._done
        self._log_bar.set_description(f"RALU stage {record.number}")
        show_status(
            f"Stage {record.number} of {self.stages}: {record.words}, "
            f"{max(record.tokens)} tokens, {record.steps} steps"
        )

    def step_done(self, record: StageRecord, step: int, denoised: torch.Tensor | None) -> None:
        preview = None if denoised is None else self._preview(denoised, record)
        done = self._before + step
        self._log_bar.update(done - self._done)
        if done > self._done or preview:
            self._bar.update_absolute(done, self.total, preview)
        self._done = done

    def regions_sought(self) -> None:
        show_status("After stage 1: looking for edges")

    def regions_chosen(self, picture: torch.Tensor | None, chosen: torch.Tensor) -> None:
        self.overlay = Overlay(picture, chosen.cpu())
        if self._bar.hook is not None and is_watched():
            self._bar.update_absolute(self._done, self.total, _as_preview(self.overlay.drawn))

    def run_ended(self) -> None:
        self._log_bar.close()

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
