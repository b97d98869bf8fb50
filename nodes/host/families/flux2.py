"""Flux.2: Flux's blocks with shared modulation, 2x2 latent pixels folded into 128 channels."""

from __future__ import annotations

import math
from typing import Any

from ....ralu_core.latents.frame import Frame
from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from .blocks import ModulatedBlocks
from .family import Presets, Size, Untold
from .flux_like import FluxLike
from .positions import image_and_text_ids
from .views import Rotary

SCHEDULER_PIXELS = 16 * 16  # of the picture to one token, for Flux2Scheduler
MANY_TOKENS = 4300  # above, the scheduler forgets the steps


class Flux2(FluxLike):
    name = "flux2"
    label = "Flux.2 dev and klein"
    short = "Flux.2"
    full = Size(blocks=56, width=6144, linear=26.5)
    full_shift = math.exp(2.02)
    presets = Presets(
        "FLUX 4x (released code)",
        untold=Untold("distilled Flux.2 klein", "4-step distilled"),
    )
    model_class = "Flux2"
    hooks = ("process_img",)
    plain_steps = 20
    sized = True
    cfg = (1, 5)
    text_tokens = 512
    text_padded = True
    space = Space(channels=32, fold=2)
    text_first = True
    views = Rotary()
    blocks = ModulatedBlocks

    def shift_for(self, shift: float, frame: Frame, steps: int) -> float:
        """That of ComfyUI's Flux2Scheduler, which its templates sample with."""
        height, width = frame.picture
        return math.exp(scheduler_mu(round(width * height / SCHEDULER_PIXELS), steps))

    def positions(self, network: Any, packing: Packing, rows: int):
        # "uxo" references have index 0.
        copies = self.views.copies(packing.layout)
        return image_and_text_ids(network, packing, rows, copies, follows=(0,))


def scheduler_mu(tokens: int, steps: int) -> float:
    """The log of the shift with which Flux2Scheduler spreads so many steps over such a picture."""
    at_200 = 0.00016927 * tokens + 0.45666666
    if tokens > MANY_TOKENS:
        return at_200
    at_10 = 8.73809524e-05 * tokens + 1.89833333
    return at_200 + (at_10 - at_200) * (200 - steps) / 190
