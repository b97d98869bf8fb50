"""Which regions grow early: scores of coarse tokens, and the choice among them."""

from __future__ import annotations

from .regions import Regions, mask_regions, select_ratio, select_threshold
from .score import Evidence, Need, Score
from .table import SCORES, score_named

__all__ = [
    "SCORES",
    "Evidence",
    "Need",
    "Regions",
    "Score",
    "mask_regions",
    "score_named",
    "select_ratio",
    "select_threshold",
]
