"""Growth by DCT whose clean part an enlarger makes, where one was fitted."""

from __future__ import annotations

import torch

from .enlarger import Enlarger
from .spectral import Spectral


class Enlarged(Spectral):
    """The noise of a state grows by DCT, with its law; its clean estimate by the enlarger.

    enlarger  fitted on the model's own latents; None grows all by DCT.
    """

    name = "enlarger"
    words = "enlarger is a map fitted to the VAE by RALU Fit Latent Enlarger"

    def __init__(self, enlarger: Enlarger | None = None):
        self.enlarger = enlarger

    @property
    def begins_as(self) -> str:
        return Spectral.name

    def check(self, channels: int) -> None:
        if self.enlarger is None:
            raise ValueError(
                "Growth by an enlarger needs one that was fitted, got none: let the plan grow by "
                "`Enlarged` of one (`plan.growing_by`), or by dct."
            )
        self.enlarger.check(channels)

    def refinement(self, clean: torch.Tensor, patch: int) -> torch.Tensor | None:
        if self.enlarger is None:
            return None
        return self.enlarger.enlarge(clean) - self.grow(clean, patch)
