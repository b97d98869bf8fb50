"""What a run begins with, and what it is refused for before or at its first decode."""

from __future__ import annotations

import math

import pytest
import torch
from closed_form import gaussian
from runs import LATENT, PLAN, SIZE, normal

from ralu_core import Regions, Source, named_plan, sample


@pytest.mark.parametrize(
    ("clean", "coarse"),
    [((2, 1, 16, 24), (2, 4, 8, 12)), ((1, 4, 16, 24), (2, 4, 8, 12)), (SIZE, (2, 4, 4, 6))],
    ids=["channels", "pictures", "half size"],
)
def test_a_clean_latent_is_of_the_noises_shape(clean: tuple, coarse: tuple) -> None:
    source = Source(normal(3, *SIZE), torch.ones(clean), torch.ones(coarse))
    with pytest.raises(ValueError, match=r"has the noise's shape \(2, 4, 16, 24\), .* got \("):
        sample(gaussian(0.2, 0.8), None, source, PLAN, 0, LATENT)
    if clean == SIZE:
        source.check(named_plan("plain"))  # which reads none of half size


def test_a_source_from_a_latent_begins_half_size_with_the_mean_of_four() -> None:
    clean = normal(4, *SIZE)
    source = Source.from_latent(normal(3, *SIZE), clean)
    mean = clean.reshape(2, 4, 8, 2, 12, 2).mean(dim=(3, 5))
    torch.testing.assert_close(source.coarse, mean)
    assert source.clean is clean and not source.is_zero


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        (torch.full((2, 64, 96, 3), 200.0), r"in \[0, 1\], got 200 to 200: scale"),
        (torch.full((2, 64, 96, 3), -1.0), "got -1 to -1: scale"),
        (torch.full((2, 64, 96, 3), math.nan), "got nan to nan in torch.float32: decode in float"),
        (torch.full((2, 64, 96, 3), math.inf), "makes numbers, got inf to inf"),
        (torch.zeros(2, 64, 96, 3, dtype=torch.uint8), r"64, 96, 3\) of torch.uint8: .* by 255"),
        (torch.zeros(2, 3, 64, 96), r"got \(2, 3, 64, 96\) of torch.float32: .* channels last"),
        (torch.zeros(1, 64, 96, 3), r"here of B = 2, got \(1, 64, 96, 3\) of .* for each latent"),
    ],
    ids=["0 to 255", "below", "nan", "inf", "bytes", "channels first", "one of two"],
)
def test_a_decoder_makes_pictures(picture: torch.Tensor, told: str) -> None:
    source = Source.from_noise(normal(3, *SIZE))
    with pytest.raises(ValueError, match=told):
        sample(gaussian(0.2, 0.8), lambda _: picture, source, PLAN, 0, Regions("canny_gpu"))
