"""What a node is asked for: its wires, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ...ralu_core.growth import DEFAULT_GROWTH
from ...ralu_core.growth.enlarger import Enlarger
from ...ralu_core.plans import Plan
from ...ralu_core.scores import Regions
from .dial import PAPER
from .sampling.references import IN_FULL
from .showing.status import Tell, show_status

DEFAULT_SCORE = Regions.score
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
    denoise      1 samples from noise; below 1 begins under that much noise, as a KSampler's.
    detector     a score, or `AUTO`.
    threshold    0 takes the schedule's ratio; above 0 the ratio adapts to the picture.
    region_mask  MASK of what grows early in any case, or None.
    quality      one of `dial.QUALITIES`.
    levels       first and last noise level of the run, in place of denoise; None for all of it.
    continues    whether the latent holds the noise of a run that another sampler began, so that the
                 rest of it has its share of the steps.
    plain_steps  that the user would take without RALU; 0 leaves that to the plan. Without a
                 schedule few of them choose the plan, see `few_steps`.
    whole_steps  those of the whole run, where several samplers share one and its levels tell; else
                 0.
    enlarger     for upsampling by one; None takes what is saved for the VAE.
    references   how reference pictures are read, one of `references.REFERENCES`.
    """

    schedule: Plan | None = None
    denoise: float = 1.0
    detector: str = DEFAULT_SCORE
    threshold: float = 0.0
    upsampling: str = DEFAULT_GROWTH
    region_mask: torch.Tensor | None = None
    quality: str = PAPER
    levels: tuple[float, float] | None = None
    continues: bool = False
    plain_steps: int = 0
    whole_steps: int = 0
    enlarger: Enlarger | None = None
    references: str = IN_FULL
