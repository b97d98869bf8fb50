"""Which enlarger a run takes: the one that is wired, or the one saved for its VAE."""

from __future__ import annotations

import logging
from typing import Any

import torch

from ....ralu_core.crossings import Matched
from ....ralu_core.growth import DEFAULT_GROWTH
from ....ralu_core.growth.enlarged import Enlarged
from ....ralu_core.growth.enlarger import Enlarger
from ....ralu_core.latents.space import Space
from ....ralu_core.plans import Plan
from . import files

FITTED = "grown by the enlarger"
NOT_GROWN = "nothing grows by an enlarger in this plan"

log = logging.getLogger(__name__)


def with_enlarger(
    plan: Plan, upsampling: str, wired: Enlarger | None, vae: Any, model: Any, space: Space
) -> tuple[Plan, str]:
    """The plan by the enlarger, where it grows by one, and what the report says of that. ValueError
    for an enlarger of other latents, and for a file that cannot be read.

    wired  what lies on the socket.
    """
    if not any(isinstance(one, Matched) and one.growth == Enlarged.name for one in plan.crossings):
        is_asked = wired is not None or (upsampling == Enlarged.name and plan.crossings)
        return plan, NOT_GROWN if is_asked else ""
    enlarger, why = _found(wired, vae)
    if enlarger is None:
        log.warning("RALU grows latents by dct: %s.", why)
        return plan, f"grown by dct, as {why}"
    if enlarger.channels != space.channels:
        raise ValueError(
            f"This MODEL has latents of {space.channels} channels, and the enlarger was fitted on "
            f"{enlarger.channels}: fit it with the model's own VAE, or set upsampling to "
            f"{DEFAULT_GROWTH}."
        )
    fitted = Enlarged(enlarger.scaled(*scaling_of(model, space)))
    return plan.growing_by(fitted), FITTED


def scaling_of(model: Any, space: Space) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and offset of each channel, from a VAE's latents to the model's own."""
    zero, one = (
        space.enter(model.process_latent_in(space.leave(torch.full((1, space.channels, 2, 2), x))))
        for x in (0.0, 1.0)
    )
    offset = zero.mean((0, 2, 3))
    return one.mean((0, 2, 3)) - offset, offset


def _found(wired: Enlarger | None, vae: Any) -> tuple[Enlarger | None, str]:
    """The enlarger, or why there is none."""
    if wired is not None:
        return wired, ""
    if vae is None:
        return None, "neither an enlarger nor a VAE that could have one is connected"
    return files.saved_for(vae), "no enlarger is saved for this VAE: run RALU Fit Latent Enlarger"
