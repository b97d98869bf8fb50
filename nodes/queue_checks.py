"""What can be refused when a prompt is queued: before a model is loaded, from widgets and wires.

ComfyUI calls a node's `validate_inputs` with its widgets' values, with None for what a wire brings,
and without what is not connected, or left out of a prompt: what is required has None for a default,
so that ComfyUI can say itself what is missing. It leaves the values of the widgets that are named
to the node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ralu_core.latents.space import Space
from ..ralu_core.scores import score_named
from .host.dial import CUSTOM, PAPER, check_quality
from .host.families.table import FAMILIES
from .host.few_steps import too_few
from .host.inputs import check_detector, score_for
from .host.sockets import check_choices, check_counts, check_numbers

MISSING: Any = object()  # for a socket with nothing connected
LEAST_DENOISE = 0.01
MOST_PLAIN_STEPS = 10000  # as in a KSampler


def why_refused(check: Callable[..., None], *args: Any) -> bool | str:
    """True, or the sentence with which a check refuses."""
    try:
        check(*args)
    except (ValueError, ImportError) as error:
        return str(error)
    return True


def check_plan_and_detector(
    quality: str | None,
    edge_detector: str | None,
    vae: Any,
    schedule: Any,
    denoise: float | None,
    plain_steps: int | None = 0,
) -> None:
    """ValueError or ImportError for numbers that are none, for a quality without its schedule, and
    for a detector without its VAE or its library where the plan grows regions early in any case:
    from noise, by a schedule or a preset, unless so few steps are asked for that some family can
    spare none. None is what a wire brings, MISSING what none does.
    """
    if denoise is not None:
        check_numbers(denoise=denoise)
        if not LEAST_DENOISE <= denoise <= 1:
            raise ValueError(
                f"Denoise must lie between {LEAST_DENOISE:g} and 1, got {denoise:g}: 1 samples "
                "anew."
            )
    if plain_steps is not None:
        check_counts(plain_steps=plain_steps)
        if plain_steps > MOST_PLAIN_STEPS:
            raise ValueError(
                f"The plain_steps must be at most {MOST_PLAIN_STEPS}, got {plain_steps}: set "
                "them to those that you would take without RALU."
            )
    has_schedule = schedule is not MISSING
    if quality is not None:
        check_quality(quality, has_schedule)
    if edge_detector is None:
        return
    check_choices(edge_detector=edge_detector)
    score_named(score_for(edge_detector, vae is not MISSING))
    most = max(family.few_from for family in FAMILIES)
    may_be_plain = plain_steps is None or too_few(plain_steps, most)
    is_mixed = has_schedule or (quality in (PAPER, CUSTOM) and not may_be_plain)
    if is_mixed and denoise == 1:
        check_detector(edge_detector, None if vae is MISSING else _Connected(), Space())


class _Connected:
    """Stands for a VAE that is not there yet; whether it fits the MODEL is seen when it is."""
