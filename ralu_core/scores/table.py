"""The scores there are: one in each line."""

from __future__ import annotations

from .canny import Canny
from .canny_gpu import CannyGpu
from .latent_gradient import LatentGradient
from .score import Score

SCORES: dict[str, Score] = {score.name: score for score in (Canny(), CannyGpu(), LatentGradient())}


def score_named(name: str) -> Score:
    """The score of that name. ValueError lists the names there are."""
    if name not in SCORES:
        raise ValueError(f"Edge detector must be one of {', '.join(SCORES)}, got {name!r}.")
    return SCORES[name]
