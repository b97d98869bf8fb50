from __future__ import annotations

import weakref

import pytest
import torch

from ralu_core.latents.layout import Layout
from ralu_core.latents.packing import Packing
from ralu_core.latents.tokens import pick, spread


def mask(*rows: str) -> torch.Tensor:
    """One picture's coarse grid: F is replaced by four fine tokens, . stays."""
    return torch.tensor([[token == "F" for token in row] for row in rows])


def some_latent(b: int, h: int, w: int, patch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(h * w)
    return torch.randn(b, 3, 2 * patch * h, 2 * patch * w, generator=generator)


@pytest.fixture
def two_pictures() -> Layout:
    return Layout(torch.stack([mask("F..", "..F"), mask(".FF", "...")]))


def test_two_by_two_by_hand() -> None:
    layout = Layout(mask(".F", "..")[None])
    assert layout.grid == (2, 2)
    assert layout.latent_size == (8, 8)
    assert layout.counts == [7]
    assert layout.index.tolist() == [[0, 2, 3, 4 + 2, 4 + 3, 4 + 6, 4 + 7]]
    assert layout.positions.tolist() == [
        [[0, 0], [1, 0], [1, 1], [0, 1], [0, 1.5], [0.5, 1], [0.5, 1.5]]
    ]
    assert layout.position_grid == (2, 2)


def test_tokens_of_one_latent_pixel() -> None:
    layout, plain = Layout(mask(".F", "..")[None], patch=1), Layout(mask(".F", "..")[None])
    assert layout.latent_size == (4, 4)
    assert torch.equal(layout.index, plain.index) and torch.equal(layout.positions, plain.positions)
    expected = mask("..FF", "..FF", "....", "....")
    assert torch.equal(layout.fine_pixels[0, 0], expected)


@pytest.mark.parametrize("patch", [1, 2])
def test_settle_touches_coarse_regions_only(two_pictures: Layout, patch: int) -> None:
    x = some_latent(2, 2, 3, patch)
    layout = Layout(two_pictures.fine, patch)
    settled = layout.settle(x)
    fine = layout.fine_pixels.expand_as(x)
    assert torch.equal(settled[fine], x[fine])
    assert torch.equal(settled[~fine], spread(pick(x))[~fine])
    assert not torch.equal(settled, x)
    assert torch.equal(layout.join(x, pick(x)), settled)


def test_groups_split_pictures_by_token_count() -> None:
    layout = Layout(torch.stack([mask("F.", ".."), mask("FF", ".."), mask("..", ".F")]), patch=1)
    assert layout.counts == [7, 10, 7]
    groups = list(layout.groups)
    assert [items for items, _ in groups] == [[0, 2], [1]]
    for items, group in groups:
        assert torch.equal(group.fine, layout.fine[items]) and group.patch == 1
        assert len(set(group.counts)) == 1
        assert group.positions.shape == (len(items), group.counts[0], 2)


def test_equal_counts_are_one_group_and_keep_the_layout(two_pictures: Layout) -> None:
    ((items, group),) = two_pictures.groups
    assert items == [0, 1] and group is two_pictures


@pytest.mark.parametrize("size", [(2, 3), (1, 1)])
def test_a_layout_ends_with_its_last_user(size: tuple[int, int]) -> None:
    """Not when cycles are collected: a GPU would hold its tensors until then."""
    fine = torch.zeros(2, 4, 6, dtype=torch.bool)
    fine[0, : size[0]], fine[1, : size[1]] = True, True
    layout = Layout(fine)
    for packing in Packing.parts(layout):
        packing.pack(torch.zeros(packing.layout.batch, 1, *layout.latent_size))
    alive = weakref.ref(layout)
    del layout, packing
    assert alive() is None


def test_unequal_counts_have_no_common_index() -> None:
    layout = Layout(torch.stack([mask("F.", ".."), mask("FF", "..")]))
    with pytest.raises(ValueError, match=r"equally many tokens, got \[7, 10\].*Layout.groups"):
        _ = layout.index


@pytest.mark.parametrize(
    "fine", [torch.zeros(2, 2, dtype=torch.bool), torch.zeros(1, 2, 2)], ids=["flat", "float"]
)
def test_a_layout_needs_a_bool_mask_per_picture(fine: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"a \(B, h, w\) bool mask, got torch\.\w+ .*: make it"):
        Layout(fine)


def test_moving_a_layout(two_pictures: Layout) -> None:
    assert two_pictures.to("cpu") is two_pictures
    moved = Layout(two_pictures.fine, patch=1).to("meta")
    assert moved.fine.device.type == moved.fine_pixels.device.type == "meta"
    assert moved.patch == 1 and moved.grid == two_pictures.grid
    assert moved.counts == two_pictures.counts


def test_moving_a_layout_of_unequal_counts() -> None:
    layout = Layout(torch.stack([mask("F.", ".."), mask("FF", "..")]))
    assert layout.to("meta").counts == [7, 10]
