"""The scores there are: one in each line."""

from __future__ import annotations

from .avits import AViTS
from .canny import Canny
from .canny_gpu import CannyGpu
from .even import Even
from .latent_gradient import LatentGradient
from .random_order import RandomOrder
from .score import Need, Score
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


def score_named(name: str | Score) -> Score:
    """The score of that name; a score is itself. ValueError lists the names there are, and for a
    score that does not say what it reads."""
    if isinstance(name, str) and name not in SCORES:
        raise ValueError(f"Edge detector must be one of {', '.join(SCORES)}, got {name!r}.")
    score = SCORES[name] if isinstance(name, str) else name
    if not isinstance(getattr(score, "needs", None), Need) or not hasattr(score, "name"):
        raise ValueError(
            f"A score has a name and says what it needs, got {type(score).__name__}: set its "
            "`name` and its `needs`, for example Need.LATENT."
        )
    return score
