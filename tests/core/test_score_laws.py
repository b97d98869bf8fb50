"""What the scores without a decode look for, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from runs import normal

from ralu_core import Evidence, StageEnd
from ralu_core.latents.states import State
from ralu_core.scores import score_named, select_ratio

GRID = (4, 6)


def evidence_of(estimates: Sequence[torch.Tensor], x: torch.Tensor | None = None) -> Evidence:
    states = tuple(State(0.5, d if x is None else x, d) for d in estimates)
    return Evidence(StageEnd(estimates[-1], estimates[-1], states), GRID)


def test_what_still_changes_is_what_has_not_settled() -> None:
    still, changed = torch.ones(1, 4, 8, 12), torch.ones(1, 4, 8, 12)
    changed[..., 2:4, 4:6] = 3.0  # one coarse token
    changed[..., 6:8, 8:10] = 2.0
    evidence = evidence_of([9 * still, still, changed, still])  # the first step is left out
    unsettled = score_named("step_variance")(evidence)[0]
    expected = torch.zeros(GRID)
    expected[1, 2], expected[3, 4] = 1.0, 0.25
    torch.testing.assert_close(unsettled, expected)
    torch.testing.assert_close(score_named("settled")(evidence)[0], 1 - expected)


def test_one_step_is_no_change() -> None:
    with pytest.raises(ValueError, match="the stage before took one: give it two or more, or"):
        score_named("step_variance")(evidence_of([torch.ones(1, 4, 8, 12)]))


def test_neighbours_that_move_apart_are_found() -> None:
    denoised = torch.zeros(1, 4, 8, 12)
    x = torch.ones(1, 4, 8, 12)  # moves as one
    x[..., 4:6, 6:8] = normal(0, 1, 4, 2, 2)
    scores = score_named("velocity_variance")(evidence_of([denoised], x))[0]
    assert scores[2, 3] == 1 and scores[0, 0] == 0
    assert (scores > 0.01).sum() <= 9


@pytest.mark.parametrize("velocity", [0.3, 3.7, 1000.1])
def test_a_velocity_that_is_alike_everywhere_moves_nothing_apart(velocity: float) -> None:
    """Rounding must not make a variance that is below 0, and the least of it the largest score."""
    x = torch.full((1, 4, 8, 12), velocity / 2)
    scores = score_named("velocity_variance")(evidence_of([torch.zeros_like(x)], x))
    assert scores.min() >= 0 and scores.max() <= 1


@pytest.mark.parametrize("ratio", [0.1, 0.2, 0.3, 0.5])
def test_even_regions_are_spread_over_all_parts(ratio: float) -> None:
    latent = torch.zeros(1, 1, 64, 64)
    scores = score_named("even")(Evidence(StageEnd(latent, latent), (32, 32)))
    parts = select_ratio(scores, ratio).reshape(4, 8, 4, 8).sum((1, 3))
    assert (parts - 64 * ratio).abs().max() <= 3


def test_random_regions_follow_the_noise_they_are_given() -> None:
    latent, noise = torch.zeros(2, 1, 8, 12), normal(1, 2, *GRID)
    scores = score_named("random")(Evidence(StageEnd(latent, latent), GRID, draw=lambda: noise))
    assert torch.equal(scores.flatten(1).argsort(1), noise.flatten(1).argsort(1))
    assert scores.min() > 0 and scores.max() < 1


def test_attention_to_the_text_is_spread_over_each_picture() -> None:
    still, changed = torch.ones(1, 4, 8, 12), torch.ones(1, 4, 8, 12)
    changed[..., 2:4, 4:6] = 3.0  # one coarse token
    paid = torch.full((1, *GRID), 0.2)
    paid[0, 0, 0], paid[0, 3, 5] = 0.6, 0.4
    evidence = replace(evidence_of([still, changed, still]), attention=paid)
    expected = torch.zeros(GRID)
    expected[0, 0], expected[3, 5] = 1.0, 0.5
    torch.testing.assert_close(score_named("text_attention")(evidence)[0], expected)
    expected[1, 2] = 1.0  # of the steps
    torch.testing.assert_close(score_named("avits")(evidence)[0], expected / 2)
    for changing in (still, changed):  # everywhere, and more in one token
        changing += 9
    evidence = replace(evidence_of([0 * still, changed, still]), attention=paid)
    torch.testing.assert_close(score_named("avits")(evidence)[0], expected / 2)
