"""The pairs of the Pareto curve, kept apart by their use."""

from __future__ import annotations

# First pair of each part. Plans were chosen on `tuned`, and on `wide` once it had reported on those
# before; what was chosen there is reported on `confirming`, whose noise and grounds nothing had
# seen, and what that left open on `repeated`.
SPLITS = {
    "tuned": 0,
    "reported": 108,
    "new": 216,
    "wide": 900,
    "confirming": 1332,
    "repeated": 1764,
}
SPLIT_PAIRS = 108
# More pairs, for differences that 108 do not tell.
WIDE_PAIRS = {"wide": 432, "confirming": 432, "repeated": 864}
# Pictures that distances are taken to, and the first pair of those that the model draws itself.
REFERENCES = 576
OTHERS = 324


def pairs_of(split: str) -> int:
    """How many it holds."""
    return WIDE_PAIRS.get(split, SPLIT_PAIRS)
