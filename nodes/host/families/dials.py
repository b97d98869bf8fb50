"""Which plan each quality of the dial means, by the kind of guidance that a model takes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ....ralu_core.plans import CONDITIONED_TIMES

DIALLED = ("fine", "balanced", "draft")
# Of each, also over what is left of a run that begins later; `docs/figures.md` says why these.
STEPS: Mapping[str, int] = MappingProxyType(dict(zip(DIALLED, (10, 7, 6), strict=True)))
# Names as `ralu_core.plans.named_plan` takes them. What a second call of the model adds bends a
# picture's way more at high noise, so steps are closer there.
GUIDED: Mapping[str, str] = MappingProxyType(
    {quality: f"early second order {n}" for quality, n in STEPS.items()}
)
CONDITIONED: Mapping[str, str] = MappingProxyType(
    {
        quality: f"{name}, from {CONDITIONED_TIMES:g} times the shift"
        for quality, name in GUIDED.items()
    }
)
LEAST_SIDE = 512  # pixels; a half of less is smaller than what models draw


def dial_for(cfg: tuple[float, float]) -> Mapping[str, str]:
    """The dial of models whose guidance people set from cfg[0] to cfg[1]; 1 for those that take it
    as a conditioning, in one call a step."""
    return GUIDED if cfg[1] > 1 else CONDITIONED
