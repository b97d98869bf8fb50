"""Run each stage as one ordinary sampling call of the host, on copies of the caller's guider."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import comfy.sampler_helpers
import torch
from comfy.model_patcher import create_model_options_clone
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

from ...ralu_core.sampler import FULL, DrawNoise, Stage, StageEnd, Start
from ...ralu_core.tokens import spread
from .conds import Conds, fit_to_layout
from .mixed_call import MixedCall
from .progress import Progress

WRAPPER_KEY = "ralu_mixed_call"
SEEDS = 2**64 - 1  # some samplers add one


@dataclass
class GuiderStages:
    """A `run_stage` for `ralu_core.sampler.run_stages` over a ComfyUI guider.

    guider    the caller's; only copies of it sample, so nothing is left on it.
    conds     its conditioning, fitted to the canvas.
    latent    (B, C, H, W) the caller's latent on the canvas, unprocessed; zero when empty.
    mask      inpaint mask, 1 = sample, at any resolution, or None.
    draw_ahead
              draws the noise of the transition into a stage, for `run_stages` to ask for later.
    """

    guider: Any
    sampler: Any
    conds: Conds
    latent: torch.Tensor
    mask: torch.Tensor | None
    seed: int
    progress: Progress
    draw_ahead: DrawNoise | None = None

    def __post_init__(self) -> None:
        self.is_empty = not torch.any(self.latent)
        self._has_joined = False

    def __call__(self, stage: Stage, start: Start) -> StageEnd:
        comfy.model_management.throw_exception_if_processing_interrupted()
        steps, end = len(stage.sigmas) - 1, stage.sigmas[-1]
        with self.progress.stage(stage.index + 1, steps, self._tokens(stage)) as callback:
            out = self._guider_for(stage).sample(
                stage.white,
                self._unprocessed(stage),
                self.progress.timed(begin_at(self.sampler, start)),
                torch.tensor(stage.sigmas),
                denoise_mask=self._mask(stage),
                callback=callback,
                disable_pbar=True,
                seed=(self.seed + stage.index) % SEEDS,
            )
            self._check_joined(stage)
            if self.draw_ahead and stage.index < FULL:
                self.draw_ahead(stage.index + 1)  # on the CPU, while the device still samples
            _check_numbers(out, stage)  # waits for the device, so that the stage's time is whole
        denoised = self.progress.take_denoised()
        if end > 0:  # back from the host's finished latent to the model's own scaling
            out = self.guider.model_patcher.model.process_latent_in(out) * (1 - end)
        return StageEnd(out, denoised)

    def _guider_for(self, stage: Stage):
        guider = copy.copy(self.guider)
        guider.original_conds = self.conds
        if stage.layout is None:
            return guider
        layout = stage.layout.to(guider.model_patcher.load_device)
        guider.original_conds = fit_to_layout(self.conds, layout)
        guider.model_options = create_model_options_clone(guider.model_options)
        add_wrapper_with_key(
            WrappersMP.OUTER_SAMPLE,
            WRAPPER_KEY,
            functools.partial(self._join, MixedCall(layout)),
            guider.model_options,
            is_model_options=True,
        )
        return guider

    def _join(self, call: MixedCall, executor, *args, **kwargs):
        """An OUTER_SAMPLE wrapper: `call` joins last, so that all others see full-size latents.

        Not by a clone of the MODEL: the host unpins the weights of the MODEL where a clone ends.
        """
        self._has_joined = True
        options = executor.class_obj.model_options  # the host's own copy, for this sampling alone
        kind = WrappersMP.APPLY_MODEL
        add_wrapper_with_key(kind, WRAPPER_KEY, call, options, is_model_options=True)
        return executor(*args, **kwargs)

    def _check_joined(self, stage: Stage) -> None:
        if stage.layout is not None and not self._has_joined:
            raise ValueError(
                "RALU's mixed stage joins ComfyUI's own sampling, and the GUIDER "
                f"{type(self.guider).__name__} replaces it: use a CFGGuider, or a KSampler."
            )

    def _tokens(self, stage: Stage) -> list[int]:
        if stage.layout is not None:
            return stage.layout.counts
        h, w = stage.white.shape[-2:]
        return [h * w // 4] * stage.white.shape[0]

    def _unprocessed(self, stage: Stage) -> torch.Tensor:
        """The stage's clean latent as the host expects it, before its own latent scaling."""
        if stage.index == FULL:
            return self.latent
        if self.is_empty:
            return torch.zeros_like(stage.clean)
        return self.guider.model_patcher.model.process_latent_out(stage.clean)

    def _mask(self, stage: Stage) -> torch.Tensor | None:
        """The inpaint mask in the stage's form, like the noise and the clean latent."""
        if self.mask is None:
            return None
        full = self._mask_at(self.latent.shape)
        if stage.index == FULL:
            return full
        b, c, h, w = self.latent.shape
        coarse = self._mask_at((b, c, h // 2, w // 2))
        if stage.layout is None:
            return coarse
        return torch.where(stage.layout.fine_pixels, full, spread(coarse))

    def _mask_at(self, shape) -> torch.Tensor:
        mask = comfy.sampler_helpers.prepare_mask(self.mask, shape, self.latent.device)
        return mask[:, :1]  # the host repeats it over channels again, counting masks by rows


def begin_at(sampler, start: Start):
    """A copy of a SAMPLER that begins there. Its noise then only restores what a mask keeps."""
    function = sampler.sampler_function

    @functools.wraps(function)
    def sample(model, scaled_noise, *args, **kwargs):
        # Into what the host made for it to begin with, or both would be kept while it samples.
        return function(model, scaled_noise.copy_(start.take()), *args, **kwargs)

    begun = copy.copy(sampler)
    begun.sampler_function = sample
    return begun


def all_finite(numbers: torch.Tensor) -> bool:
    """Whether there is no infinity and no NaN: one would reach the sum, 25 times faster to make."""
    return bool(torch.isfinite(numbers.sum())) or bool(torch.isfinite(numbers).all())


def _check_numbers(out: torch.Tensor, stage: Stage) -> None:
    if not all_finite(out):
        raise ValueError(
            f"The MODEL returned values that are not numbers in stage {stage.index + 1}: set its "
            "weight dtype to bf16 or fp32, and check its LoRAs and the cfg."
        )
    if out.shape != stage.white.shape:
        raise ValueError(
            f"RALU sets the size of every stage, and the SAMPLER turned {tuple(stage.white.shape)} "
            f"into {tuple(out.shape)}: use a sampler that keeps the size."
        )
