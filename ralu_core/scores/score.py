"""What a region score must say: what it reads, and how much each coarse token deserves growth."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from functools import cached_property
from importlib.util import find_spec

import torch
import torch.nn.functional as F

from ..latents.states import StageEnd, State

Decode = Callable[[torch.Tensor], torch.Tensor]
FAR = 0.5  # beyond black and white, where a picture is on another scale


class Need(Flag):
    """What a score reads, one or several; whoever runs it sees to it before anything is sampled.

    PICTURE    the decoded picture.
    LATENT     the clean estimate.
    HISTORY    the states of all steps of the stage before, which it is to keep.
    ATTENTION  the attention that tokens pay to the text, for which the network is watched there.
    NOISE      noise of the run's own seed.
    """

    PICTURE = auto()
    LATENT = auto()
    HISTORY = auto()
    ATTENTION = auto()
    NOISE = auto()


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a run knows when regions are chosen.

    end        of the stage before; its history is there where a score needs it.
    grid       rows and columns of coarse tokens.
    decode     (B, C, h, w) clean estimate -> (B, H, W, 3) picture in [0, 1], or None.
    attention  (B, rows, columns) share of the attention that picture tokens pay to the text, where
               the network was watched, or None.
    draw       () -> (B, rows, columns) standard normal noise of the seed, each picture's its own,
               or None.
    lettering  (B, rows, columns) share of the attention paid to the words that the picture is to
               show, where that was watched, or None.
    """

    end: StageEnd
    grid: tuple[int, int]
    decode: Decode | None = None
    attention: torch.Tensor | None = None
    draw: Callable[[], torch.Tensor] | None = None
    lettering: torch.Tensor | None = None

    @property
    def denoised(self) -> torch.Tensor:
        """(B, C, h, w) clean estimate."""
        return self.end.denoised

    @cached_property
    def picture(self) -> torch.Tensor:
        """(B, H, W, 3) the decoded clean estimate. ValueError without a decoder."""
        return needed_decoder(self.decode)(self.denoised)

    @property
    def to_text(self) -> torch.Tensor:
        """(B, rows, columns) attention to the text. ValueError where nobody watched the network."""
        return _watched(self.attention)

    @property
    def to_lettering(self) -> torch.Tensor:
        """(B, rows, columns) attention to the words that the picture is to show. ValueError where
        nobody watched the network."""
        return _watched(self.lettering)

    @property
    def noise(self) -> torch.Tensor:
        """(B, rows, columns) standard normal. ValueError where nobody draws."""
        if self.draw is None:
            raise ValueError(
                "This score reads noise of the run's seed, and nobody draws any: run it where "
                "there is a seed, or choose another score."
            )
        return self.draw()

    @property
    def history(self) -> tuple[State, ...]:
        """The steps of the stage. ValueError where they were not kept."""
        if not self.end.history:
            raise ValueError(
                "This score reads the states of all steps, and none were kept: run the plan with "
                "keep_history=True, and begin before the stage that the score follows."
            )
        return self.end.history


def _watched(attention: torch.Tensor | None) -> torch.Tensor:
    if attention is None:
        raise ValueError(
            "This score reads the attention that tokens pay to the text, and nobody watched "
            "it: run it where the network is watched, or choose another score."
        )
    return attention


def decoded(decode: Decode, clean: torch.Tensor) -> torch.Tensor:
    """The pictures that a decoder makes of clean latents. ValueError where it makes others than
    (B, H, W, 3) in [0, 1], one of each."""
    pictures = decode(clean)
    shape, kind = tuple(pictures.shape), pictures.dtype
    if len(shape) != 4 or (shape[0], shape[-1]) != (len(clean), 3) or not kind.is_floating_point:
        raise ValueError(
            f"A decoder makes floats (B, H, W, 3), here of B = {len(clean)}, got {shape} of "
            f"{kind}: return a picture for each latent, channels last, and divide bytes by 255."
        )
    low, high = map(float, pictures.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(
            f"A decoder makes numbers, got {low:g} to {high:g} in {kind}: decode in float32."
        )
    if low < -FAR or high > 1 + FAR:
        raise ValueError(
            f"A decoder makes pictures in [0, 1], got {low:g} to {high:g}: scale what it returns."
        )
    return pictures


def needed_decoder(decode: Decode | None) -> Decode:
    """The decoder; ValueError where there is none."""
    if decode is None:
        raise ValueError(
            "This score looks at the decoded picture, and decode is None: pass a decoder, or "
            "choose a score that reads the latent."
        )
    return decode


def needed_library(name: str) -> None:
    """ImportError where this Python lacks a library, which is not loaded yet."""
    if find_spec(name) is None:
        raise ImportError(
            f"Regions are chosen with {name}, and this Python has none: run `pip install {name}` "
            "in it."
        )


def of_tokens(pixels: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """(B, h, w) of latent pixels -> (B, rows, columns); each picture's largest is 1."""
    scores = F.avg_pool2d(pixels[:, None], pixels.shape[-2] // grid[0])[:, 0]
    return scores / scores.amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)


class Score(ABC):
    """One way to score regions. A new one: a file, and a line in `scores.SCORES`; or, for runs of
    your own, `Regions` of it. `name` and `needs` are required.

    name           as people choose it.
    needs          what it reads.
    words          what it does, for a tooltip.
    least_steps    that the stage before the choice must have.
    is_share       whether it is a share of edge pixels, which a threshold can be compared with.
    on_device      whether it looks at a picture on the accelerator, wherever it was decoded.
    """

    name: str
    needs: Need
    words: str
    least_steps = 0
    is_share = False
    on_device = False

    @abstractmethod
    def __call__(self, evidence: Evidence) -> torch.Tensor:
        """(B, rows, columns) float32 in [0, 1]; the largest grow first."""

    def check(self) -> None:  # noqa: B027 -- most scores need no library of their own
        """ImportError, in one sentence, where a library that it needs is missing."""
