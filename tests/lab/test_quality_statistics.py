"""Intervals: what they cover, and what a paired difference sees."""

from __future__ import annotations

import pytest
import torch

from lab.quality.distances import Reference, kernel_distance
from lab.quality.statistics import (
    REFERENCE_SEED,
    draw_weights,
    estimate,
    mean_estimate,
    strata_of,
    verdict,
    what_is_given,
)


def test_interval_covers_the_mean_as_often_as_it_says():
    generator = torch.Generator().manual_seed(5)
    weights = draw_weights(torch.zeros(60), 300)
    hits = 0
    for _ in range(200):
        interval = mean_estimate(torch.randn(60, generator=generator), weights)
        hits += interval.low <= 0 <= interval.high
    assert 0.88 <= hits / 200 <= 0.98


def test_prompts_keep_their_share_in_every_draw():
    prompts = strata_of(torch.arange(36) % 4)
    weights = draw_weights(prompts, 50)
    shares = torch.stack([weights[:, prompts == one].sum(1) for one in range(4)], 1)
    assert shares[0].tolist() == [9] * 4 and (shares[1:] == 8).all()
    assert len(weights.unique(dim=0)) == 51
    assert not torch.equal(weights, draw_weights(prompts, 50, seed=REFERENCE_SEED))


@pytest.mark.parametrize("count", [9, 35, 72, 80])
def test_few_or_unequal_prompts_are_drawn_with_their_noise(count):
    """Of two pictures of each prompt a draw would leave no pair to compare."""
    prompts = torch.arange(count) % 36
    strata = strata_of(prompts)
    assert not strata.any()
    weights = draw_weights(strata, 50)
    assert (weights[1:].sum(1) == count - 1).all() and weights.max() > 1
    assert what_is_given(count, 36) == "prompts are drawn with their noise"
    features = torch.randn(count, 3, generator=torch.Generator().manual_seed(2))
    reference = Reference(features.flip(0), weights, prompts)
    assert kernel_distance(features, reference, weights, prompts).isfinite().all()


@pytest.mark.parametrize("count", [108, 432])
def test_even_prompts_are_given(count):
    assert what_is_given(count, 36) == "the prompts are given"


def test_what_is_no_number_is_no_figure():
    with pytest.raises(ValueError, match="numbers, got none: measure more pictures"):
        estimate(torch.tensor([1.0, float("nan"), 2.0]))


def test_paired_difference_sees_what_separate_intervals_do_not():
    generator = torch.Generator().manual_seed(6)
    weights = draw_weights(torch.zeros(100))
    hard = torch.randn(100, generator=generator)
    ours = mean_estimate(hard, weights)
    slightly_worse = hard + 0.1 + 0.05 * torch.randn(100, generator=generator)
    assert verdict(ours, mean_estimate(slightly_worse, weights), -1) == "wins"
    assert verdict(ours, mean_estimate(slightly_worse, weights), 1) == "loses"
    assert verdict(ours, mean_estimate(hard + 9, weights), -1) == "wins clearly"
    other = mean_estimate(torch.randn(100, generator=generator), weights)
    assert verdict(ours, other, -1) == "ties"


def test_estimate_keeps_the_value_in_the_middle_of_biased_draws():
    biased = estimate(torch.tensor([1.0, 5.0, 6.0, 7.0]))
    assert biased.value == 1.0 and biased.low < 1.0 < biased.high
