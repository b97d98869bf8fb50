"""What a way to grow must say: how a coarse latent doubles, and which noise then fits it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from ..latents.flow import Jump
from ..latents.noise import sibling_noise


class Growth(ABC):
    """One way for a coarse latent to grow to twice its size. A new one: a file, and a line in
    `growth.GROWTHS`.

    name   as people choose it.
    words  what it does, for a tooltip; its name alone where it interpolates.
    """

    name: str
    words: str

    @abstractmethod
    def grow(self, coarse: torch.Tensor, patch: int) -> torch.Tensor:
        """(B, C, H, W) -> (B, C, 2H, 2W); `patch` latent pixels make a token each way."""

    @abstractmethod
    def join_noise(
        self, grown: torch.Tensor, white: torch.Tensor, jump: Jump, patch: int
    ) -> torch.Tensor:
        """The grown state with noise that puts it at `jump.start_sigma`. May write into `grown`.

        grown  (B, C, H, W) what `grow` made of a state at `jump.end_sigma`, times `jump.signal`.
        white  (B, C, H, W) standard normal.
        """

    def check(self, channels: int) -> None:  # noqa: B027 -- most grow any latent
        """ValueError, before anything is sampled, where it grows no latents of so many channels."""

    def refinement(self, clean: torch.Tensor, patch: int) -> torch.Tensor | None:
        """What a clean estimate (B, C, H, W) has at full size beside what `grow` makes of it:
        (B, C, 2H, 2W); None for nothing. It joins as the clean part of a state, noise left alone.
        """
        return None


class Projected(Growth):
    """Growth that a mean undoes: copies, and whatever else holds a coarse latent exactly.

    `grow` of `mean` is then an orthogonal projection, and noise of which a part c * 4 of that
    projection's power is missing makes the grown state white again (RALU eq. 4-6, for copies).
    """

    @property
    def begins_as(self) -> str:
        """Name of the growth whose `halve_noise` it shares."""
        return self.name

    @abstractmethod
    def mean(self, fine: torch.Tensor, patch: int) -> torch.Tensor:
        """(B, C, 2H, 2W) -> (B, C, H, W): the coarse latent whose growth is nearest."""

    def mean_of_siblings(self, fine: torch.Tensor, patch: int) -> torch.Tensor:
        """The part of (B, C, H, W) that a coarse latent can hold, grown again; same shape."""
        return self.grow(self.mean(fine, patch), patch)

    def halve_noise(self, white: torch.Tensor, patch: int) -> torch.Tensor:
        """What of (B, C, 2H, 2W) white noise half size can hold: (B, C, H, W), white again."""
        return 2 * self.mean(white, patch)

    def join_noise(
        self, grown: torch.Tensor, white: torch.Tensor, jump: Jump, patch: int
    ) -> torch.Tensor:
        noise = sibling_noise(white, jump.c, lambda one: self.mean_of_siblings(one, patch))
        return grown.add_(noise, alpha=jump.start_sigma)
