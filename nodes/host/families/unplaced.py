"""Flow models whose tokens RALU cannot place: they run what stays at full size, as any sampler."""

from __future__ import annotations

from typing import Any

from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from . import views
from .family import Family, Presets, Size

# Picture pixels along one of a latent, by its channels, where older hosts do not say.
PIXELS = {3: 1, 64: 32, 128: 16}
USUAL_PIXELS = 8
# By the host's class: each latent pixel is a token, whatever the network's patch_size says.
SINGLE = ("Lens", "Ideogram4")


class Unplaced(Family):
    """A model of no family in the table.

    short     what it is, for people.
    why_full  why RALU cannot place its tokens, in a few words.
    latents   the host's latent format, which tells the space.
    patch     latent pixels along one token.
    cfg       its relatives'.
    """

    name = "unplaced"
    full = Size(1, 1)  # all its calls are alike, so any size compares them
    full_shift = 1.0
    presets = Presets("FLUX 5x")
    model_class = ""
    text_tokens = 0
    views = views.Refused("RALU cannot place its tokens")

    def __init__(
        self, short: str, why_full: str, latents: Any, patch: int, cfg: tuple[float, float]
    ):
        self.short = self.label = short
        self.why_full, self.cfg = why_full, cfg
        channels = latents.latent_channels
        pixels = getattr(latents, "spacial_downscale_ratio", PIXELS.get(channels, USUAL_PIXELS))
        self.space = Space(channels, pixels, patch, has_frames=latents.latent_dimensions == 3)

    def size(self, network: Any) -> Size:
        return self.full

    def positions(self, network: Any, packing: Packing, rows: int):
        raise ValueError(
            f"RALU cannot place the tokens of {self.short}, as {self.why_full}: use a KSampler."
        )
