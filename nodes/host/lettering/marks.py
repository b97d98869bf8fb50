"""The marks of a CONDITIONING, as a run needs them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..families.family import Family
from ..sampling.conds import Conds
from ..sampling.guidance import has_own_cfg

LETTERING = "ralu_lettering"  # in an entry: (n,) bool, which of its text vectors are of lettering


def lettering_of(conds: Conds, guider: Any, family: Family) -> torch.Tensor | None:
    """(n,) bool of the positive prompt, or None where nothing is marked. ValueError where several
    prompts are marked, or a GUIDER guides in a way of its own: then nothing tells whose call it is.

    conds   of the GUIDER, each entry with its text.
    family  of its MODEL.
    """
    if not is_marked(conds):
        return None
    if not has_own_cfg(guider):
        raise ValueError(
            "RALU watches the attention to words in quotes under the host's own cfg, and the "
            f"GUIDER {type(guider).__name__} has a way of its own: use a CFGGuider, or encode with "
            "CLIP Text Encode."
        )
    least = family.text_tokens if family.text_padded else 0
    first, *others = [_fitted(entry, least) for entry in conds["positive"]]
    if not all(torch.equal(first, other) for other in others):
        raise ValueError(
            f"RALU keeps the lettering of one prompt, and the positive input has {len(others) + 1} "
            "with other words in quotes: write it into one, or encode with CLIP Text Encode and "
            "paint the lettering as a region_mask."
        )
    return first if first.any() else None


def is_marked(conds: Conds) -> bool:
    """Whether anything is to be lettering."""
    return any(LETTERING in entry for entry in conds.get("positive", []))


def _fitted(entry: dict, least: int) -> torch.Tensor:
    """Marks as long as the text that the network reads: what other nodes added behind the entry's,
    and what the host puts in front, up to `least`, has none."""
    text, marks = entry.get("cross_attn"), entry.get(LETTERING)
    found = torch.zeros(0 if text is None else text.shape[1], dtype=torch.bool)
    if marks is not None:
        found[: len(marks)] = marks[: len(found)]
    return F.pad(found, (max(0, least - len(found)), 0))
