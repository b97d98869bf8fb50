"""Of which run a part is: samplers that share one are each given some of its noise levels."""

from __future__ import annotations

import functools
import logging
import math
from typing import Any

import comfy.samplers
import torch

MOST_TRIED = 40  # steps of a whole run; more are told by the part of its time
SAME, TINY = 1e-3, 1e-6  # levels, relative to each, and where it is 0

log = logging.getLogger(__name__)


def steps_of_whole(sampling: Any, sigmas: torch.Tensor) -> int:
    """Steps of the run that some noise levels in a row are a part of, by one of the host's
    schedulers; 0 where none makes such a run in MOST_TRIED steps or fewer.

    sampling  the MODEL's.
    sigmas    of the part, falling.
    """
    part = sigmas.tolist()
    levels = functools.cache(functools.partial(_levels, sampling))
    for steps in range(len(part), MOST_TRIED + 1):  # one more than the part's at least
        for name in comfy.samplers.SCHEDULER_HANDLERS:
            longer = levels(name, steps + 1)  # of which some samplers leave the last but one out
            if _holds(levels(name, steps), part) or _holds(longer[:-2] + longer[-1:], part):
                return steps
    return 0


def _levels(sampling: Any, name: str, steps: int) -> list[float]:
    """Noise levels of a run of so many steps by a scheduler; none where it fails."""
    try:
        return comfy.samplers.calculate_sigmas(sampling, name, steps).tolist()
    except Exception as error:  # of a scheduler of another pack, which may know fewer steps
        log.debug("The scheduler %s makes no run of %d steps: %s", name, steps, error)
        return []


def _holds(whole: list[float], part: list[float]) -> bool:
    """Whether a run's levels hold those of the part in a row."""
    return any(
        all(
            math.isclose(one, other, rel_tol=SAME, abs_tol=TINY)
            for one, other in zip(whole[k:], part, strict=False)
        )
        for k in range(len(whole) - len(part) + 1)
    )
