"""The mixed grid of tokens: which are fine, and where all of them lie.

A mixed state is carried at full size, (B, C, H, W): where a picture is coarse, every coarse latent
pixel is repeated over a 2x2 block (`tokens.spread`). `packing.Packing` makes the token sequence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from .tokens import PATCH, pick, spread
from .views import PAPER, View, view_named


@dataclass(frozen=True, eq=False)
class Layout:
    """Which coarse tokens of each picture are replaced by four fine ones.

    fine   (B, h, w) bool on the coarse token grid; True = four fine tokens. ValueError for others.
           Pictures may differ in how many; `groups` puts those together that do not.
    patch  latent pixels along one token.
    views  how tokens of the two sizes see each other, one of `views.VIEWS_KNOWN`.

    >>> layout = Layout(torch.tensor([[[True, False]]]))
    >>> layout.counts, layout.latent_size
    ([5], (4, 8))
    """

    fine: torch.Tensor
    patch: int = PATCH
    views: str = PAPER

    def __post_init__(self) -> None:
        view_named(self.views)
        if self.fine.ndim != 3 or self.fine.dtype != torch.bool:
            raise ValueError(
                f"A layout needs a (B, h, w) bool mask, got {self.fine.dtype} of shape "
                f"{tuple(self.fine.shape)}: make it with `select_ratio` or `select_threshold`."
            )

    @property
    def view(self) -> View:
        return view_named(self.views)

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
        return 2 * self.patch * h, 2 * self.patch * w

    @cached_property
    def counts(self) -> list[int]:
        """Tokens of each picture: h*w + 3 * (number of coarse tokens replaced)."""
        h, w = self.grid
        return [h * w + 3 * int(k) for k in self.fine.flatten(1).sum(1).tolist()]

    @property
    def kept(self) -> int:
        """Tokens of each picture that stay coarse, where all have equally many."""
        h, w = self.grid
        return (4 * h * w - self.counts[0]) // 3

    @property
    def is_split(self) -> bool:
        """Whether the two sizes see each other in units of their own; one alone has no other."""
        return self.view.corrected and 0 < self.kept < self.grid[0] * self.grid[1]

    @cached_property
    def index(self) -> torch.Tensor:
        """(B, N) rows of the bank [coarse tokens, fine tokens] that make up the sequence.

        Kept coarse tokens first, then fine tokens, each in row-major order, so that an all-fine or
        all-coarse layout is exactly the model's native sequence; where it is split, the four of a
        coarse token's place follow each other. ValueError where pictures differ in number of
        tokens.
        """
        if len(set(self.counts)) != 1:
            raise ValueError(
                f"Pictures packed together need equally many tokens, got {self.counts}: "
                "pack each group of `Layout.groups` on its own."
            )
        grown = self.fine.flatten(1)
        bank = torch.cat([~grown, spread(self.fine).flatten(1)], dim=1)
        index = bank.nonzero()[:, 1].reshape(self.batch, -1)
        if not self.is_split:
            return index
        h, w = self.grid
        places = torch.arange(h * w, 5 * h * w, device=grown.device)
        fours = places.reshape(h, 2, w, 2).movedim(1, 2).reshape(h * w, 4)
        parents = grown.nonzero()[:, 1].reshape(self.batch, -1)
        return torch.cat([index[:, : self.kept], fours[parents].flatten(1)], dim=1)

    @property
    def position_grid(self) -> tuple[int, int]:
        """Rows and columns of the grid that positions of fine tokens, and of pictures beside this
        one, count in: the coarse grid, or the fine one if all is fine or the layout is split.
        Those of coarse tokens count in `grid`."""
        h, w = self.grid
        is_fine = self.is_split or self.counts[0] == 4 * h * w
        return (2 * h, 2 * w) if is_fine else (h, w)

    @cached_property
    def positions(self) -> torch.Tensor:
        """(B, N, 2) row and column of every token, float32.

        A kept coarse token lies at (i, j), the fine ones at (i + {0, .5}, j + {0, .5}). Where every
        token is fine the sequence is the plain full grid, so it gets the plain full positions.
        Where the layout is split, each token lies where it would on a grid of its own size.
        """
        h, w = self.grid
        unit = 1 if self.is_split else self.position_grid[0] / h
        coarse = grid_positions(h, w, unit, self.fine.device)
        fine = grid_positions(2 * h, 2 * w, self.position_grid[0] / (2 * h), self.fine.device)
        return torch.cat([coarse, fine])[self.index]

    @cached_property
    def fine_pixels(self) -> torch.Tensor:
        """(B, 1, H, W) bool: latent pixels that belong to fine tokens."""
        side = 2 * self.patch
        return self.fine[:, None].repeat_interleave(side, -2).repeat_interleave(side, -1)

    @property
    def groups(self) -> list[tuple[list[int], Layout]]:
        """Picture numbers that share a token count, with the layout of just those pictures."""
        members: dict[int, list[int]] = {count: [] for count in self.counts}
        for picture, count in enumerate(self.counts):
            members[count].append(picture)
        if len(members) == 1:  # itself, as its tables may be made already
            return [(list(range(self.batch)), self)]
        return [(items, replace(self, fine=self.fine[items])) for items in members.values()]

    @property
    def twins(self) -> list[tuple[list[int], Layout]]:
        """Picture numbers that share all their tokens, with the layout of just those pictures."""
        members: dict[tuple[bool, ...], list[int]] = {}
        for picture, fine in enumerate(self.fine.flatten(1).tolist()):
            members.setdefault(tuple(fine), []).append(picture)
        return [(items, replace(self, fine=self.fine[items])) for items in members.values()]

    def to(self, device: torch.device | str) -> Layout:
        """The same layout with its mask on another device; what is counted is not counted again."""
        if self.fine.device == torch.device(device):
            return self
        moved = replace(self, fine=self.fine.to(device))
        moved.__dict__.update(counts=self.counts)
        return moved

    def folded(self, fold: int) -> Layout:
        """The same over a latent whose pixels are `fold` of these wide, see `Space.fold`."""
        return self if fold == 1 else replace(self, patch=self.patch // fold)

    def settle(self, latent: torch.Tensor) -> torch.Tensor:
        """Repeat the picked pixel over each 2x2 block of the coarse regions."""
        return torch.where(self.fine_pixels, latent, spread(pick(latent)))

    def join(self, full: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
        """A mixed (B, ..., H, W) map: `full` where tokens are fine, else `half`, repeated."""
        return torch.where(self.fine_pixels, full, spread(half))


def grid_positions(rows: int, columns: int, step: float, device: torch.device) -> torch.Tensor:
    """(rows*columns, 2) row and column, times `step`, of tokens row by row; float32."""
    y = torch.arange(rows, device=device, dtype=torch.float32) * step
    x = torch.arange(columns, device=device, dtype=torch.float32) * step
    return torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).reshape(-1, 2)
