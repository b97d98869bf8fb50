from __future__ import annotations

import math

import pytest
import torch

from ralu_core.latents.states import StageEnd
from ralu_core.scores import (
    SCORES,
    Evidence,
    Regions,
    mask_regions,
    score,
    select_ratio,
    select_threshold,
)
from ralu_core.scores.latent_gradient import latent_scores


def some_scores(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def evidence_of(denoised: torch.Tensor, decode=None) -> Evidence:
    grid = (denoised.shape[-2] // 2, denoised.shape[-1] // 2)
    return Evidence(StageEnd(denoised, denoised), grid, decode)


def chosen(regions: torch.Tensor) -> list[list[int]]:
    """Token numbers, row by row, of each picture."""
    return [picture.flatten().nonzero()[:, 0].tolist() for picture in regions]


@pytest.mark.parametrize(
    ("ratio", "size", "count"),
    [
        (0.29, (10, 10), 29),
        (0.3, (8, 8), 19),
        (0.3, (32, 32), 307),
        (0.1, (3, 3), 0),
        (0.999, (3, 3), 8),
    ],
)
def test_a_fixed_share_of_the_tokens(ratio: float, size: tuple[int, int], count: int) -> None:
    regions = select_ratio(some_scores(2, *size), ratio)
    assert regions.shape == (2, *size) and regions.dtype == torch.bool
    assert regions.flatten(1).sum(1).tolist() == [count, count]


def test_the_highest_scores_of_each_picture() -> None:
    scores = torch.tensor([[[0.1, 0.9, 0.3], [0.8, 0.2, 0.7]], [[0.9, 0.1, 0.1], [0.1, 0.8, 0.7]]])
    assert chosen(select_ratio(scores, 0.5)) == [[1, 3, 5], [0, 4, 5]]


def test_few_edges_grow_with_what_lies_around_them() -> None:
    scores = torch.zeros(2, 9, 9)
    scores[0, 6, 6] = scores[0, 2, 2] = 0.01
    regions = select_ratio(scores, 10.5 / 81)
    around = [[row, column] for row in (1, 2, 3) for column in (1, 2, 3)]
    crosses = [p for p in around if 2 in p] + [[r + 4, c + 4] for r, c in around if 2 in (r, c)]
    assert regions[0].nonzero().tolist() == sorted(crosses)
    assert select_ratio(scores, 9.5 / 81)[1].nonzero().tolist() == [
        [row + 2, column + 2] for row, column in around
    ]


def test_edges_come_before_what_lies_around_them() -> None:
    scores = torch.zeros(1, 64, 64)
    scores[0, 10:20, 10:20] = 1
    scores[0, 63, 63] = 1e-3
    regions = select_ratio(scores, 101.5 / 64**2)
    assert regions[0, 10:20, 10:20].all() and regions[0, 63, 63] and regions.sum() == 101


def test_equal_scores_at_equal_distance_go_to_the_lower_index() -> None:
    assert chosen(select_ratio(torch.ones(1, 40, 50), 0.3)) == [list(range(600))]


def test_a_mask_adds_to_the_share() -> None:
    scores = torch.arange(16.0).reshape(1, 4, 4)
    always = torch.zeros(1, 4, 4, dtype=torch.bool)
    always[0, 0, 0] = always[0, 3, 3] = True  # the worst token and the best
    assert chosen(select_ratio(scores, 0.25, always)) == [[0, 11, 12, 13, 14, 15]]
    assert select_ratio(scores, 0.25, torch.ones_like(always)).all()
    assert chosen(select_threshold(scores / 15, 0.95, always)) == [[0, 15]]


def test_the_threshold_adapts_to_each_picture() -> None:
    scores = torch.tensor([[[0.2, 0.5], [0.7, 0.1]], [[0.0, 0.1], [0.2, 0.3]]])
    assert chosen(select_threshold(scores, 0.5)) == [[1, 2], []]
    assert chosen(select_threshold(scores, 0.1)) == [[0, 1, 2, 3], [1, 2, 3]]


@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.1, float("nan")])
def test_the_ratio_must_lie_between_zero_and_one(ratio: float) -> None:
    with pytest.raises(ValueError, match=r"Ratio must lie between 0 and 1, .* got"):
        select_ratio(some_scores(1, 2, 2), ratio)


@pytest.mark.parametrize("score", SCORES)
def test_a_threshold_is_of_edge_pixels(score: str) -> None:
    """Other scores are relative: .1 of a picture's largest gradient is most of the picture."""
    regions = Regions(score, threshold=0.1)
    if score in ("canny", "canny_gpu"):
        return regions.check(lambda latent: latent)
    with pytest.raises(
        ValueError, match=f"{score} counts none, got 0.1: set the threshold to None"
    ):
        regions.check(None)


@pytest.mark.parametrize("threshold", [0.0, 1.01, -0.1, float("nan")])
def test_the_threshold_must_lie_above_zero(threshold: float) -> None:
    with pytest.raises(ValueError, match=r"threshold must lie in \(0, 1\], got .*: try 0.1"):
        select_threshold(some_scores(1, 2, 2), threshold)


@pytest.mark.parametrize(
    ("always", "got"),
    [
        (torch.zeros(1, 2, 3, dtype=torch.bool), r"torch.bool of \(1, 2, 3\)"),
        (torch.zeros(1, 2, 2), r"torch.float32 of \(1, 2, 2\)"),
    ],
)
def test_the_mask_must_be_bool_and_match_the_coarse_grid(always: torch.Tensor, got: str) -> None:
    with pytest.raises(ValueError, match=rf"grid \(1, 2, 2\), got {got}: make it with"):
        select_ratio(some_scores(1, 2, 2), 0.5, always)


@pytest.mark.parametrize("name", ["kornia", "scipy"])
def test_a_missing_library_is_told_before_a_run(monkeypatch, name: str) -> None:
    monkeypatch.setattr(score, "find_spec", lambda asked: None if asked == name else asked)
    with pytest.raises(ImportError, match=f"chosen with {name}, and this Python has none"):
        Regions("latent_gradient").check(None)
    Regions("canny_gpu", threshold=0.1).check(lambda latent: latent)  # reads neither


def test_a_painted_mask_takes_every_token_it_touches() -> None:
    mask = torch.zeros(2, 64, 96)
    mask[0, 15, 16] = 1.0
    mask[0, 40, 40] = 0.5
    mask[1, 60:, 90:] = 0.51
    assert chosen(mask_regions(mask, (4, 6))) == [[1], [23]]


def test_a_painted_mask_of_another_size() -> None:
    mask = torch.zeros(1, 10, 10)
    mask[0, 0, 0] = 1.0
    assert chosen(mask_regions(mask, (4, 4))) == [[0]]
    assert mask_regions(mask, (20, 20)).sum() == 4


def test_choose_scores_the_decoded_picture() -> None:
    calls = []

    def decode(latent: torch.Tensor) -> torch.Tensor:
        calls.append(latent)
        image = torch.zeros(2, 64, 64, 3)
        image[0, :, 20:] = 1.0  # an edge in token column 1
        image[1, 50:] = 1.0  # an edge in token row 3
        return image

    denoised = torch.zeros(2, 16, 8, 8)
    for detector in ("canny", "canny_gpu"):
        regions = Regions(detector).choose(evidence_of(denoised, decode), 0.25)
        assert chosen(regions) == [[1, 5, 9, 13], [12, 13, 14, 15]]
    assert len(calls) == 2 and calls[0] is denoised
    adaptive = Regions("canny", threshold=1 / 16).choose(evidence_of(denoised, decode), 0.9)
    assert chosen(adaptive) == [[1, 5, 9, 13], [12, 13, 14, 15]]


def test_choose_by_the_latent_needs_no_decoder() -> None:
    denoised = torch.randn(2, 16, 8, 12, generator=torch.Generator().manual_seed(0))
    scores = latent_scores(denoised, (4, 6))
    always = torch.zeros(2, 4, 6, dtype=torch.bool)
    always[1, 3, 5] = True
    fixed = Regions("latent_gradient", always=always).choose(evidence_of(denoised), 0.3)
    assert torch.equal(fixed, select_ratio(scores, 0.3, always))
    adaptive = Regions("latent_gradient", 0.8, always).choose(evidence_of(denoised), 0.3)
    assert torch.equal(adaptive, select_threshold(scores, 0.8, always))
    assert not torch.equal(adaptive, fixed)


@pytest.mark.parametrize("detector", ["canny", "canny_gpu"])
def test_canny_needs_a_decoder(detector: str) -> None:
    with pytest.raises(ValueError, match=r"the decoded picture, and decode is None: pass a dec"):
        Regions(detector).choose(evidence_of(torch.zeros(1, 16, 8, 8)), 0.3)


def test_detectors_are_checked_at_once() -> None:
    with pytest.raises(ValueError, match=r"Edge detector must be one of .*, got 'sobel'"):
        Regions("sobel")


@pytest.mark.parametrize("bad", [1, 15, 16], ids=["one", "all but one", "all"])
def test_scores_that_are_no_numbers_come_last(bad: int) -> None:
    scores = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(0)) + 0.1
    scores.flatten()[:bad] = math.nan
    chosen = select_ratio(scores, 0.25)
    assert chosen.sum() == 4
    assert (chosen & scores.isnan()).sum() == max(0, 4 - (16 - bad))
