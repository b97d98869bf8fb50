"""How much of their attention picture tokens pay to the text, watched while a stage samples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch

from ..families.family import Family
from ..families.views import OVERRIDE
from .arguments import Arguments

BLOCKS = 4  # that are watched, spread over the network's depth
PROMPTS = "cond_or_uncond"  # the host writes it: which prompt each part of a batch belongs to


def refuse_unasked() -> NoReturn:
    """Where nothing was seen of the attention to the text."""
    raise ValueError(
        "RALU watched the attention to the text, for the edge detector or for lettering, and the "
        "model asked for none in stage 1, because another node replaced its blocks: remove that "
        "node, or choose another edge detector and CLIP Text Encode."
    )


class TextAttention:
    """An APPLY_MODEL wrapper for one stage; what it finds is of the last call that said something.
    ValueError where the first says nothing, before the stage is sampled for it.

    family  whose attention lies text first, then the picture.
    grid    rows and columns of the stage's tokens; pictures of the batch.
    blocks  of the network.
    first   whether the first prompt of a call is the positive one; else all are watched.
    marks   (n,) bool, which vectors of the prompt are of lettering; None: nobody asks.
    found, lettering
            (B, rows, columns) in [0, 1], attention to the whole text and to the lettering.
    """

    def __init__(
        self,
        family: Family,
        grid: tuple[int, int],
        pictures: int,
        blocks: int,
        first: bool,
        marks: torch.Tensor | None = None,
    ):
        self.family, self.grid, self.pictures, self.first = family, grid, pictures, first
        self.every, self.marks = max(1, blocks // BLOCKS), marks
        self.found: torch.Tensor | None = None
        self.lettering: torch.Tensor | None = None

    def __call__(self, executor, *args, **kwargs):
        call = Arguments.of(*args, **kwargs)
        watched = self._watched(call.x, call.context, call.options)
        if watched is None:
            return executor(*args, **kwargs)
        out = call.with_options(**{OVERRIDE: watched}).given_to(executor)
        if watched.shares:
            self.found, *rest = torch.stack(watched.shares).mean(0).unflatten(2, self.grid)
            self.lettering = rest[0] if rest else None
        elif self.found is None:
            refuse_unasked()
        return out

    def _watched(self, x: torch.Tensor, text: Any, options: dict) -> Watched | None:
        """The attention of a call, if it is of whole pictures and of the prompt."""
        space = self.family.space
        h, w = (side * space.fold // space.patch for side in x.shape[-2:])
        if text is None or (h, w) != self.grid:
            return None
        parts = x.shape[0] // self.pictures
        prompts = options.get(PROMPTS, [0] * parts) if self.first else [0] * parts
        rows = [k * self.pictures for k, prompt in enumerate(prompts) if prompt == 0]
        tokens = self.grid[0] * self.grid[1]
        before = options.get(OVERRIDE)
        if not rows:
            return None
        worth = [torch.ones(text.shape[1], device=x.device, dtype=x.dtype)]
        if self.marks is not None:
            worth.append(fitted(self.marks.to(worth[0]), text.shape[1]))
        return Watched(torch.stack(worth), tokens, rows, self.pictures, self.every, before)


def fitted(marks: torch.Tensor, length: int) -> torch.Tensor:
    """Marks of a text that the host repeated beside a longer one; what was added has none."""
    marks = marks.repeat(max(1, length // len(marks)))[:length]
    return torch.nn.functional.pad(marks, (0, length - len(marks)))


class Watched:
    """Stands in for the host's attention in one call, and looks at some of its blocks.

    What a query pays to the text is the attention itself over values that are 1 for text and 0
    for all else: a second call of the same kernel with the picture's queries of the prompt alone.

    worth         (ways, text) values of each of the text's tokens: of each way a channel in turn.
    tokens        of the picture, which follow the text in queries and keys.
    rows          where parts of the batch begin that are of the prompt; pictures in each.
    every         which blocks are looked at.
    before        another node's attention, under this one; None for the host's.
    shares        (ways, pictures, tokens) of each block that was looked at.
    """

    def __init__(
        self,
        worth: torch.Tensor,
        tokens: int,
        rows: Sequence[int],
        pictures: int,
        every: int,
        before: Callable | None,
    ):
        self.worth, self.text, self.tokens = worth, worth.shape[1], tokens
        self.rows, self.pictures = rows, pictures
        self.every, self.before, self.calls = every, before, 0
        self.shares: list[torch.Tensor] = []

    def __call__(self, function: Callable, q, k, v, heads: int, mask=None, *rest, **kwargs):
        if self.before is not None:
            function = functools.partial(self.before, function)
        axis = 2 if kwargs.get("skip_reshape", False) else 1
        out = function(q, k, v, heads, mask, *rest, **kwargs)
        if q.shape[axis] != k.shape[axis] or q.shape[axis] < self.text + self.tokens:
            return out
        self.calls += 1
        if self.calls % self.every == (self.every + 1) // 2 % self.every:
            values = self._values(v, axis)
            self.shares.append(
                torch.stack(
                    [
                        self._share(function, axis, row, (q, k, values), heads, mask, rest, kwargs)
                        for row in self.rows
                    ]
                ).mean(0)
            )
        return out

    def _values(self, v: torch.Tensor, axis: int) -> torch.Tensor:
        values = torch.zeros_like(v)
        text = values.narrow(axis, 0, self.text)
        for way, worth in enumerate(self.worth.to(v.dtype)):
            text[..., way :: len(self.worth)] = worth.view(-1, *[1] * (v.ndim - axis - 1))
        return values

    def _share(self, function, axis, row, qkv, heads, mask, rest, kwargs) -> torch.Tensor:
        """(ways, pictures, tokens) of one part of the batch, mean over heads."""
        total = qkv[0].shape[0]
        q, k, v = (one.narrow(0, row, self.pictures) for one in qkv)
        if mask is not None and mask.ndim > 2 and mask.shape[0] == total:
            mask = mask.narrow(0, row, self.pictures)
        if mask is not None and mask.shape[-2] == q.shape[axis]:
            mask = mask.narrow(-2, self.text, self.tokens)
        q = q.narrow(axis, self.text, self.tokens)
        paid = function(q, k, v, heads, mask, *rest, **kwargs).float()
        ways = [paid[..., way :: len(self.worth)] for way in range(len(self.worth))]
        return torch.stack([one.mean((1, 3) if one.ndim == 4 else 2) for one in ways])
