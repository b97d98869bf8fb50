from __future__ import annotations

import pytest
import torch

from ralu_core.latents.tokens import patchify, pick, spread, unpatchify


def latent(b: int, c: int, h: int, w: int) -> torch.Tensor:
    return torch.arange(b * c * h * w, dtype=torch.float32).reshape(b, c, h, w)


def test_order_within_a_token_is_channel_row_column() -> None:
    tokens = patchify(latent(1, 2, 2, 4))
    assert tokens.tolist() == [[[0, 1, 4, 5, 8, 9, 12, 13], [2, 3, 6, 7, 10, 11, 14, 15]]]


def test_tokens_run_row_by_row() -> None:
    x = latent(2, 3, 6, 8)
    tokens = patchify(x)
    for row in range(3):
        for column in range(4):
            patch = x[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            assert torch.equal(tokens[:, row * 4 + column], patch.reshape(2, -1))


@pytest.mark.parametrize("size", [(2, 2), (6, 8), (10, 4)])
def test_unpatchify_undoes_patchify(size: tuple[int, int]) -> None:
    x = latent(2, 3, *size)
    assert torch.equal(unpatchify(patchify(x), size[0] // 2, size[1] // 2), x)


def test_a_patch_of_one_is_a_token_of_one_latent_pixel() -> None:
    x = latent(2, 3, 4, 5)
    tokens = patchify(x, 1)
    assert torch.equal(tokens, x.flatten(2).mT)
    assert torch.equal(unpatchify(tokens, 4, 5, 1), x)


def test_patchify_undoes_unpatchify() -> None:
    tokens = torch.arange(2 * 6 * 12.0).reshape(2, 6, 12)
    assert torch.equal(patchify(unpatchify(tokens, 2, 3)), tokens)


def test_spread_repeats_and_pick_takes_the_first() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert spread(x).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert pick(torch.arange(16.0).reshape(4, 4)).tolist() == [[0, 2], [8, 10]]
    assert torch.equal(pick(spread(x)), x)
