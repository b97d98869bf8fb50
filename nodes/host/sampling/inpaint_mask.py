"""The inpaint mask that is in force at each call of the model."""

from __future__ import annotations

import torch

from .keys import MASK_FUNCTION


class InpaintMask:
    """Follows an inpaint mask, which Differential Diffusion makes another one at each level.

    mask  (B, 1 or C, ...) in [0, 1], 1 where the call sampled and did not keep; None without one.
    """

    def __init__(self, mask: torch.Tensor | None) -> None:
        self.mask = mask

    def heard(self, extra_args: dict) -> dict:
        """Arguments of a sampler's calls of the model, with which they tell it."""
        options = extra_args.get("model_options", {})
        function = options.get(MASK_FUNCTION)
        if self.mask is None or function is None:
            return extra_args

        def told(*args, **more) -> torch.Tensor:
            self.mask = function(*args, **more)
            return self.mask

        return {**extra_args, "model_options": {**options, MASK_FUNCTION: told}}
