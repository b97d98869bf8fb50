"""What families have in common whose networks have Flux's double and single blocks."""

from __future__ import annotations

from typing import Any

from .family import Family, Size


class FluxLike(Family):
    """Its network keeps Flux's names for its blocks, its width and its text's."""

    def size(self, network: Any) -> Size:
        blocks = len(network.double_blocks) + len(network.single_blocks)
        return Size(blocks, network.hidden_size, self.full.linear)

    def text_width(self, network: Any) -> int:
        return network.params.context_in_dim
