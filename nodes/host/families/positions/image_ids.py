"""Rotary networks that make the ids of picture tokens in `process_img`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .....ralu_core.latents.packing import Packing
from .embedder import COLUMNS, ROWS, repeated_text
from .shadow import shadowed


@contextmanager
def image_ids(
    network,
    packing: Packing,
    rows: int,
    *,
    origin: Callable[[int], int] = lambda side: 0,
    follows: tuple[int, ...] = (),
) -> Iterator[list[int]]:
    """While open, the picture's tokens get the packing's positions, and references their own.

    rows     of the call, a multiple of the packing's batch.
    origin   the side of a picture in tokens -> which of them the family counts from.
    follows  the `index` of references that lie beside the picture: their offsets count from its
             size, and the call's is 1 x N.
    """
    original = network.process_img
    positions = packing.rows(packing.positions, rows)
    grid, kept = packing.layout.position_grid, packing.layout.kept
    for axis, (coarse, side) in enumerate(zip(packing.layout.grid, grid, strict=True)):
        positions[:, :kept, axis] -= origin(coarse)  # a copy already, one for each row
        positions[:, kept:, axis] -= origin(side)
    asked: list[int] = []

    def process_img(x, index=0, **kwargs):
        is_reference = bool(asked)
        if is_reference and index in follows:
            kwargs["h_offset"] += (grid[0] - 1) * network.patch_size
            kwargs["w_offset"] += (grid[1] - packing.tokens) * network.patch_size
        made = original(x, index=index, **kwargs)
        tokens, ids, *rest = made
        asked.append(tokens.shape[1])
        if is_reference:
            return made
        ids = ids.clone()  # the host expands one picture's ids over the rows
        ids[:, :, ROWS : COLUMNS + 1] = positions
        rope = (kwargs.get("transformer_options") or {}).get("rope_options") or {}
        for axis, name in ((ROWS, "y"), (COLUMNS, "x")) if rope else ():
            ids[:, :, axis] *= rope.get(f"scale_{name}", 1.0)
            ids[:, :, axis] += rope.get(f"shift_{name}", 0.0)
        return tokens, ids, *rest

    with shadowed(network, "process_img", process_img):
        yield asked


@contextmanager
def image_and_text_ids(
    network, packing: Packing, rows: int, copies: int, *, follows: tuple[int, ...]
) -> Iterator[list[int]]:
    """The same of networks that place their text, too: every copy of it lies where the first does.

    copies  of the text in each call, which come first.
    """
    with image_ids(network, packing, rows, follows=follows) as asked:
        with repeated_text(network.pe_embedder, copies, lambda length: length - sum(asked)):
            yield asked
