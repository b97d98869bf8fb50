"""Pictures that do not split into whole coarse tokens: sample a larger canvas, crop it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

COARSE = 4  # latent pixels along one coarse token; 32 picture pixels
MIN_COARSE = 2
MAX_SIDE = 16384  # picture pixels; the host's own widgets end there


@dataclass(frozen=True)
class Canvas:
    """The latent size of a picture, and the size that is sampled for it.

    height, width  latent pixels of the picture, an eighth of its pixels.
    """

    height: int
    width: int

    def __post_init__(self) -> None:
        if min(self.padded) < MIN_COARSE * COARSE:
            raise ValueError(
                f"RALU needs a picture of at least {MIN_COARSE * COARSE * 8} pixels each way, "
                f"got {self.width * 8}x{self.height * 8}: make it larger, or use a KSampler."
            )
        if max(self.height, self.width) * 8 > MAX_SIDE:
            raise ValueError(
                f"RALU samples pictures of at most {MAX_SIDE} pixels each way, "
                f"got {self.width * 8}x{self.height * 8}: make it smaller, and upscale after."
            )

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width that split into whole coarse tokens."""
        return -(-self.height // COARSE) * COARSE, -(-self.width // COARSE) * COARSE

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of coarse tokens."""
        return self.padded[0] // COARSE, self.padded[1] // COARSE

    @property
    def is_whole(self) -> bool:
        return self.padded == (self.height, self.width)

    def extend(self, image: torch.Tensor) -> torch.Tensor:
        """Repeat the last row and column of (..., H, W), a map of the picture at any resolution."""
        if self.is_whole:
            return image
        h, w = image.shape[-2:]
        bottom = round(h * (self.padded[0] / self.height - 1))
        right = round(w * (self.padded[1] / self.width - 1))
        flat = image.reshape(1, -1, h, w)
        extended = F.pad(flat, (0, right, 0, bottom), mode="replicate")
        return extended.reshape(*image.shape[:-2], h + bottom, w + right)

    def crop(self, latent: torch.Tensor) -> torch.Tensor:
        """Cut a full-size (..., H, W) latent of the canvas back to the picture."""
        return latent[..., : self.height, : self.width]

    def mask(self, fine: torch.Tensor) -> torch.Tensor:
        """(B, rows, columns) chosen coarse tokens -> ComfyUI MASK (B, H, W) in picture pixels."""
        pixels = fine.float().repeat_interleave(8 * COARSE, -2).repeat_interleave(8 * COARSE, -1)
        return pixels[:, : self.height * 8, : self.width * 8].cpu()
