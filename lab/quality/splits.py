"""The pairs of the Pareto curve, kept apart by their use."""

from __future__ import annotations

# First pair of each part. Plans were chosen on `tuned`, and on `wide` once it had reported on those
# before; what was chosen there is reported on `confirming`, whose noise nothing had seen then, and
# what that left open on `repeated`, and the texture at cfg 7 on `closing`, whose pictures of many
# steps are those of `closing_references`. Prompts, with their grounds, come again every 720 pairs.
SPLITS = {
    "tuned": 0,
    "reported": 108,
    "new": 216,
    "wide": 900,
    "confirming": 1332,
    "repeated": 1764,
    "closing": 2628,
    "closing_references": 3492,
}
SPLIT_PAIRS = 108
# More pairs, for differences that 108 do not tell.
WIDE_PAIRS = {
    "wide": 432,
    "confirming": 432,
    "repeated": 864,
    "closing": 864,
    "closing_references": 432,
}
# Pairs of no split, whose pictures of many steps distances may be taken to: first and most.
OTHERS = "others"
FIRST_OTHER, REFERENCES = 324, 576


def pairs_of(split: str) -> int:
    """How many it holds, or OTHERS."""
    return REFERENCES if split == OTHERS else WIDE_PAIRS.get(split, SPLIT_PAIRS)


def first_of(split: str) -> int:
    """Its first pair, or that of OTHERS."""
    return FIRST_OTHER if split == OTHERS else SPLITS[split]
