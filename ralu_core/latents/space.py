"""The space that a model's latents live in, and the form that its host carries them in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Space:
    """What a latent pixel is. All of this library works on (B, C, H, W) latents of the space.

    channels    C of a latent of one frame.
    pixels      picture pixels along one latent pixel.
    patch       latent pixels along one token: 1 or 2, or any where all stages are at full size.
    fold        1; or 2 where the host folds 2x2 latent pixels into channels, in the order of
                `torch.pixel_shuffle`: its latent is (B, 4*C, H/2, W/2).
    has_frames  whether the host's latent is (B, C, T, H, W); T is 1 for still pictures.
    """

    channels: int = 16
    pixels: int = 8
    patch: int = 2
    fold: int = 1
    has_frames: bool = False

    @property
    def coarse(self) -> int:
        """Latent pixels along one coarse token."""
        return 2 * self.patch

    @property
    def coarse_pixels(self) -> int:
        """Picture pixels along one coarse token."""
        return self.coarse * self.pixels

    @property
    def host_channels(self) -> int:
        return self.channels * self.fold**2

    @property
    def host_pixels(self) -> int:
        """Picture pixels along one pixel of the host's latent."""
        return self.pixels * self.fold

    def enter(self, latent: torch.Tensor) -> torch.Tensor:
        """The host's latent as (B, C*T, H, W) of the space; the same tensor where forms agree."""
        if not self.has_frames or latent.ndim == 4:
            return self._unfold(latent)
        frames = self._unfold(latent.movedim(2, 1))
        return frames.movedim(1, 2).flatten(1, 2)

    def leave(self, latent: torch.Tensor) -> torch.Tensor:
        """Undo `enter`: the latent as the host carries it."""
        if not self.has_frames:
            return self._fold(latent)
        b, c, h, w = latent.shape
        frames = latent.reshape(b, self.channels, c // self.channels, h, w).movedim(2, 1)
        return self._fold(frames).movedim(1, 2)

    def _unfold(self, latent: torch.Tensor) -> torch.Tensor:
        return latent if self.fold == 1 else F.pixel_shuffle(latent, self.fold)

    def _fold(self, latent: torch.Tensor) -> torch.Tensor:
        return latent if self.fold == 1 else F.pixel_unshuffle(latent, self.fold)
