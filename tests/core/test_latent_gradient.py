from __future__ import annotations

import pytest
import torch

from ralu_core.scores.latent_gradient import latent_scores


def scores_of(latent: torch.Tensor) -> torch.Tensor:
    """Of half-size latents with coarse tokens of 2x2 latent pixels, as Flux and SD3 have them."""
    return latent_scores(latent, (latent.shape[-2] // 2, latent.shape[-1] // 2))


def test_latent_gradient_finds_a_step() -> None:
    latent = torch.zeros(1, 16, 16, 24)
    latent[..., 10:] = 1.0  # between latent columns 9 and 10, tokens 4 and 5
    scores = scores_of(latent)
    assert scores.shape == (1, 8, 12) and scores.dtype == torch.float32
    expected = torch.zeros(1, 8, 12)
    expected[:, :, 4:6] = 1
    torch.testing.assert_close(scores, expected)


def test_latent_gradient_is_scaled_per_picture_and_averaged_over_channels() -> None:
    latent = torch.randn(2, 16, 16, 24, generator=torch.Generator().manual_seed(0))
    scores = scores_of(latent * torch.tensor([1.0, 50.0]).reshape(2, 1, 1, 1))
    assert scores.amax(dim=(1, 2)).tolist() == [1, 1]
    torch.testing.assert_close(scores[1:], scores_of(latent[1:]))
    shuffled = latent[:, torch.randperm(16, generator=torch.Generator().manual_seed(1))]
    torch.testing.assert_close(scores_of(shuffled), scores)


def test_a_flat_latent_has_no_gradient() -> None:
    assert torch.equal(scores_of(torch.full((1, 16, 8, 8), 3.0)), torch.zeros(1, 4, 4))


@pytest.mark.parametrize("side", [1, 2, 4])
def test_coarse_tokens_may_have_any_size(side: int) -> None:
    latent = torch.zeros(1, 16, 16, 24)
    latent[..., 12:] = 1.0  # between latent columns 11 and 12
    scores = latent_scores(latent, (16 // side, 24 // side))
    assert scores.shape == (1, 16 // side, 24 // side)
    columns = scores.amax(dim=(0, 1)).nonzero()[:, 0].tolist()
    assert columns == [11 // side, 12 // side]
