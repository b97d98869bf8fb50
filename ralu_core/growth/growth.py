"""What a way to grow must say: how a coarse latent doubles, and which noise then fits it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from ..latents.flow import Jump


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
