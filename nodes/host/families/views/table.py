"""Networks that add positions from a table to their tokens: no rotation, so one view for all."""

from __future__ import annotations

from .....ralu_core.latents.views import View
from .rule import Rule


class Table(Rule):
    """All tokens lie in units of the fine grid: a coarse one in the middle of its four, which is
    the mean of their rows. `learned_table` reads it; attention stays as it is."""

    splits = False

    def check(self, view: View, options: dict, name: str) -> None:
        pass

    def attention(self, network, packing, asked, text, options) -> None:
        return None
