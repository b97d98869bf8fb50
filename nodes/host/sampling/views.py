"""The mixed stage's call with a view for each size of tokens: its text, and its attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import torch

from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.views import PAPER
from ..families.inspect import has_foreign_blocks, unwrapped
from ..families.views import OVERRIDE, Rule, SplitAttention, repeat_text
from .arguments import Arguments
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


class Probe:
    """An APPLY_MODEL wrapper for the first stage of a run that splits the attention in some stage:
    RuntimeError after the first call where the network does not ask for it in its blocks.

    blocks  of the network, each of which has an attention.

    It changes no numbers. Compiled networks are left alone, as they would be compiled once more.
    """

    def __init__(self, blocks: int):
        self.blocks, self.is_done = blocks, False

    def __call__(self, executor, *args, **kwargs):
        network = executor.class_obj.diffusion_model
        if self.is_done or unwrapped(network) is not network:
            return executor(*args, **kwargs)
        self.is_done = True
        call = Arguments.of(*args, **kwargs)
        asked = Asked(call.options.get(OVERRIDE))
        out = call.with_options(**{OVERRIDE: asked}).given_to(executor)
        if asked.calls < (self.blocks if has_foreign_blocks(network) else 1):
            _refuse(network, f"asked for it in {asked.calls} of its {self.blocks} blocks")
        return out


class Asked:
    """Stands in for the host's attention, and counts. before: another node's, under this one."""

    def __init__(self, before: Callable | None):
        self.before, self.calls = before, 0

    def __call__(self, function: Callable, *args, **kwargs):
        self.calls += 1
        if self.before is not None:
            return self.before(function, *args, **kwargs)
        return function(*args, **kwargs)


def check_split(seen: Seen, network: Any) -> None:
    """RuntimeError where the network ran without asking for its attention; an acceleration may
    leave all blocks out."""
    if seen.attention is not None and not seen.attention.calls and WORK not in seen.options:
        _refuse(network, "never asked for it")


def _refuse(network: Any, why: str) -> NoReturn:
    raise RuntimeError(
        f"RALU splits the attention of {type(network).__name__} by the size of tokens, and the "
        f"model {why}, because another node replaced its blocks or adds tokens to them: remove "
        f"that node, or set the plan's views to {PAPER!r}."
    )
