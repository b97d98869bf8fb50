"""The families there are: one in each line, tried in this order."""

from __future__ import annotations

from .family import Family
from .flux1 import Flux1
from .qwen_image import QwenImage
from .sd3 import SD3

FAMILIES: tuple[Family, ...] = (Flux1(), SD3(), QwenImage())


def family_named(name: str) -> Family:
    """The family of that name; KeyError for others, as only presets name them."""
    return {family.name: family for family in FAMILIES}[name]


def supported() -> str:
    """All models that can be run, for messages."""
    return ", ".join(family.label for family in FAMILIES)
