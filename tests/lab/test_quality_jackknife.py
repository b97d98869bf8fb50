"""Intervals of distances: their slopes, and what they cover."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from lab.quality import jackknife
from lab.quality.distances import Reference, frechet_distance, kernel_distance
from lab.quality.jackknife import Sloped

Measure = Callable[..., Sloped]
MEASURES = {"KID": jackknife.kernel, "Frechet": jackknife.frechet}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@every_measure
def test_slopes_are_those_of_the_distance(measure: Measure):
    ours, theirs, small = drawn(40, 5), 1.2 * drawn(60, 5, seed=1), 1e-4
    prompts, others = torch.arange(40) % 10, torch.arange(60) % 10

    def distance(weights: torch.Tensor, drawn: torch.Tensor) -> float:
        reference = Reference(theirs, drawn, others)
        if measure is jackknife.frechet:
            return frechet_distance(ours, reference, weights).item()
        return kernel_distance(ours, reference, weights, prompts).item()

    once = torch.ones(1, 40).double(), torch.ones(1, 60).double()
    found = measure(ours, Reference(theirs, None, others), prompts)
    assert found.value == pytest.approx(distance(*once), abs=1e-9)
    for picture in (0, 17, 39):
        for side, slopes in enumerate((found.ours, found.theirs)):
            moved = [one.clone() for one in once]
            moved[side][0, picture] += small
            slope = (distance(*moved) - found.value) / small
            assert slopes[picture].item() == pytest.approx(slope, rel=1e-3, abs=1e-6)


@every_measure
@pytest.mark.parametrize("shift", [0.0, 0.5], ids=["a tie", "apart"])
def test_an_interval_covers_what_it_says(measure: Measure, shift: float):
    """Two methods on either side of the truth, equally far, of the same noise or of other noise: a
    tie between them is one of their difference. Prompts lie far apart in another feature; as all
    have their share, that adds no error."""
    generator = torch.Generator().manual_seed(8)
    prompts, others = torch.arange(60) % 4, torch.arange(80) % 4
    aside = torch.tensor([shift, 0.0])

    def noise(numbers: torch.Tensor) -> torch.Tensor:
        place = torch.stack([torch.zeros(len(numbers)), 3.0 * numbers], 1)
        return place + torch.randn(len(numbers), 2, generator=generator)

    gaps = []
    for _ in range(120):
        one, other = noise(prompts), noise(prompts)
        reference = Reference(noise(others), None, others)
        pairs = {"same": (one + aside, one - aside), "other": (one + aside, other - aside)}
        both = {kind: [measure(x, reference, prompts) for x in two] for kind, two in pairs.items()}
        gaps.append({kind: a.minus(b) for kind, (a, b) in both.items()})
    for kind in ("same", "other") if shift else ("other",):
        values = torch.tensor([gap[kind].value for gap in gaps])
        errors = torch.tensor([gap[kind].error for gap in gaps])
        hits = sum(gap[kind].low <= 0 <= gap[kind].high for gap in gaps) / len(gaps)
        assert hits >= 0.9
        assert errors.mean() < 1.6 * values.std()


@every_measure
def test_a_set_minus_itself_is_nothing(measure: Measure):
    found = measure(drawn(30, 3), Reference(drawn(40, 3, seed=1)), torch.arange(30) % 3)
    assert found.error > 0 and found.low < found.value < found.high
    gap = found.minus(found)
    assert gap.value == gap.error == 0


@every_measure
def test_departures_are_on_the_side_of_the_value(measure: Measure):
    found = measure(drawn(30, 3), Reference(drawn(40, 3, seed=1)), torch.arange(30) % 3)
    for target in (found.value - 1, found.value + 1):
        away = found.departure(target)
        assert away.value == pytest.approx(1) and away.error == pytest.approx(found.error)


@every_measure
def test_fewer_pictures_than_features_have_slopes(measure: Measure):
    """Whose covariance has directions in which nothing varies."""
    with torch.inference_mode():  # as the bench measures
        found = measure(drawn(8, 12), Reference(drawn(40, 12, seed=1)), torch.arange(8))
    assert found.ours.isfinite().all() and found.theirs.isfinite().all() and found.error > 0
