"""Run each stage as one ordinary sampling call of the host, on copies of the caller's guider."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_management
import comfy.sampler_helpers
import torch
from comfy.model_patcher import create_model_options_clone
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from comfy.samplers import CFGGuider

from ....ralu_core.latents.grid import FULL, HALF
from ....ralu_core.latents.layout import Layout
from ....ralu_core.latents.noise import stage_seed
from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from ....ralu_core.latents.states import StageEnd
from ....ralu_core.latents.views import view_named
from ....ralu_core.plans import Plan
from ....ralu_core.tasks import StageTask, Start
from ..families.family import Family
from ..families.inspect import network_of
from .begin import begin_at, sampler_name
from .conds import Conds, fit_to_layout
from .finite import all_finite
from .guidance import calls_of, has_own_cfg, without_guidance
from .keys import IN_STAGE, MASK_FUNCTION, VIEWS
from .mixed_call import MixedCall
from .places import PlaceProbe
from .second_order import Unguided, for_stage, goes_straight
from .spatial import at_both_sizes
from .text_attention import TextAttention, refuse_unasked
from .views import Probe
from .watch import Watch

WRAPPER_KEY = "ralu_mixed_call"
SAMPLER_SEEDS = 2**64 - 1  # some samplers add one


@dataclass
class GuiderStages:
    """A `run_stage` for `ralu_core.sampler.run_plan` over a ComfyUI guider.

    guider  the caller's; only copies of it sample, so nothing is left on it.
    conds   its conditioning, fitted to the frame.
    family  of its MODEL.
    latent  (B, C, H, W) the caller's latent on the frame, in the family's space and the host's
            scaling; zero when empty.
    mask    inpaint mask, 1 = sample, at any resolution, or None.
    watch   notes what happens.
    plan    whose stages they are; None where a stage is sampled for itself.
    watches_text  whether attention to the text is watched before regions are chosen.
    lettering  (n,) bool, which vectors of the prompt are of words that the picture is to show.
    half_conds
            conditioning of stages at half size, where it is another.
    is_sampling
            whether the guider's own `sample` is under way around the stages: then what it adds to
            the host's is not added again.
    """

    guider: Any
    sampler: Any
    conds: Conds
    family: Family
    latent: torch.Tensor
    mask: torch.Tensor | None
    seed: int
    watch: Watch
    plan: Plan | None = None
    watches_text: bool = False
    lettering: torch.Tensor | None = None
    half_conds: Conds | None = None
    is_sampling: bool = False

    def __post_init__(self) -> None:
        self.is_empty = not torch.any(self.latent)
        self.to_text: TextAttention | None = None
        stages = () if self.plan is None else self.plan.stages
        self._is_mixed = any(stage.grid.is_mixed for stage in stages)
        self._has_views = any(view_named(stage.views).corrected for stage in stages)

    @property
    def _space(self) -> Space:
        return self.family.space

    def __call__(self, task: StageTask, start: Start) -> StageEnd:
        comfy.model_management.throw_exception_if_processing_interrupted()
        stage, space = task.stage, self._space
        levels = None if self.plan is None else self.plan.levels_from(stage)
        self._has_joined = False
        joined = functools.partial(self._check_joined, task)
        rows = calls_of(self.guider if stage.guided else without_guidance(self.guider))
        unguided = Unguided() if goes_straight(self.sampler, stage) else None
        sampler = for_stage(self.sampler, stage, start.memory, space, unguided)
        with self.watch.stage(task, self._tokens(task), rows) as callback:
            out = self._sample_of(self._guider_for(task))(
                space.leave(task.white),
                self._unprocessed(task),
                self.watch.timed(
                    begin_at(sampler, start, space, levels, joined, self._is_hosts(task))
                ),
                torch.tensor(stage.sigmas),
                denoise_mask=self._mask(task),
                callback=callback,
                disable_pbar=True,
                seed=stage_seed(self.seed, stage.number) % SAMPLER_SEEDS,
            )
            joined()
            if task.draw_ahead:
                task.draw_ahead()
            # Waits for the device, so that the stage's time is whole.
            self._check_numbers(out, space.leave(task.white).shape, stage.number)
        denoised = self.watch.take_denoised()
        if stage.end > 0 and not self._is_last(task):
            # Back from the host's finished latent to the model's own scaling.
            out = self.guider.model_patcher.model.process_latent_in(out) * (1 - stage.end)
        history, last = self.watch.take_history(), self.watch.take_last()
        if last is not None and unguided is not None and unguided.is_told:
            heard = unguided.denoised
            last = None if heard is None else replace(last, denoised=space.enter(heard))
        return StageEnd(space.enter(out), denoised, history, last)

    def _is_hosts(self, task: StageTask) -> bool:
        """Whether the host makes the start of a stage: the run's first, at full size."""
        first = None if self.plan is None else self.plan.stages[0].number
        return task.stage.number == first and task.stage.grid is FULL

    def _sample_of(self, guider: Any):
        """How a stage's guider samples."""
        if self.is_sampling and isinstance(guider, CFGGuider):
            return functools.partial(CFGGuider.sample, guider)
        return guider.sample

    def _guider_for(self, task: StageTask):
        guider = copy.copy(self.guider if task.stage.guided else without_guidance(self.guider))
        is_half = task.stage.grid is HALF and self.half_conds is not None
        guider.original_conds = self.half_conds if is_half else self.conds
        guider.model_options = create_model_options_clone(guider.model_options)
        guider.model_options[IN_STAGE] = True
        if self.plan is not None and MASK_FUNCTION in guider.model_options:
            function = guider.model_options[MASK_FUNCTION]
            device = guider.model_patcher.load_device  # where the stage has its own, too
            levels = torch.tensor(self.plan.levels_from(task.stage), device=device)
            guider.model_options[MASK_FUNCTION] = functools.partial(_over_run, function, levels)
        options = guider.model_options.setdefault("transformer_options", {})
        if self._has_views and self.family.views.splits:
            options[VIEWS] = True
        add_wrapper_with_key(
            WrappersMP.OUTER_SAMPLE,
            WRAPPER_KEY,
            functools.partial(self._join, self._calls(guider, task)),
            guider.model_options,
            is_model_options=True,
        )
        return guider

    def _calls(self, guider, task: StageTask) -> list[Callable]:
        """What stands around the model's calls of a stage, the innermost last."""
        layout = task.layout
        own = self._watch(task) if layout is None else self._mixed_call(guider, task, layout)
        return [call for call in (own, *self._probes(task)) if call is not None]

    def _mixed_call(self, guider, task: StageTask, layout: Layout) -> MixedCall:
        """The model's call in a mixed stage, for which the guider gets its conds and filters."""
        device = guider.model_patcher.load_device
        packings = Packing.parts(layout, self.family.one_table)
        packings = [packing.to(device) for packing in packings]
        layout = layout.to(device)
        guider.original_conds = fit_to_layout(self.conds, layout, packings, self._space)
        at_both_sizes(guider.model_options, layout, self._space)
        return MixedCall(packings, self.family)

    def _watch(self, task: StageTask) -> TextAttention | None:
        """The model's call in the stage before regions are chosen by attention to the text."""
        self.to_text = None
        if not (self.watches_text and task.before_choice):
            return None
        h, w = (side // self._space.patch for side in task.white.shape[-2:])
        blocks = self._blocks
        is_first, marks = has_own_cfg(self.guider), self.lettering
        if marks is not None:  # once, and not in each call
            marks = marks.to(self.guider.model_patcher.load_device)
        self.to_text = TextAttention(self.family, (h, w), len(task.white), blocks, is_first, marks)
        return self.to_text

    def _probes(self, task: StageTask) -> Iterator[Probe | PlaceProbe]:
        """In a run's first stage: whether the network asks for what a later one will change."""
        if self.plan is None or task.stage.number != self.plan.stages[0].number:
            return
        if self._is_mixed and task.layout is None:
            yield PlaceProbe(self.family.hooks[0])
        if self._has_views and self.family.views.splits:
            yield Probe(self._blocks)

    @property
    def _blocks(self) -> int:
        return self.family.size(network_of(self.guider.model_patcher)).blocks

    def attention_to_text(
        self, device: torch.device
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """(B, rows, columns) what the stage before a choice of regions saw of it, and of that to
        lettering; None where nobody asked. ValueError where the network asked for no attention."""
        if self.to_text is None:
            return None, None
        if self.to_text.found is None:
            refuse_unasked()
        lettering = self.to_text.lettering
        return self.to_text.found.to(device), None if lettering is None else lettering.to(device)

    def _join(self, calls: list, executor, *args, **kwargs):
        """An OUTER_SAMPLE wrapper: `calls` join last, so that all others see full-size latents.

        Not by a clone of the MODEL: the host unpins the weights of the MODEL where a clone ends.
        """
        self._has_joined = True
        options = executor.class_obj.model_options  # the host's own copy, for this sampling alone
        kind = WrappersMP.APPLY_MODEL
        for call in calls:
            add_wrapper_with_key(kind, WRAPPER_KEY, call, options, is_model_options=True)
        return executor(*args, **kwargs)

    def _check_joined(self, task: StageTask) -> None:
        """Before a stage's first call of the network, in the first stage, too, if any is mixed."""
        if (self._is_mixed or task.layout is not None) and not self._has_joined:
            raise ValueError(
                "RALU's mixed stage joins ComfyUI's own sampling, and the GUIDER "
                f"{type(self.guider).__name__} replaces it: use a CFGGuider, or use a KSampler."
            )

    def _is_last(self, task: StageTask) -> bool:
        return self.plan is not None and task.stage.number == self.plan.stages[-1].number

    def _tokens(self, task: StageTask) -> list[int]:
        if task.layout is not None:
            return task.layout.counts
        items, channels, *sides = task.white.shape
        h, w = (math.ceil(side / self._space.patch) for side in sides)
        return [channels // self._space.channels * h * w] * items

    def _unprocessed(self, task: StageTask) -> torch.Tensor:
        """The stage's clean latent as the host expects it, before its own latent scaling."""
        if task.stage.grid is FULL:
            return self._space.leave(self.latent)
        clean = self._space.leave(task.clean)
        if self.is_empty:
            return torch.zeros_like(clean)
        return self.guider.model_patcher.model.process_latent_out(clean)

    def _mask(self, task: StageTask) -> torch.Tensor | None:
        """The inpaint mask in the stage's form, like the noise and the clean latent."""
        if self.mask is None or self.family.has_layers:  # for which the host takes several
            return self.mask
        layout = task.layout and task.layout.folded(self._space.fold)
        given = self.mask
        mask = task.stage.grid.join(
            lambda: self._mask_at(given, 1), lambda: self._mask_at(given, 2), layout
        )
        return mask[:, :, None] if self._space.has_frames else mask

    def _mask_at(self, mask: torch.Tensor, shrink: int) -> torch.Tensor:
        """(B, 1, H, W) at the host's full size, or at a half of it."""
        b, c, h, w = self.latent.shape
        shrink *= self._space.fold
        frames = (1,) if self._space.has_frames else ()
        shape = (b, c, *frames, h // shrink, w // shrink)
        mask = mask.reshape(-1, 1, *frames, *mask.shape[-2:])
        mask = comfy.sampler_helpers.prepare_mask(mask, shape, self.latent.device)
        mask = mask[:, :1]  # the host repeats it over channels again, counting masks by rows
        return mask[:, :, 0] if frames else mask

    def _check_numbers(self, out: torch.Tensor, shape: torch.Size, number: int) -> None:
        if not all_finite(out):
            if self.watch.came_from_model():
                raise ValueError(
                    f"The MODEL returned values that are not numbers in stage {number}: set its "
                    "weight dtype to bf16 or fp32, and check its LoRAs and the cfg."
                )
            raise ValueError(
                f"The SAMPLER {sampler_name(self.sampler)} returned values that are not numbers in "
                f"stage {number}, though the MODEL's were: reset its options, or use euler."
            )
        if out.shape != shape:
            raise ValueError(
                f"RALU sets the size of every stage, and the SAMPLER {sampler_name(self.sampler)} "
                f"turned {tuple(shape)} into {tuple(out.shape)}: use a sampler that keeps the size."
            )


def _over_run(function, levels: torch.Tensor, sigma, mask, extra_options: dict):
    """A mask's function with the levels of the whole run in the place of the stage's."""
    levels = levels.to(extra_options["sigmas"])
    return function(sigma, mask, extra_options={**extra_options, "sigmas": levels})
