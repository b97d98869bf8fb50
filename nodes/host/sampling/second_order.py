"""Second-order steps as a SAMPLER of the host, and how they remember what was before a stage."""

from __future__ import annotations

import copy
import functools
import itertools
from typing import Any

import comfy.model_patcher
import comfy.samplers
import torch

from ....ralu_core.latents.space import Space
from ....ralu_core.latents.states import Memory
from ....ralu_core.plans import Stage
from ....ralu_core.steps import Steps
from .inpaint_mask import InpaintMask


class Unguided:
    """The host's clean estimate without guidance, as each call of the model tells it; None after a
    call that told nothing, as another node's cache answered in its place.

    is_told  whether any call told it. A GUIDER with a way of its own may never do.
    """

    def __init__(self) -> None:
        self.denoised: torch.Tensor | None = None
        self.is_told = False
        self._guided: torch.Tensor | None = None

    def heard(self, extra_args: dict) -> dict:
        """Arguments of a sampler's calls of the model, with which they tell it."""
        options = comfy.model_patcher.set_model_options_post_cfg_function(
            dict(extra_args.get("model_options", {})), self._hear
        )
        return {**extra_args, "model_options": options}

    def _hear(self, told: dict) -> torch.Tensor:
        if told["cond"] is not None:  # else its estimate is zeros, as where DualCFG needs none
            self.denoised, self.is_told = told["cond_denoised"], True
            self._guided = told["denoised"]
        return told["denoised"]

    def keep(self, denoised: torch.Tensor, mask: torch.Tensor | None) -> None:
        """Take what an inpaint mask keeps from the model's answer, into which the host put it."""
        if self.denoised is None or self._guided is None or mask is None:
            return
        blended = denoised + mask * (self.denoised - self._guided)
        self.denoised = torch.where(mask == 1, self.denoised, blended)


def sample_second_order(
    model,
    x: torch.Tensor,
    sigmas: torch.Tensor,
    extra_args: dict | None = None,
    callback=None,
    disable=None,
    memory: Memory | None = None,
    settles: float = 0.0,
    straight_guidance: bool = False,
    restrained: bool = False,
    corrected: bool = False,
    unguided: Unguided | None = None,
    goes_on: bool | None = None,
) -> torch.Tensor:
    """Adams-Bashforth steps of order 2 in velocity over sigma, one call of the model each.

    As the host's own samplers: x (B, ...) at sigmas[0], sigmas falling; the first step is Euler's,
    unless there is a memory of one before it. Unless the run `goes_on` after it, which None asks
    the last level, the last step is Euler's as far as it `settles`. What guidance adds may go on
    straight, and `unguided` hears then what the model says without it; a call that does not tell it
    takes Euler's step, and the next one begins anew; until one tells it, all bends. The callback
    comes after each step; where that ends at 0, its clean estimate is the picture. `restrained`
    and `corrected` as `Stage` says. What an inpaint mask keeps goes straight at each step, as Euler
    takes it to what is there, and so does a step of what the mask has just given free.
    """
    extra_args = extra_args or {}
    inpaint = InpaintMask(extra_args.get("denoise_mask"))
    extra_args = inpaint.heard(extra_args)
    if goes_on is None:
        goes_on = bool(sigmas[-1] > 0)
    settles = 0.0 if goes_on else settles
    if straight_guidance:
        unguided = unguided or Unguided()
        extra_args = unguided.heard(extra_args)
    of_rules = functools.partial(Steps, 2, restrained=restrained, corrected=corrected)
    steps, rows, last = of_rules(memory=memory), x.new_ones(len(x)), len(sigmas) - 2
    # Read once: steps of levels on a device would be as many small calls of it again.
    for i, levels in enumerate(itertools.pairwise(sigmas.tolist())):
        was_told = unguided is not None and unguided.is_told
        if unguided is not None:
            unguided.denoised = None
        begun, denoised = x, model(x, sigmas[i] * rows, **extra_args)
        if unguided is not None:
            unguided.keep(denoised, inpaint.mask)
        settling = settles if i == last else 0.0
        if unguided is None or not unguided.is_told:
            x = steps.take(x, denoised, *levels, settling, within=inpaint.mask)
        elif unguided.denoised is None:
            x, steps = Steps(1).take(x, denoised, *levels), of_rules()
        else:
            steps = steps if was_told or i == 0 else of_rules()
            x = steps.take(x, denoised, *levels, settling, unguided.denoised, inpaint.mask)
        if callback is not None:
            step = {"x": begun, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i]}
            # Without noise the state is the clean estimate, which other nodes take for the picture.
            callback({**step, "denoised": x if levels[1] == 0 else denoised})
    return x


def second_order(
    settles: float = 0.0,
    straight_guidance: bool = False,
    restrained: bool = False,
    corrected: bool = False,
) -> comfy.samplers.KSAMPLER:
    """The SAMPLER of such steps, with its options."""
    options = {
        "settles": settles,
        "straight_guidance": straight_guidance,
        "restrained": restrained,
        "corrected": corrected,
    }
    return comfy.samplers.KSAMPLER(sample_second_order, extra_options=options)


def is_second_order(sampler: Any) -> bool:
    """Whether a SAMPLER takes these steps, and so can be given a memory."""
    return getattr(sampler, "sampler_function", None) is sample_second_order


def of_second_order(sampler: Any) -> Any:
    """A copy of another SAMPLER with these steps in the place of its own."""
    made = copy.copy(sampler)
    made.sampler_function, made.extra_options = sample_second_order, {}
    return made


def goes_straight(sampler: Any, stage: Stage) -> bool:
    """Whether what guidance adds goes on straight in a stage: as its plan says, or the SAMPLER."""
    asked = is_second_order(sampler) and sampler.extra_options.get("straight_guidance", False)
    return stage.straight_guidance or asked


def for_stage(
    sampler: Any,
    stage: Stage,
    memory: Memory | None,
    space: Space,
    unguided: Unguided | None,
) -> Any:
    """A copy of a SAMPLER that knows how its stage begins and ends; others need not know."""
    if not is_second_order(sampler):
        return sampler
    asked = sampler.extra_options
    options = {
        "settles": max(asked.get("settles", 0.0), stage.settles),
        "straight_guidance": unguided is not None,
        "restrained": asked.get("restrained") or stage.restrained,
        "corrected": asked.get("corrected") or stage.corrected,
        "unguided": unguided,
        "goes_on": stage.end > 0,
    }
    if memory is not None:
        options["memory"] = _hosted(memory, space)
    made = copy.copy(sampler)
    made.extra_options = options
    return made


def _hosted(memory: Memory, space: Space) -> Memory:
    """A memory in the form of the host."""
    held = memory.held
    return Memory(
        memory.sigma,
        space.leave(memory.velocity),
        lambda fine: space.leave(held(space.enter(fine))),
    )
