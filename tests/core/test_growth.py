from __future__ import annotations

import pytest
import torch

from ralu_core.growth import DEFAULT_GROWTH, GROWTHS, Projected, growth_named
from ralu_core.growth.interpolated import Interpolated
from ralu_core.growth.spectral import Spectral, half_band

INTERPOLATED = [name for name, growth in GROWTHS.items() if isinstance(growth, Interpolated)]
PROJECTED = [name for name, growth in GROWTHS.items() if isinstance(growth, Projected)]
NEAREST = [name for name in PROJECTED if name not in ("dct", "enlarger")]
LEAST_Z = 2.0


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def upsample(coarse: torch.Tensor, method: str, patch: int = 2) -> torch.Tensor:
    return growth_named(method).grow(coarse, patch)


def mean_of_siblings(white: torch.Tensor, method: str, patch: int = 2) -> torch.Tensor:
    growth = growth_named(method)
    assert isinstance(growth, Projected)
    return growth.mean_of_siblings(white, patch)


def noise_gain(rows: int, columns: int, method: str) -> torch.Tensor:
    growth = growth_named(method)
    assert isinstance(growth, Interpolated)
    return growth.noise_gain(rows, columns)


def test_names() -> None:
    assert list(GROWTHS) == ["token", "pixel", "bilinear", "bicubic", "lanczos", "dct", "enlarger"]
    assert (NEAREST, DEFAULT_GROWTH) == (["token", "pixel"], "pixel")


def test_token_tiles_each_patch_into_its_four_children() -> None:
    coarse = noise(2, 3, 4, 6)
    grown = upsample(coarse, "token")
    assert grown.shape == (2, 3, 8, 12)
    for y in range(8):
        for x in range(12):
            in_patch_y, in_patch_x = y % 2, x % 2
            parent = coarse[:, :, y // 4 * 2 + in_patch_y, x // 4 * 2 + in_patch_x]
            assert torch.equal(grown[:, :, y, x], parent)


def test_pixel_repeats_each_latent_pixel() -> None:
    coarse = noise(2, 3, 4, 6)
    grown = upsample(coarse, "pixel")
    for y in range(8):
        for x in range(12):
            assert torch.equal(grown[:, :, y, x], coarse[:, :, y // 2, x // 2])


@pytest.mark.parametrize("method", GROWTHS)
def test_a_constant_stays_constant(method: str) -> None:
    grown = upsample(torch.full((1, 2, 6, 4), 0.7), method)
    torch.testing.assert_close(grown, torch.full((1, 2, 12, 8), 0.7), rtol=0, atol=5e-7)


@pytest.mark.parametrize("method", INTERPOLATED)
def test_interpolation_keeps_a_ramp_inside(method: str) -> None:
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    grown = upsample(ramp, method)[0, 0, 16]
    expected = torch.arange(32.0) / 2 - 0.25
    # Neither cubic (a = -0.75) nor Lanczos weights are exact on a ramp: 5 % of a step.
    torch.testing.assert_close(grown[8:-8], expected[8:-8], rtol=0, atol=0.05)


def test_lanczos_by_the_formula() -> None:
    row = noise(1, 1, 1, 24)
    grown = upsample(row.expand(-1, -1, 24, -1), "lanczos")[0, 0, 24]
    for out in (16, 17, 30, 31):
        centre = out / 2 - 0.25
        taps = torch.arange(24, dtype=torch.float64)
        x = taps - centre
        weights = torch.where(x.abs() < 3, torch.sinc(x) * torch.sinc(x / 3), 0)
        expected = (weights * row[0, 0, 0]).sum() / weights.sum()
        assert grown[out].item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("method", GROWTHS)
def test_rows_and_columns_are_treated_alike(method: str) -> None:
    coarse = noise(1, 2, 6, 8)
    torch.testing.assert_close(upsample(coarse.mT, method), upsample(coarse, method).mT)


def test_unknown_method_names_the_choices() -> None:
    with pytest.raises(ValueError, match=r"one of token, pixel, .*dct, enlarger, got 'nearest'"):
        upsample(noise(1, 1, 2, 2), "nearest")


@pytest.mark.parametrize("size", [(4, 6), (2, 10), (8, 2)])
@pytest.mark.parametrize("method", INTERPOLATED)
def test_noise_gain_is_the_diagonal_of_the_dense_operator(
    method: str, size: tuple[int, int]
) -> None:
    rows, columns = size
    basis = torch.eye(rows * columns).reshape(-1, 1, rows, columns)
    variance = upsample(basis, method).square().sum(dim=(0, 1))
    torch.testing.assert_close(noise_gain(rows, columns, method), variance, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", INTERPOLATED)
def test_noise_gain_leaves_room_for_fresh_noise(method: str) -> None:
    for size in (2, 4, 6, 20):
        gain = noise_gain(size, size, method)
        assert gain.min() > 0.3 and gain.max() < LEAST_Z**2


def test_siblings_of_a_token_lie_a_patch_apart() -> None:
    x = noise(2, 3, 8, 4)
    mean = mean_of_siblings(x, "token")
    for block in (0, 4):
        for y in range(2):
            for column in range(2):
                rows = [block + y, block + y + 2]
                siblings = x[:, :, rows][..., [column, column + 2]]
                expected = siblings.mean(dim=(-2, -1))
                for row in rows:
                    for shifted in (column, column + 2):
                        torch.testing.assert_close(mean[:, :, row, shifted], expected)


@pytest.mark.parametrize("size", [(4, 6), (2, 2)])
@pytest.mark.parametrize("method", NEAREST)
def test_copies_keep_the_variance_of_noise(method: str, size: tuple[int, int]) -> None:
    rows, columns = size
    basis = torch.eye(rows * columns).reshape(-1, 1, rows, columns)
    variance = upsample(basis, method).square().sum(dim=(0, 1))
    assert torch.equal(variance, torch.ones(2 * rows, 2 * columns))


def test_tokens_of_one_latent_pixel_are_tiled_as_pixels_are() -> None:
    coarse, white = noise(2, 3, 3, 5), noise(1, 3, 6, 10)
    assert torch.equal(upsample(coarse, "token", 1), upsample(coarse, "pixel"))
    tokens, pixels = (mean_of_siblings(white, name, 1) for name in ("token", "pixel"))
    torch.testing.assert_close(tokens, pixels)


def test_siblings_of_a_pixel_lie_side_by_side() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    expected = torch.tensor([[2.5, 4.5], [10.5, 12.5]])
    assert torch.equal(mean_of_siblings(x, "pixel"), upsample(expected[None, None], "pixel"))


@pytest.mark.parametrize("method", PROJECTED)
def test_what_was_grown_is_its_own_mean(method: str) -> None:
    growth, coarse = growth_named(method), noise(1, 2, 4, 12)
    assert isinstance(growth, Projected)
    grown = growth.grow(coarse, 2)
    torch.testing.assert_close(growth.mean(grown, 2), coarse, rtol=0, atol=1e-6)
    torch.testing.assert_close(growth.mean_of_siblings(grown, 2), grown, rtol=0, atol=1e-6)


def test_what_is_kept_of_the_dct_takes_part_in_gradients_later() -> None:
    """Also where a host that samples without any was the first to ask."""
    half_band.cache_clear()
    with torch.inference_mode():
        Spectral().grow(torch.ones(1, 1, 6, 6), 1)
    x = torch.ones(1, 1, 6, 6, requires_grad=True)
    Spectral().grow(x, 1).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
