"""The Flux.1 and SD3 whose FLOPs are counted as the paper does, and the trained miniatures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.models.blueprint import FEW, FIVE, FLUX, SD3, Blueprint, flux_config, sd3_config
from lab.models.miniature.text_encoding import WIDTH, WORDS
from ralu_core.cost import CallCost


@dataclass(frozen=True)
class Architecture:
    """A diffusion model by its sizes.

    family       by its name in the pack's table.
    depth        blocks of each kind: Flux has double and single ones.
    text_tokens  that ComfyUI makes of a short prompt.
    steps        of the plain run that speed-ups are measured against.
    cfg          guidance scale its users sample with; above 1 every step is two forward passes.
    preset       for a model like that.
    guidance     Flux: distilled guidance (dev) or none (schnell).
    rms          SD3.5 normalises queries and keys.
    """

    name: str
    family: str
    depth: tuple[int, ...]
    width: int
    text_tokens: int
    steps: int
    preset: str
    cfg: float = 1.0
    guidance: bool = False
    rms: bool = False
    context: int = 4096
    pooled: int = 768

    @property
    def blocks(self) -> int:
        return sum(self.depth)

    @property
    def cost(self) -> CallCost:
        """What a call costs."""
        rotates = self.family != "sd3"  # which adds positions to its tokens
        copies = 2 if rotates else 1
        return CallCost(self.blocks, self.width, self.text_tokens, texts=copies, splits=rotates)

    @property
    def blueprint(self) -> Blueprint:
        """The same to be built."""
        if self.family == "sd3":
            place, config = SD3, sd3_config(self.blocks, self.context, self.pooled, self.rms)
        else:
            first, single = self.depth
            more = {"vec_in_dim": self.pooled, "guidance_embed": self.guidance}
            place, config = FLUX, flux_config(first, single, self.width, self.context, **more)
        called = {"y": (self.pooled,), **({"guidance": ()} if self.guidance else {})}
        return Blueprint(
            self.name,
            self.family,
            place,
            self.steps,
            self.cfg,
            self.preset,
            config,
            called,
            self.context,
            self.text_tokens,
        )


def _flux(name: str, depth: tuple[int, int], width: int, **more: Any) -> Architecture:
    usual = {"text_tokens": 256, "steps": 50, "preset": FIVE, "guidance": True}
    return Architecture(name, "flux1", depth, width, **{**usual, **more})


def _sd3(name: str, depth: int, **more: Any) -> Architecture:
    usual = {"text_tokens": 154, "steps": 28, "preset": "SD3 2x", "pooled": 2048}
    return Architecture(name, "sd3", (depth,), 64 * depth, **{**usual, **more})


ARCHITECTURES = {
    "flux-dev": _flux("FLUX.1-dev", (19, 38), 3072),
    "flux-schnell": _flux("FLUX.1-schnell", (19, 38), 3072, steps=4, preset=FEW, guidance=False),
    "sd3-medium": _sd3("SD3 Medium", 24, cfg=7.0),
    "sd3.5-large": _sd3("SD3.5 Large", 38, cfg=4.5, rms=True),
    "sd3.5-large-turbo": _sd3("SD3.5 Large Turbo", 38, steps=4, preset=FEW, rms=True),
    "mid": _flux("Flux, 6 blocks of 1024", (2, 4), 1024, steps=10),
}
_HASHED: dict[str, Any] = {"context": WIDTH, "pooled": WIDTH, "text_tokens": WORDS}
# The trained models of lab/models/miniature, by the end of their files' names.
MINIATURES = {
    "flux": _flux("Miniature Flux", (2, 4), 256, **_HASHED),
    "flux_guided": _flux("Miniature Flux, guided", (2, 4), 256, **_HASHED),
    # The guided one with a LoRA for four steps.
    "flux_turbo": _flux(
        "Miniature Flux, turbo", (2, 4), 256, **{**_HASHED, "steps": 4, "preset": FEW}
    ),
    "sd3": _sd3("Miniature SD3", 4, cfg=4.0, rms=True, **_HASHED),
    # The same with a LoRA for four steps without guidance.
    "sd3_lightning": _sd3(
        "Miniature SD3, Lightning", 4, rms=True, **{**_HASHED, "steps": 4, "preset": FEW}
    ),
}
