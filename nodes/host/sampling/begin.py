"""What a stage's SAMPLER begins with: a state, and the levels that others count by."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any

import comfy.samplers
import torch
from comfy.k_diffusion import sampling

from ....ralu_core.latents.space import Space
from ....ralu_core.tasks import Start
from .keys import LEVELS, STAGE_LEVELS
from .watch import came_through_model

UNI_PC = {"unipc": "uni_pc", "unipc_bh2": "uni_pc_bh2"}  # function names, and the host's


def begin_at(
    sampler: Any,
    start: Start,
    space: Space,
    levels: Sequence[float] | None,
    before: Callable[[], None],
    is_hosts: bool,
) -> Any:
    """A copy of a SAMPLER that begins there. Its noise then only restores what a mask keeps.

    levels  of the whole run, which other nodes' patches find their step in; None: the stage's.
    before  is called first, and may refuse.
    is_hosts
            whether the host makes that start itself, to the bit: then its own is kept, with what
            other nodes' wrappers made of noise or latent.
    """
    function = sampler.sampler_function

    @functools.wraps(function)
    def sample(model, scaled_noise, sigmas, *args, **kwargs):
        before()
        if levels is not None:
            _tell_levels(kwargs.get("extra_args") or {}, levels, sigmas)
        own = space.leave(start.take())
        # Into what the host made for it to begin with, or both would be kept while it samples.
        state = scaled_noise if is_hosts else scaled_noise.copy_(own)
        del own
        try:
            return function(model, state, sigmas, *args, **kwargs)
        except IndexError as error:
            if came_through_model(error):
                raise
            raise ValueError(
                f"RALU gives each stage its own steps, here {len(sigmas) - 1}, and the SAMPLER "
                f"{sampler_name(sampler)} counts on others ({error}): set its own numbers of steps "
                "to no more than every stage has, or use KSamplerSelect."
            ) from error

    begun = copy.copy(sampler)
    begun.sampler_function = sample
    return begun


def _tell_levels(extra_args: dict, levels: Sequence[float], sigmas: torch.Tensor) -> None:
    """Into the host's own copy of the options, made for this sampling alone."""
    options = extra_args.get("model_options", {}).setdefault("transformer_options", {})
    options[STAGE_LEVELS] = sigmas
    options[LEVELS] = torch.tensor(levels).to(sigmas)


def sampler_name(sampler: Any) -> str:
    """What a SAMPLER is called, in the host's list or else by itself."""
    function = sampler.sampler_function
    for name in comfy.samplers.SAMPLER_NAMES:  # of other packs, too, under names of their own
        if getattr(sampling, f"sample_{name}", None) is function:
            return name
    own = getattr(function, "__name__", type(function).__name__).removeprefix("sample_")
    return UNI_PC.get(own, own)
