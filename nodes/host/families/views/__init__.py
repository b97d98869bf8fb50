"""Let each size of tokens see the other in units of its own grid, where a plan corrects that.

A family has one rule: how its network is told, or why it cannot be.
"""

from __future__ import annotations

from .captioned import Captioned, padded
from .halves import Halves
from .rotary import Apart, Rotary, Rotations
from .rule import Refused, Rule
from .split import OVERRIDE, Joint, SplitAttention
from .table import Table
from .text import repeat_text

__all__ = [
    "OVERRIDE",
    "Apart",
    "Captioned",
    "Halves",
    "Joint",
    "Refused",
    "Rotary",
    "Rotations",
    "Rule",
    "SplitAttention",
    "Table",
    "padded",
    "repeat_text",
]
