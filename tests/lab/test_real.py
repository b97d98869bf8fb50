"""What a VAE loses between two sizes, on latents whose loss is known."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lab.real.vae_scales import energies_left_wrong
from ralu_core.growth import Projected, growth_named


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def low_band(full: torch.Tensor) -> torch.Tensor:
    dct = growth_named("dct")
    assert isinstance(dct, Projected)
    return dct.mean(full, 2)


def test_a_latent_that_keeps_its_scale_has_nothing_wrong():
    full = normal(4, 4, 32, 32)
    assert energies_left_wrong(full, low_band(full))["low band, as it is"] < 1e-9


def test_channels_that_change_places_are_mapped_back():
    full = normal(4, 4, 32, 32)
    wrong = energies_left_wrong(full, 2 * low_band(full).flip(1) + 0.5)
    assert wrong["low band, as it is"] > 1
    assert wrong["low band, channel map"] < 1e-4


def test_the_linear_map_finds_what_bicubic_does_not():
    half = normal(8, 2, 16, 16)
    kernel = normal(8, 2, 3, 3)
    full = F.pixel_shuffle(F.conv2d(F.pad(half, (1,) * 4, mode="replicate"), kernel), 2)
    wrong = energies_left_wrong(full, half)
    assert wrong["full size, enlarger"] < 1e-3
    assert wrong["full size, bicubic"] > 0.5


def test_too_few_pictures_are_refused():
    with pytest.raises(ValueError, match="4 pictures or more, got 3: add some"):
        energies_left_wrong(normal(3, 2, 16, 16), normal(3, 2, 8, 8))
