"""Pictures with the regions that grow early drawn on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F

OUTLINE = (1.0, 0.15, 0.1)
SHADE = 0.55  # brightness of what stays coarse
GREY = 0.5
OVERLAY_SIDE = 512
MIN_PATCH = 8  # below that the outlines would cover the patch


def outline_regions(picture: torch.Tensor, mask: torch.Tensor, patch: int) -> torch.Tensor:
    """Darken what stays coarse and draw each chosen patch's border, as in the paper's Figure S1.

    picture  (B, H, W, 3) in [0, 1].
    mask     (B, H, W) of 0 and 1 in whole patches of `patch` pixels.
    """
    mask = mask.to(picture)[..., None]
    shown = picture * (SHADE + (1 - SHADE) * mask)
    h, w = picture.shape[1:3]
    on_border = _near_patch_edge(h, patch)[:, None] | _near_patch_edge(w, patch)[None, :]
    border = on_border.to(picture.device)[None, ..., None] & (mask > 0)
    return torch.where(border, picture.new_tensor(OUTLINE), shown)


@dataclass(frozen=True, eq=False)
class Overlay:
    """The arguments of `region_overlay`, drawn when somebody looks."""

    picture: torch.Tensor | None
    chosen: torch.Tensor

    @classmethod
    def of(cls, picture: torch.Tensor | None, chosen: torch.Tensor) -> Overlay:
        """With the picture as small as it is drawn, and on the CPU: it waits until the run ends."""
        return cls(None if picture is None else _shrunk(picture, *_sides(chosen)), chosen.cpu())

    @cached_property
    def drawn(self) -> torch.Tensor:
        return region_overlay(self.picture, self.chosen)


def region_overlay(picture: torch.Tensor | None, chosen: torch.Tensor) -> torch.Tensor:
    """A small picture of the chosen regions, (B, h, w, 3) in [0, 1] on the CPU.

    picture  (B, H, W, 3) in [0, 1] at any size, or None for a grey one.
    chosen   (B, rows, columns) bool coarse tokens.
    """
    height, width = _sides(chosen)
    patch = height // chosen.shape[1]
    if picture is None:
        shown = torch.full((len(chosen), height, width, 3), GREY)
    else:
        shown = _shrunk(picture, height, width)
    mask = chosen.cpu().repeat_interleave(patch, 1).repeat_interleave(patch, 2)
    return outline_regions(shown.clamp(0, 1), mask, patch)


def _sides(chosen: torch.Tensor) -> tuple[int, int]:
    """Height and width in pixels that regions are drawn at."""
    _, rows, columns = chosen.shape
    patch = max(MIN_PATCH, OVERLAY_SIDE // max(rows, columns))
    return rows * patch, columns * patch


def _shrunk(picture: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """A picture (B, H, W, 3) at another size, on the CPU."""
    image = picture.cpu().float().movedim(-1, 1)  # MPS got this interpolation in torch 2.7
    if image.shape[-2:] != (height, width):
        image = F.interpolate(image, (height, width), mode="bilinear", antialias=True)
    return image.movedim(1, -1)


def _near_patch_edge(size: int, patch: int) -> torch.Tensor:
    offset = torch.arange(size) % patch
    return (offset == 0) | (offset == patch - 1)
