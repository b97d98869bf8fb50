from __future__ import annotations

import pytest
import torch
from runs import uniform
from test_layout import mask, some_latent

from ralu_core.latents.layout import Layout
from ralu_core.latents.packing import Packing
from ralu_core.latents.tokens import patchify, pick, spread

TWO = Layout(torch.stack([mask("F..", "..F"), mask(".FF", "...")]))


def only(layout: Layout) -> Packing:
    (packing,) = Packing.parts(layout)
    return packing


@pytest.fixture(params=[1, 2])
def layout(request: pytest.FixtureRequest) -> Layout:
    """Two pictures with equally many tokens, of one and of 2x2 latent pixels."""
    return Layout(TWO.fine, request.param)


def test_packed_tokens_are_the_picked_coarse_and_the_plain_fine_patches() -> None:
    x = some_latent(1, 2, 2)
    tokens = only(Layout(mask(".F", "..")[None])).pack(x)
    coarse, fine = patchify(pick(x)), patchify(x)
    assert torch.equal(tokens, torch.cat([coarse[:, [0, 2, 3]], fine[:, [2, 3, 6, 7]]], dim=1))


@pytest.mark.parametrize("patch", [1, 2])
def test_all_fine_is_the_native_full_sequence(patch: int) -> None:
    x = some_latent(2, 3, 4, patch)
    packing = only(uniform(x, True, patch))
    assert torch.equal(packing.pack(x), patchify(x, patch))
    assert torch.equal(packing.unpack(patchify(x, patch)), x)
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    expected = torch.stack([rows, columns], dim=-1).reshape(-1, 2)
    assert torch.equal(packing.positions, expected.expand(2, -1, -1))
    assert packing.layout.position_grid == (6, 8)


@pytest.mark.parametrize("patch", [1, 2])
def test_all_coarse_is_the_native_low_resolution_sequence(patch: int) -> None:
    x = some_latent(2, 3, 4, patch)
    packing = only(uniform(x, False, patch))
    assert torch.equal(packing.pack(x), patchify(pick(x), patch))
    assert torch.equal(packing.unpack(patchify(pick(x), patch)), spread(pick(x)))
    rows, columns = torch.meshgrid(torch.arange(3.0), torch.arange(4.0), indexing="ij")
    expected = torch.stack([rows, columns], dim=-1).reshape(-1, 2)
    assert torch.equal(packing.positions, expected.expand(2, -1, -1))
    assert packing.layout.position_grid == (3, 4)


def test_pack_undoes_unpack(layout: Layout) -> None:
    width = 2 * layout.patch**2
    tokens = torch.randn(2, 12, width, generator=torch.Generator().manual_seed(0))
    assert only(layout).tokens == 12
    assert torch.equal(only(layout).pack(only(layout).unpack(tokens)), tokens)


def test_a_strip_is_the_packed_tokens_in_one_row() -> None:
    x, packing = some_latent(2, 2, 3), only(TWO)
    strip = packing.to_strip(x)
    assert strip.shape == (2, 3, 2, 2 * 12)
    first = torch.stack([strip[0, :, 0, 0], strip[0, :, 0, 1], strip[0, :, 1, 0]])
    assert torch.equal(first, torch.stack([x[0, :, 0, 4], x[0, :, 0, 6], x[0, :, 2, 4]]))
    assert torch.equal(patchify(strip), packing.pack(x))
    assert torch.equal(packing.from_strip(strip), TWO.settle(x))


def test_unpack_undoes_pack_of_a_settled_state(layout: Layout) -> None:
    x = layout.settle(some_latent(2, 2, 3, layout.patch))
    assert torch.equal(only(layout).unpack(only(layout).pack(x)), x)
    assert torch.equal(layout.settle(x), x)


def test_every_picture_has_its_own_regions(layout: Layout) -> None:
    x, packing = some_latent(2, 2, 3, layout.patch), only(layout)
    for item in range(2):
        alone = only(Layout(layout.fine[item : item + 1], layout.patch))
        picture = x[item : item + 1]
        assert torch.equal(packing.pack(x)[item : item + 1], alone.pack(picture))
        assert torch.equal(layout.settle(x)[item : item + 1], alone.layout.settle(picture))
        assert torch.equal(packing.positions[item : item + 1], alone.positions)
    assert not torch.equal(packing.positions[0], packing.positions[1])


def test_stacked_conditionings_repeat_the_batch(layout: Layout) -> None:
    x, packing = some_latent(2, 2, 3, layout.patch), only(layout)
    tokens = packing.pack(torch.cat([x, -x, 2 * x]))
    packed = packing.pack(x)
    assert torch.equal(tokens, torch.cat([packed, -packed, 2 * packed]))
    assert torch.equal(packing.pack(packing.unpack(tokens)), tokens)


def test_gather_takes_the_rows_of_both_sizes(layout: Layout) -> None:
    x, packing = some_latent(2, 2, 3, layout.patch), only(layout)
    coarse, fine = patchify(pick(x), layout.patch), patchify(x, layout.patch)
    assert torch.equal(packing.gather(coarse, fine), packing.pack(x))
    assert torch.equal(packing.take(torch.cat([coarse, fine], dim=1)), packing.pack(x))


def test_rows_must_hold_whole_batches() -> None:
    with pytest.raises(ValueError, match="3 rows cannot hold batches of 2 pictures: stack"):
        only(TWO).pack(some_latent(3, 2, 3))


def test_parts_hold_the_pictures_of_one_token_count() -> None:
    whole = Layout(torch.stack([mask("F.", ".."), mask("FF", ".."), mask("..", ".F")]))
    x = some_latent(3, 2, 2)
    parts = Packing.parts(whole)
    assert [(part.items, part.tokens, part.is_part) for part in parts] == [
        ([0, 2], 7, True),
        ([1], 10, True),
    ]
    for part in parts:
        alone = only(Layout(whole.fine[part.items]))
        assert not alone.is_part
        assert torch.equal(part.pack(x[part.items]), alone.pack(x[part.items]))
        assert torch.equal(part.unpack(part.pack(x[part.items])), whole.settle(x)[part.items])


def test_parts_alike_hold_the_pictures_of_the_same_tokens() -> None:
    """For a network whose table of places is one for all rows of a call."""
    whole = Layout(torch.stack([mask("F.", ".."), mask("..", ".F"), mask("F.", "..")]))
    assert [part.items for part in Packing.parts(whole)] == [[0, 1, 2]]
    parts = Packing.parts(whole, alike=True)
    assert [(part.items, part.is_part) for part in parts] == [([0, 2], True), ([1], True)]


def test_moving_a_packing_copies_its_tables(layout: Layout) -> None:
    packing = only(layout)
    assert packing.to("cpu") is packing
    moved = packing.to("meta")
    tables = (moved.index, moved.positions, moved.pixels, moved.sources)
    assert {table.device.type for table in tables} == {"meta"}
    assert moved.positions.shape == packing.positions.shape and moved.tokens == packing.tokens
    # The layout is asked for sizes and counts alone, which a device would have to be waited for.
    assert moved.layout is layout and moved.items == packing.items
