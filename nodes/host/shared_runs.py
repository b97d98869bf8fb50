"""Of which run a part is: samplers that share one are each given some of its noise levels."""

from __future__ import annotations

import copy
import functools
import itertools
import logging
import math
from typing import Any

import comfy.samplers
import torch

from .sampling.begin import sampler_name

MOST_TRIED = 40  # steps of a whole run; more are told by the part of its time
EQUAL, SAME, TINY = 1e-6, 1e-3, 1e-6  # levels, relative to each, and where it is 0

log = logging.getLogger(__name__)


def steps_of_whole(sampling: Any, sigmas: torch.Tensor, sampler: Any) -> int:
    """Steps of the run that some noise levels in a row are a part of, by one of the host's
    schedulers; 0 where none makes such a run in MOST_TRIED steps or fewer.

    sampling  the MODEL's.
    sigmas    of the part, falling.
    sampler   SAMPLER that was given them: for some a KSampler leaves the last level but one out,
              and the first part of a run does not tell.
    """
    part, drops = sigmas.tolist(), _drops_last_but_one(sampler)
    sampling = copy.deepcopy(sampling).to("cpu")  # where schedulers read its levels one by one
    levels = functools.cache(functools.partial(_levels, sampling))
    # SamplerCustomAdvanced leaves out none; the first levels of some schedulers are nearly equal.
    for near, dropped in itertools.product((EQUAL, SAME), (drops, not drops)):
        for steps in range(len(part), MOST_TRIED + 1):  # one more than the part's at least
            for name in comfy.samplers.SCHEDULER_HANDLERS:
                whole = levels(name, steps + dropped)
                if _holds(whole[:-2] + whole[-1:] if dropped else whole, part, near):
                    return steps
    return 0


def _drops_last_but_one(sampler: Any) -> bool:
    if not hasattr(sampler, "sampler_function"):
        return False
    return sampler_name(sampler) in comfy.samplers.KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS


def _levels(sampling: Any, name: str, steps: int) -> list[float]:
    """Noise levels of a run of so many steps by a scheduler; none where it fails."""
    try:
        return comfy.samplers.calculate_sigmas(sampling, name, steps).tolist()
    except Exception as error:  # of a scheduler of another pack, which may know fewer steps
        log.debug("The scheduler %s makes no run of %d steps: %s", name, steps, error)
        return []


def _holds(whole: list[float], part: list[float], near: float) -> bool:
    """Whether a run's levels hold those of the part in a row, so near to each."""
    return any(
        all(
            math.isclose(one, other, rel_tol=near, abs_tol=TINY)
            for one, other in zip(whole[k:], part, strict=False)
        )
        for k in range(len(whole) - len(part) + 1)
    )
