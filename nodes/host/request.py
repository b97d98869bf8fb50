"""What a node is asked for: its wires, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from ...ralu_core.growth import DEFAULT_GROWTH
from ...ralu_core.growth.enlarger import Enlarger
from ...ralu_core.plans import Plan
from ...ralu_core.scores import Regions
from .dial import PAPER
from .own_run import OwnRun
from .sampling.references import IN_FULL
from .showing.status import Tell, show_status

DEFAULT_SCORE = Regions().scorer.name
Step = Callable[[int, torch.Tensor, torch.Tensor, int], None]


@dataclass(frozen=True)
class Wires:
    """What a node is wired to.

    draw_noise  makes full-size noise for a LATENT, as NOISE does.
    callback    of another node's sampler, which has the bar and the previews; None: RALU's own.
    steps       that this sampler was asked for, by which its callback counts.
    tell        shows a line about the run.
    numbers     finds the number of each picture within its seed, where the LATENT does not tell; it
                is asked where a plan draws noise of its own.
    hides_steps whether the console is to show no steps.
    is_sampling
                whether the guider's own `sample` is under way around the run.
    """

    guider: Any
    sampler: Any
    latent: dict
    vae: Any
    draw_noise: Callable[[dict], torch.Tensor]
    seed: int
    callback: Step | None = None
    steps: int = 0
    tell: Tell = show_status
    numbers: Callable[[], list[int] | None] | None = None
    hides_steps: bool = False
    is_sampling: bool = False


@dataclass(frozen=True)
class Settings:
    """What a node's widgets and optional inputs say.

    schedule     the plan; None takes what the quality names, solved for the MODEL.
    own          the run that the user would have without RALU.
    detector     a score, or `AUTO`.
    threshold    0 takes the schedule's ratio; above 0 the ratio adapts to the picture.
    region_mask  MASK of what grows early in any case, or None.
    quality      one of `dial.QUALITIES`.
    enlarger     for upsampling by one; None takes what is saved for the VAE.
    references   how reference pictures are read, one of `references.REFERENCES`.
    """

    schedule: Plan | None = None
    own: OwnRun = field(default_factory=OwnRun)
    detector: str = DEFAULT_SCORE
    threshold: float = 0.0
    upsampling: str = DEFAULT_GROWTH
    region_mask: torch.Tensor | None = None
    quality: str = PAPER
    enlarger: Enlarger | None = None
    references: str = IN_FULL
