"""Values as the host's sockets carry them."""

from __future__ import annotations

import torch


def latent_output(latent: dict, samples: torch.Tensor) -> dict:
    """A LATENT like the one that came in, holding other samples."""
    out = dict(latent, samples=samples)
    for key in ("downscale_ratio_spacial", "downscale_ratio_temporal"):
        out.pop(key, None)
    return out
