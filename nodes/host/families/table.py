"""The families there are: one in each line, tried in this order."""

from __future__ import annotations

import torch

from ....ralu_core.latents.space import Space
from .anima import Anima
from .chroma import Chroma
from .ernie import Ernie
from .family import Family
from .flux1 import Flux1
from .flux2 import Flux2
from .kandinsky5 import Kandinsky5
from .krea2 import Krea2
from .longcat import LongCat
from .mage_flow import MageFlow
from .qwen_image import QwenImage
from .sd3 import SD3
from .wan import Wan
from .z_image import Lumina2, ZImage

FAMILIES: tuple[Family, ...] = (
    Flux1(),
    SD3(),
    Flux2(),
    QwenImage(),
    ZImage(),
    Lumina2(),
    Krea2(),
    Anima(),
    Chroma(),
    LongCat(),
    MageFlow(),
    Ernie(),
    Kandinsky5(),
    Wan(),
)


def family_named(name: str) -> Family:
    """The family of that name; KeyError for others, as only presets name them."""
    return {family.name: family for family in FAMILIES}[name]


def space_of(latent: torch.Tensor, height: int) -> Space | None:
    """The space of a host's latent of a picture of that height; None where no family has it."""
    for family in FAMILIES:
        space = family.space
        shape = space.host_channels, space.has_frames, height // space.host_pixels
        if (latent.shape[1], latent.ndim == 5, latent.shape[-2]) == shape:
            return space
    return None


def supported() -> str:
    """All models that can be run, for messages."""
    return ", ".join(family.label for family in FAMILIES)
