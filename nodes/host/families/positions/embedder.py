"""Rotary networks whose ids are mended where they are embedded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from .....ralu_core.latents.packing import Packing
from .shadow import shadowed

ROWS, COLUMNS = 1, 2  # which of the ids tell a token's row and column


@contextmanager
def text_rows(embedder, starts: Sequence[int], text_tokens: Callable[[int], int]) -> Iterator[None]:
    """While open, the first rows of ids count from a start: what a call of the real size has.

    embedder     the module that turns ids (B, L, axes) into rotations.
    starts       one for each copy of the text.
    text_tokens  of how many of L ids are text, which come first.
    """
    original = embedder.forward

    def forward(ids: torch.Tensor, *args, **kwargs):
        count = text_tokens(ids.shape[1]) // len(starts)
        ids = ids.clone()
        places = torch.arange(count, device=ids.device, dtype=ids.dtype)
        for number, start in enumerate(starts):
            ids[:, number * count : (number + 1) * count] = (start + places)[None, :, None]
        return original(ids, *args, **kwargs)

    with shadowed(embedder, "forward", forward):
        yield


@contextmanager
def repeated_text(embedder, copies: int, text_tokens: Callable[[int], int]) -> Iterator[None]:
    """While open, a second copy of the text lies where the first does; arguments as above."""
    original = embedder.forward

    def forward(ids: torch.Tensor, *args, **kwargs):
        count = text_tokens(ids.shape[1]) // copies
        ids = ids.clone()
        ids[:, count : copies * count] = ids[:, :count].repeat(1, copies - 1, 1)
        return original(ids, *args, **kwargs)

    if copies == 1:
        yield
        return

    with shadowed(embedder, "forward", forward):
        yield


@contextmanager
def embedded_ids(
    embedder,
    packing: Packing,
    rows: int,
    first: Callable[[int, int], int | None],
) -> Iterator[list[int]]:
    """While open, ids of the picture's tokens are the packing's positions, counted from where the
    host places the first one.

    rows   of the call, a multiple of the packing's batch; ids of one row for all become as many.
    first  (number of the embedder's call, from 0; how many ids) -> where the picture's begin; None
           for a call that holds none of them.
    """
    original, calls = embedder.forward, [0]
    positions = packing.rows(packing.positions, rows)
    asked: list[int] = []

    def forward(ids: torch.Tensor, *args, **kwargs):
        start = first(calls[0], ids.shape[1])
        calls[0] += 1
        ids = ids.expand(rows, -1, -1)
        if start is not None:
            asked.append(packing.tokens)
            ids = ids.float().clone()  # whole numbers and bf16 hold no halves
            place = slice(start, start + packing.tokens)
            for axis, along in zip((ROWS, COLUMNS), positions.unbind(-1), strict=True):
                ids[:, place, axis] = along + ids[:, start, axis, None]
        return original(ids, *args, **kwargs)

    with shadowed(embedder, "forward", forward):
        yield asked
