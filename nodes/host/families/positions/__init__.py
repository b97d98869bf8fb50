"""Tell a network where the tokens of a packed call lie, for the length of that call.

Each rule replaces one method on an instance of the network and restores it in `finally`. Nothing is
registered on the MODEL, no weight is read raw, and no forward pass is copied. All are context
managers that yield a list of how many picture tokens were asked for, one for each time; it stays
empty if the network never asks, and its result would be scrambled.
"""

from __future__ import annotations

from .counted import counted
from .embedder import embedded_ids, text_rows
from .grid_rotations import grid_rotations
from .image_ids import image_and_text_ids, image_ids
from .learned_table import learned_table
from .stretch import stretched

__all__ = [
    "counted",
    "embedded_ids",
    "grid_rotations",
    "image_and_text_ids",
    "image_ids",
    "learned_table",
    "stretched",
    "text_rows",
]
