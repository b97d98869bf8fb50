"""The pairs of the Pareto curve, kept apart by their use."""

from __future__ import annotations

# First pair of each part. Plans may be chosen on the first part alone; the others only report. The
# last one's noise and grounds no earlier figure in this repository has seen.
SPLITS = {"tuned": 0, "reported": 108, "new": 216}
SPLIT_PAIRS = 108
# First pair of those whose many-step pictures are what a model draws when it has the time.
OTHERS = 324
