"""Of which run a part is: samplers that share one are each given some of its noise levels."""

from __future__ import annotations

import logging
from collections.abc import Iterator
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
    part = sigmas.detach().cpu().float()
    for steps in range(len(part), MOST_TRIED + 1):  # one more than the part's at least
        if any(_holds(whole, part) for whole in _runs(sampling, steps)):
            return steps
    return 0


def _runs(sampling: Any, steps: int) -> Iterator[torch.Tensor]:
    """Noise levels of a run of so many steps, by each scheduler; some samplers of the host leave
    the last level but one of a longer run out."""
    for name in comfy.samplers.SCHEDULER_HANDLERS:
        for more in (0, 1):
            try:
                levels = comfy.samplers.calculate_sigmas(sampling, name, steps + more)
            except Exception as error:  # of a scheduler of another pack, which may know fewer steps
                log.debug("The scheduler %s makes no run of %d steps: %s", name, steps, error)
                continue
            levels = levels.cpu().float()
            yield torch.cat([levels[:-2], levels[-1:]]) if more else levels


def _holds(whole: torch.Tensor, part: torch.Tensor) -> bool:
    """Whether a run's levels hold those of the part in a row."""
    if len(whole) < len(part):
        return False
    rows = whole.unfold(0, len(part), 1)
    return bool(torch.isclose(rows, part, rtol=SAME, atol=TINY).all(dim=1).any())
