"""The scores there are: one in each line."""

from __future__ import annotations

from .avits import AViTS
from .canny import Canny
from .canny_gpu import CannyGpu
from .even import Even
from .latent_gradient import LatentGradient
from .random_order import RandomOrder
from .score import Score
from .settled import Settled
from .step_variance import StepVariance
from .text_attention import TextAttention
from .velocity_variance import VelocityVariance

SCORES: dict[str, Score] = {
    score.name: score
    for score in (
        Canny(),
        CannyGpu(),
        LatentGradient(),
        StepVariance(),
        Settled(),
        VelocityVariance(),
        Even(),
        RandomOrder(),
        TextAttention(),
        AViTS(),
    )
}


def score_named(name: str) -> Score:
    """The score of that name. ValueError lists the names there are."""
    if name not in SCORES:
        raise ValueError(f"Edge detector must be one of {', '.join(SCORES)}, got {name!r}.")
    return SCORES[name]
