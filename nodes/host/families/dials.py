"""Which plan each quality of the dial means, by the kind of guidance that a model takes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DIALLED = ("fine", "balanced", "draft")
# Names as `ralu_core.plans.named_plan` takes them. `lab/quality/PARETO.md` says why these.
UNGUIDED: Mapping[str, str] = MappingProxyType(
    {
        "fine": "early second order 10",
        "balanced": "early second order 6",
        "draft": "early second order 5",
    }
)
GUIDED: Mapping[str, str] = MappingProxyType(
    {
        "fine": "early second order 10",
        "balanced": "early second order 6",
        "draft": "early own noise 2-4",
    }
)
# What a plan of two sizes gives way to where half of the picture is too small to draw in.
AT_FULL_SIZE: Mapping[str, str] = MappingProxyType({"early own noise 2-4": "early second order 4"})
LEAST_SIDE = 512  # pixels; a half of less is smaller than what models draw


def dial_for(cfg: tuple[float, float]) -> Mapping[str, str]:
    """The dial of models whose guidance people set from cfg[0] to cfg[1]; 1 for those that take it
    as a conditioning, in one call a step."""
    return GUIDED if cfg[1] > 1 else UNGUIDED
