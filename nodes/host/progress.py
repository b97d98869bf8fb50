"""One progress bar, with live previews, over the stages of a run; the clock of each stage."""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import comfy.model_management
import comfy.utils
import latent_preview
import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm

from .overlay import Overlay, region_overlay
from .sampling.keys import WORK
from .status import is_watched, show_status

STAGE_TEXTS = {
    1: "Stage 1 of 3: half size",
    2: "Stage 2 of 3: edges at full size",
    3: "Stage 3 of 3: full size",
}
MIXED_STAGE = 2


@dataclass
class StageRecord:
    """What one stage did.

    number   1 to 3.
    steps    sampling steps.
    tokens   per picture of the batch.
    calls    evaluations of the guided model; some samplers make two in a step.
    loading  seconds before the first call, when the model is moved to its device.
    seconds  from then to the end of the stage.
    share    of the blocks' work in these calls, what ran; an acceleration skips some.
    is_cold  whether weights were still on their way to the device in these calls.
    """

    number: int
    steps: int
    tokens: list[int]
    calls: int = 0
    loading: float = 0.0
    seconds: float = 0.0
    share: float = 1.0
    is_cold: bool = False


@dataclass
class Progress:
    """Steps of all stages on the host's bar. `records` tells afterwards what was run.

    overlay  the regions chosen after stage 1 on its picture; None before.
    """

    patcher: Any
    total: int
    records: list[StageRecord] = field(default_factory=list)
    overlay: Overlay | None = None

    def __post_init__(self) -> None:
        self._done = 0
        self._denoised: torch.Tensor | None = None
        self._picture: torch.Tensor | None = None
        self._regions: torch.Tensor | None = None
        self._previewer = latent_preview.get_previewer(
            self.patcher.load_device, self.patcher.model.latent_format
        )
        self._bar = comfy.utils.ProgressBar(self.total)
        self._log_bar = tqdm(total=self.total, disable=not comfy.utils.PROGRESS_BAR_ENABLED)

    @property
    def has_previews(self) -> bool:
        return self._previewer is not None

    @contextmanager
    def stage(self, number: int, steps: int, tokens: list[int]):
        """Yields the callback for one stage; its steps follow those of the stages before."""
        record = StageRecord(number, steps, tokens)
        self.records.append(record)
        offset, started = self._done, time.perf_counter()
        self._log_bar.set_description(f"RALU stage {number}")
        show_status(f"{STAGE_TEXTS[number]}, {max(tokens)} tokens, {steps} steps")

        def callback(step, denoised, x, _total):
            comfy.model_management.throw_exception_if_processing_interrupted()
            self._denoised = denoised
            self._advance(offset + step + 1, self._preview(denoised, number))

        yield callback
        self._advance(offset + steps)
        record.seconds = time.perf_counter() - started - record.loading

    def timed(self, sampler):
        """A copy of a SAMPLER that notes when the model is loaded, its calls, and what they ran."""
        function, started = sampler.sampler_function, time.perf_counter()

        @functools.wraps(function)
        def sample(model, *args, **kwargs):
            record = self.records[-1]
            record.loading = time.perf_counter() - started
            loaded = self.patcher.loaded_size()
            samples = function(_Counted(model, record), *args, **kwargs)
            record.is_cold = self.patcher.loaded_size() > loaded
            record.share = _share_of((kwargs.get("extra_args") or {}).get("model_options", {}))
            return samples

        timed = copy.copy(sampler)
        timed.sampler_function = sample
        return timed

    def watched(self, decode: Callable | None) -> Callable | None:
        """The decoder of the clean estimate; its pictures are kept to draw the regions on."""
        if decode is None:
            return None

        def watch(denoised: torch.Tensor) -> torch.Tensor:
            show_status("After stage 1: looking for edges")
            picture = decode(denoised)
            self._picture = picture
            return picture

        return watch

    def show_regions(self, chosen: torch.Tensor) -> torch.Tensor:
        """Show the chosen coarse tokens, (B, rows, columns) bool, at once; returns them."""
        self._regions = chosen.cpu()
        self.overlay = Overlay(self._picture, self._regions)
        self._picture = None
        if self._bar.hook is not None and is_watched():
            self._bar.update_absolute(self._done, self.total, _as_preview(self.overlay.drawn))
        return chosen

    def take_denoised(self) -> torch.Tensor:
        """The clean estimate of the last step, in the model's own scaling, on its device."""
        if self._denoised is None:
            raise ValueError(
                "RALU reads the clean estimate that samplers report at each step, and this SAMPLER "
                "reported none: use one of ComfyUI's own samplers."
            )
        denoised, self._denoised = self._denoised, None
        return denoised

    def close(self) -> None:
        self._log_bar.close()

    def _advance(self, done: int, preview: tuple | None = None) -> None:
        self._log_bar.update(done - self._done)
        if done > self._done or preview:
            self._bar.update_absolute(done, self.total, preview)
        self._done = done

    def _preview(self, denoised: torch.Tensor, number: int) -> tuple | None:
        """What the host's ProgressBar takes: format, picture, longest side; None: previews off."""
        if self._previewer is None:
            return None
        preview = self._previewer.decode_latent_to_preview_image("JPEG", denoised)
        if preview is None or number != MIXED_STAGE or self._regions is None:
            return preview
        picture = torch.from_numpy(np.array(preview[1].convert("RGB"), dtype=np.float32) / 255)
        return _as_preview(region_overlay(picture[None], self._regions[:1]))


class _Counted:
    """The guided model as a sampler sees it, counting calls."""

    def __init__(self, model: Any, record: StageRecord):
        self._model, self._record = model, record

    def __call__(self, *args, **kwargs):
        self._record.calls += 1
        return self._model(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        # A copy that is still being made has none, and must not ask for it here again.
        return getattr(object.__getattribute__(self, "_model"), name)


def _share_of(model_options: dict) -> float:
    """What the accelerated call of these options has run so far; 1 without an acceleration."""
    work = model_options.get("transformer_options", {}).get(WORK)
    return 1.0 if work is None else work.share


def _as_preview(overlay: torch.Tensor) -> tuple:
    picture = Image.fromarray((overlay[0] * 255).round().byte().numpy())
    return "JPEG", picture, latent_preview.MAX_PREVIEW_RESOLUTION
