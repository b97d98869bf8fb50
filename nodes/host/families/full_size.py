"""Unplaced models with something of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from ....ralu_core.latents.frame import Frame
from .refused import LAYERED
from .unplaced import Unplaced

UNSHIFTED_SIDE = 512  # pixels of a square that Ideogram4Scheduler does not shift


class Layered(Unplaced):
    has_layers = True


class Ideogram4(Unplaced):
    sized = True

    def shift_for(self, shift: float, frame: Frame, steps: int) -> float:
        """That of ComfyUI's Ideogram4Scheduler as its templates set it, mu 0 and std 1.75.

        Its levels are quantiles of a logit-normal; those of a shift map are of a logistic, whose
        spread is nearly the same: from 512 to 2048 pixels they differ by .022 at most.
        """
        height, width = frame.picture
        return math.sqrt(height * width) / UNSHIFTED_SIDE


# By the host's class, or what people call a model that has none of its own.
OWN: Mapping[str, type[Unplaced]] = MappingProxyType({LAYERED: Layered, "Ideogram4": Ideogram4})
