"""The mixed token sequence of stage 2: which tokens are fine, where they lie, how to pack them.

A mixed state is carried at full size, (B, C, H, W): where a picture is coarse, every coarse latent
pixel is repeated over a 2x2 block (`tokens.spread`). Packing takes each coarse token once and each
fine token once; unpacking undoes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from .tokens import PATCH, patchify, pick, spread, unpatchify


@dataclass(frozen=True, eq=False)
class Layout:
    """Which coarse tokens of each picture are replaced by four fine ones.

    fine  (B, h, w) bool on the coarse token grid; True = four fine tokens. All pictures of one
          layout must have the same number of them; `groups` splits a batch where they differ.
    """

    fine: torch.Tensor

    def __post_init__(self) -> None:
        if self.fine.ndim != 3 or self.fine.dtype != torch.bool:
            raise ValueError(
                f"A layout needs a (B, h, w) bool mask, got {self.fine.dtype} of shape "
                f"{tuple(self.fine.shape)}: make it with `select_ratio` or `select_threshold`."
            )

    @property
    def batch(self) -> int:
        return self.fine.shape[0]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the coarse token grid."""
        return self.fine.shape[1], self.fine.shape[2]

    @property
    def latent_size(self) -> tuple[int, int]:
        """Height and width of the full-size latent."""
        h, w = self.grid
        return 2 * PATCH * h, 2 * PATCH * w

    @cached_property
    def counts(self) -> list[int]:
        """Tokens of each picture: h*w + 3 * (number of coarse tokens replaced)."""
        h, w = self.grid
        return [h * w + 3 * int(k) for k in self.fine.flatten(1).sum(1).tolist()]

    @cached_property
    def index(self) -> torch.Tensor:
        """(B, N) rows of the bank [coarse tokens, fine tokens] that make up the sequence.

        Kept coarse tokens first, then fine tokens, each in row-major order, so that an all-fine or
        all-coarse layout is exactly the model's native sequence.
        """
        if len(set(self.counts)) != 1:
            raise ValueError(
                f"Pictures packed together need equally many tokens, got {self.counts}: "
                "pack each group of `Layout.groups` on its own."
            )
        bank = torch.cat([~self.fine.flatten(1), spread(self.fine).flatten(1)], dim=1)
        return bank.nonzero()[:, 1].reshape(self.batch, -1)

    @property
    def position_grid(self) -> tuple[int, int]:
        """Rows and columns of the grid that positions count in: coarse, or fine if all is fine."""
        h, w = self.grid
        return (2 * h, 2 * w) if self.counts[0] == 4 * h * w else (h, w)

    @cached_property
    def positions(self) -> torch.Tensor:
        """(B, N, 2) row and column of every token, float32, in units of `position_grid`.

        A kept coarse token lies at (i, j), the fine ones at (i + {0, .5}, j + {0, .5}). Where every
        token is fine the sequence is the plain full grid, so it gets the plain full positions.
        """
        h, w = self.grid
        unit = self.position_grid[0] / h
        coarse = _grid_positions(h, w, unit, self.fine.device)
        fine = _grid_positions(2 * h, 2 * w, unit / 2, self.fine.device)
        return torch.cat([coarse, fine])[self.index]

    @cached_property
    def pixels(self) -> torch.Tensor:
        """(B, 2, 2*N) where the pixels of a strip lie in a flattened (H, W) mixed state."""
        height, width = self.latent_size
        places = torch.arange(height * width, device=self.fine.device).reshape(1, 1, height, width)
        bank = torch.cat([patchify(pick(places)), patchify(places)], dim=1)
        return unpatchify(bank[0][self.index], 1, self.index.shape[1])[:, 0]

    @cached_property
    def sources(self) -> torch.Tensor:
        """(B, H, W) which of a strip's 4*N pixels each latent pixel of a mixed state repeats."""
        places = self.pixels.flatten(1)
        values = torch.arange(places.shape[1], device=places.device).expand(self.batch, -1)
        state = values.new_zeros(self.batch, 1, *self.latent_size)
        state.flatten(1).scatter_(1, places, values)
        return self.settle(state)[:, 0]

    @cached_property
    def fine_pixels(self) -> torch.Tensor:
        """(B, 1, H, W) bool: latent pixels that belong to fine tokens."""
        mask = self.fine[:, None]
        return mask.repeat_interleave(2 * PATCH, -2).repeat_interleave(2 * PATCH, -1)

    def to(self, device: torch.device | str) -> Layout:
        """The same layout on another device; what is counted and indexed is copied, not redone."""
        if self.fine.device == torch.device(device):
            return self
        moved = Layout(self.fine.to(device))
        moved.__dict__.update(counts=self.counts)
        if len(set(self.counts)) == 1:
            copied = ("index", "positions", "pixels", "sources")
            moved.__dict__.update({name: getattr(self, name).to(device) for name in copied})
        else:
            parts = [(items, layout.to(device)) for items, layout in self._parts]
            moved.__dict__.update(_parts=parts)
        return moved

    @property
    def groups(self) -> list[tuple[list[int], Layout]]:
        """Picture numbers that share a token count, with the layout of just those pictures."""
        if len(set(self.counts)) == 1:  # not kept: in a cycle its tensors would outlive the run
            return [(list(range(self.batch)), self)]
        return self._parts

    @cached_property
    def _parts(self) -> list[tuple[list[int], Layout]]:
        members = {count: [] for count in self.counts}
        for picture, count in enumerate(self.counts):
            members[count].append(picture)
        return [(items, Layout(self.fine[items])) for items in members.values()]

    def gather(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        """Take the sequence (n, N, D) from (n, h*w, D) coarse and (n, 4*h*w, D) fine rows.

        Here and below n is B or a multiple of it, see `rows`.
        """
        return self.take(torch.cat([coarse, fine], dim=1))

    def take(self, bank: torch.Tensor) -> torch.Tensor:
        """The same from both in one tensor, (n, 5*h*w, D), the coarse rows first."""
        index = self.rows(self.index, bank.shape[0])
        return bank.gather(1, index[..., None].expand(-1, -1, bank.shape[-1]))

    def rows(self, per_picture: torch.Tensor, rows: int) -> torch.Tensor:
        """Repeat a (B, ...) tensor for `rows` rows that hold the batch again and again.

        Classifier-free guidance stacks whole batches, so row r belongs to picture r % B.
        """
        if rows % self.batch:
            raise ValueError(
                f"{rows} rows cannot hold batches of {self.batch} pictures: stack whole batches."
            )
        repeats = rows // self.batch
        return per_picture.repeat(repeats, *[1] * (per_picture.ndim - 1))

    def pack(self, latent: torch.Tensor) -> torch.Tensor:
        """(n, C, H, W) mixed state -> (n, N, C*4) tokens."""
        return patchify(self.to_strip(latent))

    def unpack(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, N, C*4) tokens -> (n, C, H, W) mixed state. Undoes `pack`."""
        return self.from_strip(unpatchify(tokens, 1, tokens.shape[1]))

    def to_strip(self, latent: torch.Tensor) -> torch.Tensor:
        """(n, C, H, W) mixed state -> (n, C, 2, 2*N): its tokens as a picture of one row of them.

        The same as `unpatchify` of `pack`, in one pass over the data.
        """
        strip = self._take(latent.flatten(2), self.pixels.flatten(1))
        return strip.reshape(*latent.shape[:2], PATCH, -1)

    def from_strip(self, strip: torch.Tensor) -> torch.Tensor:
        """(n, C, 2, 2*N) strip -> (n, C, H, W) mixed state. Undoes `to_strip`."""
        state = self._take(strip.flatten(2), self.sources.flatten(1))
        return state.reshape(*strip.shape[:2], *self.latent_size)

    def _take(self, values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """(n, C, K) values at (B, M) places along the last axis: (n, C, M)."""
        index = self.rows(index, values.shape[0])
        return values.gather(2, index[:, None].expand(-1, values.shape[1], -1))

    def settle(self, latent: torch.Tensor) -> torch.Tensor:
        """Repeat the picked pixel over each 2x2 block of the coarse regions."""
        return torch.where(self.fine_pixels, latent, spread(pick(latent)))


def _grid_positions(rows: int, columns: int, step: float, device: torch.device) -> torch.Tensor:
    y = torch.arange(rows, device=device, dtype=torch.float32) * step
    x = torch.arange(columns, device=device, dtype=torch.float32) * step
    return torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).reshape(-1, 2)
