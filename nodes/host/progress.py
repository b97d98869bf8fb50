"""One progress bar, with live previews, over the stages of a run; the clock of each stage."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import comfy.model_management
import comfy.utils
import latent_preview
import torch
from tqdm.auto import tqdm


@dataclass
class StageRecord:
    """What one stage did: its number for users, model steps, tokens per picture and seconds."""

    number: int
    steps: int
    tokens: list[int]
    seconds: float = 0.0


@dataclass
class Progress:
    """Steps of all stages on the host's bar. `records` tells afterwards what was run."""

    patcher: Any
    total: int
    records: list[StageRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._done = 0
        self._denoised: torch.Tensor | None = None
        self._preview = latent_preview.prepare_callback(self.patcher, self.total)
        self._bar = tqdm(total=self.total, disable=not comfy.utils.PROGRESS_BAR_ENABLED)

    @contextmanager
    def stage(self, number: int, steps: int, tokens: list[int]):
        """Yields the callback for one stage; its steps follow those of the stages before."""
        record = StageRecord(number, steps, tokens)
        offset, started = self._done, time.perf_counter()
        self._bar.set_description(f"RALU stage {number}")

        def callback(step, denoised, x, _total):
            comfy.model_management.throw_exception_if_processing_interrupted()
            self._denoised = denoised
            self._preview(offset + step, denoised, x, self.total)
            self._bar.update(offset + step + 1 - self._done)
            self._done = offset + step + 1

        yield callback
        self._done = offset + steps
        record.seconds = time.perf_counter() - started
        self.records.append(record)

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
        self._bar.close()
