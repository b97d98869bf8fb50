"""How a state passes from one stage to the next."""

from __future__ import annotations

from .crossing import Crossing, Place
from .matched import Matched
from .onward import Onward
from .resized import Renoised, Repeated

__all__ = ["Crossing", "Matched", "Onward", "Place", "Renoised", "Repeated"]
