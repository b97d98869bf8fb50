"""How a state passes from one stage to the next."""

from __future__ import annotations

from .crossing import Crossing, Place
from .matched import Matched
from .resized import Renoised, Repeated

__all__ = ["Crossing", "Matched", "Place", "Renoised", "Repeated"]
