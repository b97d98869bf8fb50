"""What a family says of corrected views."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from .....ralu_core.latents.layout import Layout
from .....ralu_core.latents.packing import Packing
from .....ralu_core.latents.views import PAPER, View
from .split import SplitAttention


class Rule(ABC):
    """How a family's networks are told that each size of tokens has a view of its own.

    texts   most copies of the text that one call can carry; 0 where text is not among the tokens.
    splits  whether the attention runs once for each size.
    """

    texts: int = 1
    splits: bool = True

    @abstractmethod
    def check(self, view: View, options: dict, name: str) -> None:
        """Before anything is sampled: ValueError for a view that these networks cannot have.

        options  the transformer_options of the MODEL; name of the family, for people.
        """

    @abstractmethod
    def attention(
        self, network: Any, packing: Packing, asked: list[int], text: int, options: dict
    ) -> SplitAttention | None:
        """The attention of a packed call; None where it is the network's own.

        asked  how many picture tokens were placed, see `positions`; it fills during the call.
        text   tokens of one copy of the text.
        """

    def copies(self, layout: Layout) -> int:
        """Of the text, in a call of this layout."""
        return max(1, min(self.texts, layout.view.texts)) if layout.is_split else 1

    def options(self, options: dict, text: int) -> dict:
        """The transformer_options of a call that carries its text twice; text as in `attention`."""
        return options


class Refused(Rule):
    """Networks that cannot be told. why: in a few words."""

    def __init__(self, why: str):
        self.why = why

    def check(self, view: View, options: dict, name: str) -> None:
        if view.corrected:
            raise ValueError(
                f"RALU cannot correct the views of {name}, as {self.why}: set the plan's views to "
                f"{PAPER!r}."
            )

    def attention(self, network, packing, asked, text, options) -> None:
        return None
