"""What the widgets and optional inputs of a node that samples say."""

from __future__ import annotations

from typing import Any

from ...ralu_core.growth import DEFAULT_GROWTH
from .dial import PAPER, check_quality
from .inputs import AUTO
from .own_run import OwnRun
from .request import Settings
from .sampling.references import IN_FULL, check_references
from .sockets import check_choices, check_counts, check_numbers, check_sockets


def settings_of(
    *,
    quality: str = PAPER,
    edge_detector: str = AUTO,
    edge_threshold: float = 0.0,
    upsampling: str = DEFAULT_GROWTH,
    references: str = IN_FULL,
    denoise: float = 1.0,
    plain_steps: int = 0,
    schedule: Any = None,
    region_mask: Any = None,
    enlarger: Any = None,
) -> Settings:
    """The settings, by the ids of inputs; one that a node or an older workflow lacks is as it was
    before there was any. ValueError for what is none of its kind."""
    check_sockets(schedule=schedule, region_mask=region_mask, enlarger=enlarger)
    check_numbers(denoise=denoise, edge_threshold=edge_threshold)
    check_counts(plain_steps=plain_steps)
    check_choices(edge_detector=edge_detector, upsampling=upsampling, quality=quality)
    check_references(references)
    check_quality(quality, schedule is not None)
    return Settings(
        schedule=schedule,
        own=OwnRun(int(plain_steps), denoise),
        detector=edge_detector,
        threshold=edge_threshold,
        upsampling=upsampling,
        region_mask=region_mask,
        quality=quality,
        enlarger=enlarger,
        references=references,
    )
