"""Pictures that do not split into whole coarse tokens: sample a larger frame, crop it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from .space import Space

MIN_COARSE = 2  # coarse tokens each way
MAX_SIDE = 16384  # picture pixels


@dataclass(frozen=True)
class Frame:
    """The latent size of a picture, and the size that is sampled for it.

    height, width  latent pixels of the picture. ValueError where it is too small or too large.
    space          what a latent pixel is.
    exact          whether the picture's own size is sampled, whatever tokens it splits into; only
                   plans that are at full size throughout can.
    """

    height: int
    width: int
    space: Space = field(default_factory=Space)
    exact: bool = False

    def __post_init__(self) -> None:
        _check_least(self.height, self.width, self.space, self.size)
        if max(self.picture) > MAX_SIDE:
            raise ValueError(
                f"RALU samples pictures of at most {MAX_SIDE} pixels each way, got {self.size}: "
                "make it smaller, and upscale after."
            )

    @classmethod
    def of_picture(cls, height: int, width: int, space: Space | None = None) -> Frame:
        """The frame of a picture of that many pixels, without those that fill no latent pixel."""
        space = space or Space()
        rows, columns = height // space.pixels, width // space.pixels
        _check_least(rows, columns, space, f"{width}x{height}")  # in its own pixels
        return cls(rows, columns, space)

    @property
    def picture(self) -> tuple[int, int]:
        """Height and width of the picture in pixels."""
        return self.height * self.space.pixels, self.width * self.space.pixels

    @property
    def size(self) -> str:
        """Width and height in pixels, as people write them."""
        height, width = self.picture
        return f"{width}x{height}"

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width in latent pixels that are sampled: of whole coarse tokens, if not
        `exact`."""
        if self.exact:
            return self.height, self.width
        return self.grid[0] * self.space.coarse, self.grid[1] * self.space.coarse

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of coarse tokens, which cover the picture."""
        coarse = self.space.coarse
        return -(-self.height // coarse), -(-self.width // coarse)

    @property
    def fine_grid(self) -> tuple[int, int]:
        """Rows and columns of fine tokens."""
        return 2 * self.grid[0], 2 * self.grid[1]

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
        """Cut a full-size (..., H, W) latent of the frame back to the picture."""
        return latent[..., : self.height, : self.width]

    def mask(self, fine: torch.Tensor) -> torch.Tensor:
        """(B, rows, columns) chosen coarse tokens -> (B, H, W) float32 in picture pixels, CPU."""
        side = self.space.coarse_pixels
        pixels = fine.float().repeat_interleave(side, -2).repeat_interleave(side, -1)
        height, width = self.picture
        return pixels[:, :height, :width].cpu()


def _check_least(height: int, width: int, space: Space, size: str) -> None:
    """Refuse a latent of that height and width; `size` says the picture's for the message."""
    if min(height, width) <= (MIN_COARSE - 1) * space.coarse:
        least = (MIN_COARSE - 1) * space.coarse_pixels
        raise ValueError(
            f"RALU needs a picture of more than {least} pixels each way, "
            f"got {size}: make it larger, or sample it without RALU."
        )
