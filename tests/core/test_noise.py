from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch

from ralu_core.growth import GROWTHS, Projected
from ralu_core.latents.noise import KEPT_NOISE, kept_noise, sibling_noise, stage_seed, white_noise

SHAPE = (4, 8, 8)
PROJECTED = {name: one for name, one in GROWTHS.items() if isinstance(one, Projected)}


def jacobian(function: Callable[[torch.Tensor], torch.Tensor], size: int) -> torch.Tensor:
    """The matrix of a linear map of one (1, 1, size, size) picture, float64."""
    basis = torch.eye(size * size, dtype=torch.float64).reshape(-1, 1, size, size)
    return function(basis).reshape(size * size, -1).T


def siblings_of(growth: Projected, white: torch.Tensor, c: float, patch: int) -> torch.Tensor:
    return sibling_noise(white, c, lambda one: growth.mean_of_siblings(one, patch))


@pytest.mark.parametrize("c", [0.0, 0.0177, 0.0586, 0.2, 0.25])
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("name", ["token", "pixel"])
def test_sibling_noise_has_the_papers_covariance(name: str, patch: int, c: float) -> None:
    growth = PROJECTED[name]
    mix = jacobian(lambda white: siblings_of(growth, white, c, patch), 8)
    copies = jacobian(lambda coarse: growth.grow(coarse, patch), 4)  # each row: one 1 per parent
    siblings = copies @ copies.T
    assert siblings.sum(1).unique().tolist() == [4.0]
    expected = torch.eye(64, dtype=torch.float64) - c * siblings
    torch.testing.assert_close(mix @ mix.T, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("c", [-0.01, 0.2501, float("nan")])
def test_sibling_noise_needs_a_covariance(c: float) -> None:
    with pytest.raises(ValueError, match=r"0 <= c <= 1/4 \(z of at least 2\), got c = .*: take"):
        siblings_of(PROJECTED["token"], torch.zeros(1, 1, 4, 4), c, 2)


def test_kept_noise_by_both_laws() -> None:
    white = white_noise(SHAPE, 0, [0], 1)
    torch.testing.assert_close(kept_noise("exact")(white, 0.19), 0.9 * white)
    assert torch.equal(kept_noise("released")(white, 0.19), white)
    with pytest.raises(ValueError, match="one of exact, released, got 'plain'"):
        kept_noise("plain")


@pytest.mark.parametrize("law", KEPT_NOISE)
def test_every_law_of_kept_noise_scales_white_noise(law: str) -> None:
    """By 1, or by what is left of a variance of 1 after c: nothing else stays a known law."""
    white = white_noise(SHAPE, 0, [0], 1)
    for c in (0.0, 0.0177, 0.25):
        noise = KEPT_NOISE[law](white, c)
        factor = (noise / white).mean().item()
        torch.testing.assert_close(noise, factor * white)
        assert (1 - c) ** 0.5 - 1e-6 <= factor <= 1 + 1e-6
    assert torch.equal(white, white_noise(SHAPE, 0, [0], 1))  # and leaves its argument alone


def test_a_pictures_noise_does_not_depend_on_its_batch() -> None:
    batch = white_noise(SHAPE, 7, [0, 1, 5], 1)
    for row, item in enumerate([0, 1, 5]):
        assert torch.equal(batch[row], white_noise(SHAPE, 7, [item], 1)[0])


def test_seeds_streams_and_pictures_differ() -> None:
    keys = [
        (seed, stream, item)
        for seed in (0, 1, 2, 2**32, 2**32 + 1, 2 * 2**32, 2**63 + 5, 2**64 - 1)
        for stream in (1, 2)
        for item in (0, 1, 2)
    ]
    first = {white_noise(SHAPE, s, [i], k).flatten()[0].item() for s, k, i in keys}
    assert len(first) == len(keys)


def test_streams_and_pictures_are_uncorrelated() -> None:
    shape = (4, 64, 64)
    draws = torch.cat(
        [white_noise(shape, seed, range(3), stream) for seed in (0, 1) for stream in (1, 2)]
    ).flatten(1)
    n = draws.shape[1]
    correlation = draws @ draws.T / n
    deviation = (correlation - torch.eye(12)) * n**0.5
    assert deviation.abs().fill_diagonal_(0).max() < 4.5  # 66 normal z-scores
    assert deviation.diagonal().abs().max() < 4.5 * 2**0.5
    assert (draws.mean(1) * n**0.5).abs().max() < 4.5


def test_noise_ignores_global_state() -> None:
    expected = white_noise(SHAPE, 3, [0], 1)
    default = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(99)
        state = torch.get_rng_state()
        assert torch.equal(white_noise(SHAPE, 3, [0], 1), expected)
        assert torch.equal(torch.get_rng_state(), state)
        with torch.device("meta"):
            assert torch.equal(white_noise(SHAPE, 3, [0], 1), expected)
    finally:
        torch.set_default_dtype(default)
    assert expected.dtype == torch.float32 and expected.device.type == "cpu"


def draw_both_crossings() -> None:
    for stream in (1, 2):
        white = white_noise((16, 128, 128), 1, [0], stream)
        siblings_of(PROJECTED["token"], white, 0.025, 2)
        kept_noise("exact")(white, 0.025)


def test_noise_of_a_1024_pixel_picture_takes_under_10_ms() -> None:
    """Time of this thread, the only one at work (`conftest.py`): the rest of the machine aside."""
    draw_both_crossings()
    times = []
    for _ in range(20):
        start = time.thread_time()
        draw_both_crossings()
        times.append(time.thread_time() - start)
    assert min(times) < 0.010


def test_stages_draw_from_streams_of_their_own() -> None:
    seeds = [*range(50), 2**63, 2**64 - 1]
    drawn = {stage_seed(seed, number) for seed in seeds for number in (1, 2, 3)}
    assert len(drawn) == 3 * len(seeds)
    assert all(stage_seed(seed, 1) == seed for seed in seeds)
    assert all(stage_seed(seed, number) < 2**63 for seed in seeds for number in (2, 3))
