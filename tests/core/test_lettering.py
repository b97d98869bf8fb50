"""Regions that attend to words in quotes come first, in the same number of regions."""

from __future__ import annotations

import pytest
import torch

from ralu_core.latents.states import StageEnd
from ralu_core.scores import Evidence, Regions
from ralu_core.scores.lettering import lettering_first

GRID = (6, 10)


def some(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def peak(rows: slice, columns: slice) -> torch.Tensor:
    """Attention that is high in one part, over noise."""
    attention = 0.01 * some(1, 2, *GRID)
    attention[:, rows, columns] += 0.05
    return attention


@pytest.mark.parametrize("scale", [1e-6, 1.0, 100.0])
def test_lettering_comes_before_all_else_and_the_rest_as_before(scale: float) -> None:
    scores, attention = scale * some(0, 2, *GRID), peak(slice(2, 4), slice(3, 8))
    ranked = lettering_first(scores, attention)
    inside = torch.zeros(2, *GRID, dtype=torch.bool)
    inside[:, 2:4, 3:8] = True
    for one, where in zip(ranked, inside, strict=True):
        assert one[where].min() > max(one[~where].max(), 1)
    assert torch.equal(ranked[~inside], scores[~inside])
    most = attention[0].flatten().argmax()
    assert ranked[0].flatten().argmax() == most


def test_pictures_of_a_batch_are_alone() -> None:
    scores, attention = some(0, 2, *GRID), some(1, 2, *GRID)
    both = lettering_first(scores, attention)
    for i in range(2):
        alone = lettering_first(scores[i : i + 1], attention[i : i + 1])
        assert torch.equal(alone[0], both[i])


def test_where_all_pay_alike_nothing_is_lettering() -> None:
    scores = some(0, 2, *GRID)
    assert torch.equal(lettering_first(scores, torch.full((2, *GRID), 0.3)), scores)


def test_lettering_pays_more_than_halfway() -> None:
    scores, attention = torch.tensor([[[0.5, 0.6, 0.7]]]), torch.tensor([[[0.0, 0.25, 0.5]]])
    assert torch.equal(lettering_first(scores, attention), torch.tensor([[[0.5, 0.6, 2.0]]]))


@pytest.mark.parametrize("threshold", [None, 0.9])
@pytest.mark.parametrize("score", ["latent_gradient", "text_attention", "random"])
def test_regions_hold_it_at_the_same_count(score: str, threshold: float | None) -> None:
    denoised = some(2, 2, 4, 12, 20)
    evidence = Evidence(
        StageEnd(denoised, denoised),
        GRID,
        attention=some(3, 2, *GRID),
        draw=lambda: some(4, 2, *GRID),
        lettering=peak(slice(0, 2), slice(0, 4)),
    )
    plainly = Regions(score, threshold).choose(evidence, 0.3)
    first = Regions(score, threshold, lettering=True).choose(evidence, 0.3)
    assert first[:, :2, :4].all() and not torch.equal(first, plainly)
    if threshold is None:
        assert torch.equal(first.sum((1, 2)), plainly.sum((1, 2)))
    else:
        assert (first >= plainly).all()


def test_it_takes_no_more_than_there_is_room_for() -> None:
    denoised = some(2, 2, 4, 12, 20)
    attention = peak(slice(0, 4), slice(0, 10))
    evidence = Evidence(StageEnd(denoised, denoised), GRID, lettering=attention)
    regions = Regions("latent_gradient", lettering=True).choose(evidence, 0.2)
    assert regions.sum((1, 2)).tolist() == [12, 12] and not regions[:, 4:].any()
    least = attention[regions].reshape(2, -1).amin(1)
    left = attention.masked_fill(regions, 0).amax((1, 2))
    assert (least >= left).all()


def test_a_painted_mask_comes_on_top() -> None:
    denoised = some(2, 2, 4, 12, 20)
    painted = torch.zeros(2, *GRID, dtype=torch.bool)
    painted[:, 5, 9] = True
    evidence = Evidence(
        StageEnd(denoised, denoised), GRID, lettering=peak(slice(0, 2), slice(0, 4))
    )
    regions = Regions("latent_gradient", always=painted, lettering=True).choose(evidence, 0.3)
    assert regions[:, 5, 9].all() and regions[:, :2, :4].all()


def test_nobody_watches_here() -> None:
    denoised = some(2, 1, 4, 12, 20)
    regions = Regions("latent_gradient", lettering=True)
    assert regions.watches_text and not regions.needs_history
    with pytest.raises(ValueError, match="nobody watched it: run it where the network is watched"):
        regions.choose(Evidence(StageEnd(denoised, denoised), GRID), 0.3)
    with pytest.raises(
        ValueError, match=r"^Lettering reads .* nobody watches it here: run the plan"
    ):
        regions.check(None)
