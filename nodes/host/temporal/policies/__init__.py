"""The methods by the names that users choose. A new one is a file beside this and a line here."""

from __future__ import annotations

from ..policy import Policy
from .delta_dit import DeltaDiT
from .taylorseer import TaylorSeer
from .teacache import TeaCache
from .toca import ToCa

POLICIES: dict[str, type[Policy]] = {
    "TaylorSeer": TaylorSeer,
    "Delta-DiT": DeltaDiT,
    "ToCa": ToCa,
    "TeaCache": TeaCache,
}
DEFAULT_METHOD = next(iter(POLICIES))
