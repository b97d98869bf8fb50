"""Which plan each quality of the dial means."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DIALLED = ("fine", "balanced", "draft")
# Names as `ralu_core.plans.named_plan` takes them. `lab/quality/PARETO.md` says why these.
DIAL: Mapping[str, str] = MappingProxyType(
    {
        "fine": "early second order 10",
        "balanced": "early second order 6",
        "draft": "early second order 5",
    }
)
LEAST_SIDE = 512  # pixels; a half of less is smaller than what models draw
