"""Z-Image and Lumina 2: one network, NextDiT, which joins a caption and a picture, both padded."""

from __future__ import annotations

from typing import Any, NoReturn

from ....ralu_core.latents.packing import Packing
from ....ralu_core.plans.presets import PUBLISHED_SHIFT
from .family import Family, Presets, Size, Untold
from .positions import embedded_ids
from .views import Captioned, padded


class NextDiT(Family):
    """What both have in common."""

    model_class = "Lumina2"
    hooks = ("rope_embedder", "pad_tokens_multiple")
    text_tokens = 64
    views = Captioned()
    stretches = True

    def size(self, network: Any) -> Size:
        blocks = len(network.layers) + len(network.noise_refiner)
        return Size(blocks, network.dim, self.full.linear)

    def text_width(self, network: Any) -> int:
        return network.cap_embedder[1].in_features

    def positions(self, network: Any, packing: Packing, rows: int):
        tokens = padded(network, packing.tokens)
        is_apart = hasattr(network, "embed_cap")

        def first(call: int, length: int) -> int | None:
            # Newer hosts embed the caption's ids, then the picture's; older ones both at once.
            if not is_apart:
                return length - tokens
            if call == 0:
                return None
            if call == 1 and length == tokens:
                return 0
            self._refuse_references()

        return embedded_ids(network.rope_embedder, packing, rows, first)

    def check_references(self, network: Any, tokens: int) -> None:
        if tokens and hasattr(network, "embed_cap"):  # older hosts leave them out
            self._refuse_references()

    def _refuse_references(self) -> NoReturn:
        raise ValueError(
            f"RALU cannot place the reference pictures of {self.short} in its mixed stage: "
            "remove them, or use a KSampler."
        )


class ZImage(NextDiT):
    name = "z_image"
    label = "Z-Image and Z-Image-Turbo"
    short = "Z-Image"
    full = Size(blocks=32, width=3840)
    full_shift = PUBLISHED_SHIFT
    presets = Presets("FLUX 5x", untold=Untold("Z-Image-Turbo", "8-step distilled"))
    plain_steps = 25
    cfg = (3, 5)

    def matches(self, model: Any, network: Any) -> bool:
        return super().matches(model, network) and bool(network.pad_tokens_multiple)


class Lumina2(NextDiT):
    name = "lumina2"
    label = "Lumina Image 2.0 and fine-tunes"
    short = "Lumina 2"
    full = Size(blocks=28, width=2304, linear=28.5)
    full_shift = 6.0
    presets = Presets("FLUX 5x")
    plain_steps = 30
    cfg = (3, 5)
    text_tokens = 128

    def matches(self, model: Any, network: Any) -> bool:
        return super().matches(model, network) and not network.pad_tokens_multiple
