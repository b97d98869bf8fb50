"""Edges under coarse tokens of a decoded picture: what the two Canny scores share."""

from __future__ import annotations

from abc import abstractmethod

import torch

from .score import Evidence, Need, Score

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV's RGB to grey
CANNY_LOW, CANNY_HIGH = 100, 200  # the released code's thresholds, on grey levels 0..255


class EdgeShare(Score):
    """The share of edge pixels under each coarse token."""

    needs = Need.PICTURE
    is_share = True

    @abstractmethod
    def edges(self, levels: torch.Tensor) -> torch.Tensor:
        """Edges of (B, H, W) uint8 grey levels: (B, H, W) float32 of 0 and 1."""

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        return self.of_picture(evidence.picture, evidence.grid)

    def of_picture(self, image: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        """The scores of an image (B, H, W, 3) in [0, 1]; greys outside are clipped.

        grid  rows and columns of coarse tokens. ValueError unless they divide H and W.
        Returns (B, rows, columns) float32 in [0, 1], on the image's device.
        """
        b, h, w, _ = image.shape
        if h % grid[0] or w % grid[1]:
            raise ValueError(
                f"An image of {w}x{h} pixels does not split into {grid[1]}x{grid[0]} coarse "
                "tokens: decode it with the model's own VAE."
            )
        edges = self.edges(grey_levels(image))
        return edges.reshape(b, grid[0], h // grid[0], grid[1], w // grid[1]).mean(dim=(2, 4))


def grey_levels(image: torch.Tensor) -> torch.Tensor:
    """(B, H, W, 3) in [0, 1] as (B, H, W) uint8 greys.

    Channel by channel: a decoder's channels lie apart, and no product of all is kept.
    """
    red, green, blue = image.float().unbind(-1)
    grey = red * LUMA[0]
    grey += green * LUMA[1]
    grey += blue * LUMA[2]
    return grey.clamp_(0, 1).mul_(255).to(torch.uint8)
