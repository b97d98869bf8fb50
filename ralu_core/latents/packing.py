"""Mixed states as token sequences: the index tables of a layout, on the device of a call.

A sequence travels as a strip, (n, C, patch, patch*N): a picture of one row of N tokens. Networks
that cut a latent into tokens row by row read it as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch

from .layout import Layout
from .tokens import patchify, pick, unpatchify


@dataclass(frozen=True, eq=False)
class Packing:
    """How pictures with equally many tokens become one sequence each, and back.

    layout     of these pictures.
    items      their numbers in the batch that they are part of.
    is_part    whether that batch holds pictures of other token counts.
    index      (B, N) the sequence's rows of the bank [coarse tokens, fine tokens].
    positions  (B, N, 2) row and column of every token, see `Layout.positions`.
    pixels     (B, patch, patch*N) where the pixels of a strip lie in a flattened (H, W) state.
    sources    (B, H, W) which of a strip's pixels each latent pixel of a state repeats.

    In the shapes below n is B or a multiple of it: classifier-free guidance stacks whole batches,
    so row r belongs to picture r % B.
    """

    layout: Layout
    items: list[int]
    is_part: bool
    index: torch.Tensor
    positions: torch.Tensor
    pixels: torch.Tensor
    sources: torch.Tensor

    @classmethod
    def parts(cls, layout: Layout, alike: bool = False) -> list[Packing]:
        """The packings of a batch: one for each number of tokens that its pictures have, or one
        for each set of pictures with the same tokens."""
        groups = layout.twins if alike else layout.groups
        return [cls._of(part, items, len(groups) > 1) for items, part in groups]

    @classmethod
    def _of(cls, layout: Layout, items: list[int], is_part: bool) -> Packing:
        height, width = layout.latent_size
        device = layout.fine.device
        places = torch.arange(height * width, device=device).reshape(1, 1, height, width)
        halves = (patchify(part, layout.patch) for part in (pick(places), places))
        bank = torch.cat(list(halves), dim=1)
        index = layout.index
        pixels = unpatchify(bank[0][index], 1, index.shape[1], layout.patch)[:, 0]
        flat = pixels.flatten(1)
        values = torch.arange(flat.shape[1], device=device).expand(layout.batch, -1)
        state = values.new_zeros(layout.batch, 1, height, width)
        state.flatten(1).scatter_(1, flat, values)
        sources = layout.settle(state)[:, 0]
        return cls(layout, items, is_part, index, layout.positions, pixels, sources)

    @property
    def tokens(self) -> int:
        """N, the length of each sequence."""
        return self.index.shape[1]

    @property
    def fine_positions(self) -> torch.Tensor:
        """(B, N, 2) positions of a split layout in units of the fine grid: coarse tokens lie in the
        middle of the four that they stand for."""
        coarse, fine = self.positions[:, : self.layout.kept], self.positions[:, self.layout.kept :]
        return torch.cat([2 * coarse + 0.5, fine], dim=1)

    @property
    def coarse_positions(self) -> torch.Tensor:
        """The same in units of the coarse grid: fine tokens lie where their coarse one would."""
        coarse, fine = self.positions[:, : self.layout.kept], self.positions[:, self.layout.kept :]
        return torch.cat([coarse, (fine / 2).floor()], dim=1)

    def to(self, device: torch.device | str) -> Packing:
        """The same tables on another device: copied, not made again."""
        if self.index.device == torch.device(device):
            return self
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {name: v.to(device) for name, v in values.items() if torch.is_tensor(v)}
        return replace(self, **moved)

    def rows(self, per_picture: torch.Tensor, rows: int) -> torch.Tensor:
        """Repeat a (B, ...) tensor for `rows` rows that hold the batch again and again.

        ValueError where they do not.
        """
        batch = self.layout.batch
        if rows % batch:
            raise ValueError(
                f"{rows} rows cannot hold batches of {batch} pictures: stack whole batches."
            )
        return per_picture.repeat(rows // batch, *[1] * (per_picture.ndim - 1))

    def gather(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        """Take the sequence (n, N, D) from (n, h*w, D) coarse and (n, 4*h*w, D) fine rows."""
        return self.take(torch.cat([coarse, fine], dim=1))

    def take(self, bank: torch.Tensor) -> torch.Tensor:
        """The same from both in one tensor, (n, 5*h*w, D), the coarse rows first."""
        index = self.rows(self.index, bank.shape[0])
        return bank.gather(1, index[..., None].expand(-1, -1, bank.shape[-1]))

    def pack(self, state: torch.Tensor) -> torch.Tensor:
        """(n, C, H, W) mixed state -> (n, N, C*patch^2) tokens."""
        return patchify(self.to_strip(state), self.layout.patch)

    def unpack(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, N, C*patch^2) tokens -> (n, C, H, W) mixed state. Undoes `pack`."""
        return self.from_strip(unpatchify(tokens, 1, tokens.shape[1], self.layout.patch))

    def to_strip(self, state: torch.Tensor) -> torch.Tensor:
        """(n, C, H, W) mixed state -> (n, C, patch, patch*N): its tokens as a row of a picture.

        The same as `unpatchify` of `pack`, in one pass over the data.
        """
        strip = self._take_pixels(state.flatten(2), self.pixels.flatten(1))
        return strip.reshape(*state.shape[:2], self.layout.patch, -1)

    def from_strip(self, strip: torch.Tensor) -> torch.Tensor:
        """(n, C, patch, patch*N) strip -> (n, C, H, W) mixed state. Undoes `to_strip`."""
        state = self._take_pixels(strip.flatten(2), self.sources.flatten(1))
        return state.reshape(*strip.shape[:2], *self.layout.latent_size)

    def _take_pixels(self, values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """(n, C, K) values at (B, M) places along the last axis: (n, C, M)."""
        index = self.rows(index, values.shape[0])
        return values.gather(2, index[:, None].expand(-1, values.shape[1], -1))
