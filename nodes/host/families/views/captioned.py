"""Networks that refine caption and picture apart, pad both, and join them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .....ralu_core.latents.packing import Packing
from .rotary import Rotary
from .split import Joint


@dataclass(frozen=True)
class Captioned(Rotary):
    """The caption first, the padding of the picture last."""

    embedder: str = "rope_embedder"
    texts: int = 1
    why_one: str = "its caption is padded and refined as one text"

    def joint(
        self, network: Any, packing: Packing, asked: list[int], text: int, queries: int, keys: int
    ) -> Joint | None:
        caption, picture = (padded(network, count) for count in (text, packing.tokens))
        if caption == picture:
            raise ValueError(
                f"RALU tells the refiner of the picture by its {picture} tokens, and the caption "
                "has as many: change the schedule's ratio a little, or set the plan's views to "
                "'paper'."
            )
        if queries == keys == caption + picture:
            return replace(self._joint(packing, caption, 1), padded=True)
        if queries == keys == picture:
            return replace(self._joint(packing, 0, 1), padded=True)
        return None


def padded(network: Any, count: int) -> int:
    """So many tokens with those that the network adds."""
    multiple = network.pad_tokens_multiple or 1
    return -(-count // multiple) * multiple
