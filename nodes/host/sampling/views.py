"""The mixed stage's call with a view for each size of tokens: its text, and its attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.views import PAPER
from ..families.views import OVERRIDE, Rule, SplitAttention, repeat_text
from .keys import WORK

MASK = "attention_mask"


@dataclass(frozen=True)
class Seen:
    """What a packed call is given to see.

    context    (n, copies * text, C), or None where the network reads no text.
    attention  in two calls; None where it is the network's own.
    """

    context: torch.Tensor | None
    options: dict
    text: int = 0
    copies: int = 1
    attention: SplitAttention | None = None

    @classmethod
    def by_size(
        cls,
        rule: Rule,
        network: Any,
        packing: Packing,
        asked: list[int],
        context: torch.Tensor | None,
        options: dict,
    ) -> Seen:
        """As the packing's views ask for; arguments as in `families.views.Rule`."""
        text = 0 if context is None else context.shape[1]
        attention = rule.attention(network, packing, asked, text, options)
        if attention is None:
            return cls(context, options)
        copies = rule.copies(packing.layout)
        options = {**options, OVERRIDE: attention}
        if copies > 1 and context is not None:
            context, options = context.repeat(1, copies, 1), rule.options(options, text)
        return cls(context, options, text, copies, attention)

    def masks(self, more: dict[str, Any]) -> dict[str, Any]:
        """Other arguments of the call, their attention mask for all copies of the text."""
        mask = more.get(MASK)
        if self.copies == 1 or mask is None:
            return more
        return {**more, MASK: repeat_text(mask, self.text)}


def check_split(seen: Seen, network: Any) -> None:
    """RuntimeError where the network ran without asking for its attention; an acceleration may
    leave all blocks out."""
    if seen.attention is not None and not seen.attention.calls and WORK not in seen.options:
        raise RuntimeError(
            f"RALU split the attention of {type(network).__name__} by the size of tokens, and the "
            "model never asked for it, because another node replaced its blocks or adds tokens to "
            f"them: remove that node, or set the plan's views to {PAPER!r}."
        )
