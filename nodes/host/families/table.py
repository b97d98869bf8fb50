"""The families there are: one in each line, tried in this order."""

from __future__ import annotations

from .family import Family
from .flux1 import Flux1
from .sd3 import SD3

FAMILIES: tuple[Family, ...] = (Flux1(), SD3())


def family_named(name: str) -> Family:
    """The family of that name; KeyError for others, as only presets name them."""
    return {family.name: family for family in FAMILIES}[name]


def supported() -> str:
    """All models that can be run, for messages."""
    return ", ".join(family.label for family in FAMILIES)


def supported_short() -> str:
    """The same in few words, for tooltips: "Flux.1, SD3 and SD3.5"."""
    return _listed([family.short for family in FAMILIES])


def forecast_short() -> str:
    """Those whose blocks are known, so that RALU Temporal Acceleration runs them."""
    return _listed([family.short for family in FAMILIES if family.blocks is not None])


def _listed(names: list[str]) -> str:
    return ", ".join(names)
