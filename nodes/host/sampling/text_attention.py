"""How much of their attention picture tokens pay to the text, watched while a stage samples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..families.family import Family
from ..families.views import OVERRIDE

BLOCKS = 4  # that are watched, spread over the network's depth
PROMPTS = "cond_or_uncond"  # the host writes it: which prompt each part of a batch belongs to


class TextAttention:
    """An APPLY_MODEL wrapper for one stage; `found` is of the last call that said something.

    family  whose attention lies text first, then the picture.
    grid    rows and columns of the stage's tokens; pictures of the batch.
    blocks  of the network.
    first   whether the first prompt of a call is the positive one; else all are watched.
    """

    def __init__(
        self, family: Family, grid: tuple[int, int], pictures: int, blocks: int, first: bool
    ):
        self.family, self.grid, self.pictures, self.first = family, grid, pictures, first
        self.every = max(1, blocks // BLOCKS)
        self.found: torch.Tensor | None = None  # (B, rows, columns) in [0, 1]

    def __call__(
        self,
        executor,
        x,
        t,
        c_concat=None,
        c_crossattn=None,
        control=None,
        transformer_options=None,
        **kwargs,
    ):
        options = transformer_options or {}
        watched = self._watched(x, c_crossattn, options)
        if watched is not None:
            options = {**options, OVERRIDE: watched}
        out = executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        if watched is not None and watched.shares:
            self.found = torch.stack(watched.shares).mean(0).unflatten(1, self.grid)
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
        return Watched(text.shape[1], tokens, rows, self.pictures, self.every, before)


class Watched:
    """Stands in for the host's attention in one call, and looks at some of its blocks.

    What a query pays to the text is the attention itself over values that are 1 for text and 0
    for all else: a second call of the same kernel with the picture's queries of the prompt alone.

    text, tokens  of the text and of the picture; in this order they begin queries and keys.
    rows          where parts of the batch begin that are of the prompt; pictures in each.
    every         which blocks are looked at.
    before        another node's attention, under this one; None for the host's.
    shares        (pictures, tokens) of each block that was looked at.
    """

    def __init__(
        self,
        text: int,
        tokens: int,
        rows: Sequence[int],
        pictures: int,
        every: int,
        before: Callable | None,
    ):
        self.text, self.tokens, self.rows, self.pictures = text, tokens, rows, pictures
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
            ones = torch.zeros_like(v)
            ones.narrow(axis, 0, self.text).fill_(1)
            self.shares.append(
                torch.stack(
                    [
                        self._share(function, axis, row, (q, k, ones), heads, mask, rest, kwargs)
                        for row in self.rows
                    ]
                ).mean(0)
            )
        return out

    def _share(self, function, axis, row, qkv, heads, mask, rest, kwargs) -> torch.Tensor:
        """(pictures, tokens) of one part of the batch, mean over heads."""
        total = qkv[0].shape[0]
        q, k, v = (one.narrow(0, row, self.pictures) for one in qkv)
        if mask is not None and mask.ndim > 2 and mask.shape[0] == total:
            mask = mask.narrow(0, row, self.pictures)
        if mask is not None and mask.shape[-2] == q.shape[axis]:
            mask = mask.narrow(-2, self.text, self.tokens)
        q = q.narrow(axis, self.text, self.tokens)
        paid = function(q, k, v, heads, mask, *rest, **kwargs).float()
        return paid.mean((1, 3) if paid.ndim == 4 else 2)
