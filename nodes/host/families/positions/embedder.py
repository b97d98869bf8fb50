"""Rotary networks whose text ids depend on the picture's size: mended where ids are embedded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from .shadow import shadowed


@contextmanager
def text_rows(embedder, start: int, text_tokens: Callable[[int], int]) -> Iterator[None]:
    """While open, the first rows of ids count from `start`: what a call of the real size has.

    embedder     the module that turns ids (B, L, axes) into rotations.
    text_tokens  of how many of L ids are text, which come first.
    """
    original = embedder.forward

    def forward(ids: torch.Tensor, *args, **kwargs):
        count = text_tokens(ids.shape[1])
        ids = ids.clone()
        places = torch.arange(start, start + count, device=ids.device, dtype=ids.dtype)
        ids[:, :count] = places[None, :, None]
        return original(ids, *args, **kwargs)

    with shadowed(embedder, "forward", forward):
        yield
