from __future__ import annotations

import weakref

import pytest
import torch

from ralu_core.layout import Layout
from ralu_core.tokens import patchify, pick, spread


def mask(*rows: str) -> torch.Tensor:
    """One picture's coarse grid: F is replaced by four fine tokens, . stays."""
    return torch.tensor([[token == "F" for token in row] for row in rows])


def some_latent(b: int, h: int, w: int) -> torch.Tensor:
    return torch.randn(b, 3, 4 * h, 4 * w, generator=torch.Generator().manual_seed(h * w))


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


def test_packed_tokens_are_the_picked_coarse_and_the_plain_fine_patches() -> None:
    x = some_latent(1, 2, 2)
    tokens = Layout(mask(".F", "..")[None]).pack(x)
    coarse, fine = patchify(pick(x)), patchify(x)
    assert torch.equal(tokens, torch.cat([coarse[:, [0, 2, 3]], fine[:, [2, 3, 6, 7]]], dim=1))


def test_all_fine_is_the_native_full_sequence() -> None:
    layout = Layout(torch.ones(2, 3, 4, dtype=torch.bool))
    x = some_latent(2, 3, 4)
    assert torch.equal(layout.pack(x), patchify(x))
    assert torch.equal(layout.unpack(patchify(x)), x)
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    expected = torch.stack([rows, columns], dim=-1).reshape(-1, 2)
    assert torch.equal(layout.positions, expected.expand(2, -1, -1))
    assert layout.position_grid == (6, 8)


def test_all_coarse_is_the_native_low_resolution_sequence() -> None:
    layout = Layout(torch.zeros(2, 3, 4, dtype=torch.bool))
    x = some_latent(2, 3, 4)
    assert torch.equal(layout.pack(x), patchify(pick(x)))
    assert torch.equal(layout.unpack(patchify(pick(x))), spread(pick(x)))
    rows, columns = torch.meshgrid(torch.arange(3.0), torch.arange(4.0), indexing="ij")
    expected = torch.stack([rows, columns], dim=-1).reshape(-1, 2)
    assert torch.equal(layout.positions, expected.expand(2, -1, -1))
    assert layout.position_grid == (3, 4)


@pytest.fixture
def two_pictures() -> Layout:
    return Layout(torch.stack([mask("F..", "..F"), mask(".FF", "...")]))


def test_pack_undoes_unpack(two_pictures: Layout) -> None:
    tokens = torch.randn(2, 12, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(two_pictures.pack(two_pictures.unpack(tokens)), tokens)


def test_a_strip_is_the_packed_tokens_in_one_row(two_pictures: Layout) -> None:
    x = some_latent(2, 2, 3)
    strip = two_pictures.to_strip(x)
    assert strip.shape == (2, 3, 2, 2 * 12)
    first = torch.stack([strip[0, :, 0, 0], strip[0, :, 0, 1], strip[0, :, 1, 0]])
    assert torch.equal(first, torch.stack([x[0, :, 0, 4], x[0, :, 0, 6], x[0, :, 2, 4]]))
    assert torch.equal(patchify(strip), two_pictures.pack(x))
    assert torch.equal(two_pictures.from_strip(strip), two_pictures.settle(x))


def test_unpack_undoes_pack_of_a_settled_state(two_pictures: Layout) -> None:
    x = two_pictures.settle(some_latent(2, 2, 3))
    assert torch.equal(two_pictures.unpack(two_pictures.pack(x)), x)
    assert torch.equal(two_pictures.settle(x), x)


def test_settle_touches_coarse_regions_only(two_pictures: Layout) -> None:
    x = some_latent(2, 2, 3)
    settled = two_pictures.settle(x)
    fine = two_pictures.fine_pixels.expand_as(x)
    assert torch.equal(settled[fine], x[fine])
    assert torch.equal(settled[~fine], spread(pick(x))[~fine])
    assert not torch.equal(settled, x)


def test_every_picture_has_its_own_regions(two_pictures: Layout) -> None:
    x = some_latent(2, 2, 3)
    for item in range(2):
        alone = Layout(two_pictures.fine[item : item + 1])
        picture = x[item : item + 1]
        assert torch.equal(two_pictures.pack(x)[item : item + 1], alone.pack(picture))
        assert torch.equal(two_pictures.settle(x)[item : item + 1], alone.settle(picture))
        assert torch.equal(two_pictures.positions[item : item + 1], alone.positions)
    assert not torch.equal(two_pictures.positions[0], two_pictures.positions[1])


def test_stacked_conditionings_repeat_the_batch(two_pictures: Layout) -> None:
    x = some_latent(2, 2, 3)
    stacked = torch.cat([x, -x, 2 * x])
    tokens = two_pictures.pack(stacked)
    packed = two_pictures.pack(x)
    assert torch.equal(tokens, torch.cat([packed, -packed, 2 * packed]))
    assert torch.equal(two_pictures.pack(two_pictures.unpack(tokens)), tokens)


def test_rows_must_hold_whole_batches(two_pictures: Layout) -> None:
    with pytest.raises(ValueError, match="3 rows cannot hold batches of 2 pictures: stack"):
        two_pictures.pack(some_latent(3, 2, 3))


def test_groups_split_pictures_by_token_count() -> None:
    layout = Layout(torch.stack([mask("F.", ".."), mask("FF", ".."), mask("..", ".F")]))
    assert layout.counts == [7, 10, 7]
    groups = list(layout.groups)
    assert [items for items, _ in groups] == [[0, 2], [1]]
    for items, group in groups:
        assert torch.equal(group.fine, layout.fine[items])
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
    for _, group in layout.groups:
        group.pack(torch.zeros(group.batch, 1, *layout.latent_size))
    alive = weakref.ref(layout)
    del layout, group
    assert alive() is None


def test_unequal_counts_cannot_be_packed_together() -> None:
    layout = Layout(torch.stack([mask("F.", ".."), mask("FF", "..")]))
    with pytest.raises(ValueError, match=r"equally many tokens, got \[7, 10\].*Layout.groups"):
        layout.pack(some_latent(2, 2, 2))


@pytest.mark.parametrize(
    "fine", [torch.zeros(2, 2, dtype=torch.bool), torch.zeros(1, 2, 2)], ids=["flat", "float"]
)
def test_a_layout_needs_a_bool_mask_per_picture(fine: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"a \(B, h, w\) bool mask, got torch\.\w+ .*: make it"):
        Layout(fine)


def test_moving_a_layout(two_pictures: Layout) -> None:
    assert two_pictures.to("cpu") is two_pictures
    moved = two_pictures.to("meta")
    assert moved.fine.device.type == moved.index.device.type == "meta"
    assert moved.positions.shape == two_pictures.positions.shape
    assert moved.counts == two_pictures.counts


def test_moving_a_layout_of_unequal_counts() -> None:
    layout = Layout(torch.stack([mask("F.", ".."), mask("FF", "..")]))
    assert layout.to("meta").counts == [7, 10]
