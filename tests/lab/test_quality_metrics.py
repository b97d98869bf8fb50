"""The quality bench's measures, on real pictures with defects of known strength.

`emoji_pictures.webp` holds twelve held-out training pictures of the miniatures (Fluent Emoji, MIT).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lab.quality import artifacts, defects
from lab.quality.distances import (
    Reference,
    frechet_distance,
    kernel_distance,
    polynomial_kernel,
)
from lab.quality.judge import load_judge
from lab.quality.measures import closeness, recognised
from lab.quality.store import Store, stamped
from lab.quality.texture import texture_features

EMOJI = """cactus, avocado, pig face, grinning face, cat face, grinning face, fox face, doughnut,
soccer ball, wrapped present, automobile, crescent moon""".replace("\n", " ").split(", ")
STRENGTHS = (0.0, 0.25, 0.5, 1.0)
SIDE = 256


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    sheet = np.array(Image.open(Path(__file__).parents[1] / "data" / "emoji_pictures.webp"))
    tiles = torch.from_numpy(sheet).float().div(255).unfold(0, SIDE, SIDE).unfold(1, SIDE, SIDE)
    return tiles.flatten(0, 1).contiguous()


def spoiled(defect, pictures: torch.Tensor, **options) -> list[torch.Tensor]:
    """The pictures with the defect at rising strengths, first none."""
    return [defect(pictures, torch.full((len(pictures),), s), **options) for s in STRENGTHS]


@pytest.mark.parametrize("name", defects.DEFECTS)
def test_no_strength_is_no_defect(pictures, name):
    untouched = defects.DEFECTS[name](pictures, torch.zeros(len(pictures)))
    assert torch.equal(untouched, pictures)


def block(period):
    return lambda pictures: artifacts.block_energy(pictures, period)


def grid(period):
    return lambda pictures: artifacts.grid_energy(pictures, period)


RISES = {
    "aliasing": (artifacts.edge_aliasing, defects.jagged, {}, 0.01),
    "copies": (artifacts.sibling_copies, defects.copies, {}, 0.1),
    "blur": (artifacts.blur_amount, defects.blur, {}, 0.5),
    **{f"block {p}": (block(p), defects.blocks, {"period": p}, 0.3) for p in artifacts.PERIODS},
    **{f"grid {p}": (grid(p), defects.grid, {"period": p}, 0.1) for p in artifacts.PERIODS},
}


@pytest.mark.parametrize("name", RISES)
def test_artifact_measure_rises_with_its_defect(pictures, name):
    measure, defect, options, least = RISES[name]
    values = [measure(some).mean().item() for some in spoiled(defect, pictures, **options)]
    assert values == sorted(set(values))
    assert values[-1] - values[0] > least


@pytest.mark.parametrize("name", [name for name in RISES if name.startswith(("block", "grid"))])
def test_real_pictures_have_no_blocks_and_no_grid(pictures, name):
    everywhere = RISES[name][0](pictures)
    tolerance = 3 * everywhere.std() / len(everywhere) ** 0.5
    assert abs(everywhere.mean()) < tolerance


def test_real_pictures_have_no_copies_and_little_aliasing(pictures):
    assert abs(artifacts.sibling_copies(pictures).mean()) < 0.05
    assert artifacts.edge_aliasing(pictures).mean() < 0.1


def test_aliasing_of_a_straight_edge_is_nothing_and_of_noise_nearly_half():
    axis = torch.arange(SIDE).float()
    slope = ((axis + 0.6 * axis.view(-1, 1) - 200) / 4).sigmoid().expand(1, 3, -1, -1)
    noise = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    assert artifacts.edge_aliasing(slope) < 0.002
    assert artifacts.edge_aliasing(noise) > 0.4


@pytest.mark.parametrize("period", artifacts.PERIODS)
def test_blocks_show_at_their_own_period_only(pictures, period):
    clean, *_, full = spoiled(defects.blocks, pictures, period=period)
    rises = {
        p: (artifacts.block_energy(full, p) - artifacts.block_energy(clean, p)).mean()
        for p in artifacts.PERIODS
    }
    # Blocks of 8 end where larger ones do, not the other way round.
    assert all(rises[p] < 0.1 * rises[period] for p in artifacts.PERIODS if p < period)


@pytest.fixture(scope="module")
def many(pictures) -> torch.Tensor:
    """Twelve pictures, turned and mirrored: 96."""
    turned = [pictures.rot90(k, (2, 3)) for k in range(4)]
    return torch.cat([*turned, *(some.flip(3) for some in turned)])


SPACES = {"judge": lambda pictures: load_judge().features(pictures), "texture": texture_features}


@pytest.fixture(scope="module", params=SPACES)
def space(request, many):
    """A feature space with its reference of clean pictures."""
    features = torch.cat([SPACES[request.param](some) for some in many.split(16)])
    return SPACES[request.param], Reference(features)


@pytest.mark.parametrize("name", defects.DEFECTS)
def test_distances_rise_with_every_defect(pictures, space, name):
    features, reference = space
    once = torch.ones(1, len(pictures))
    found = [features(some) for some in spoiled(defects.DEFECTS[name], pictures)]
    for distance in (kernel_distance, frechet_distance):
        values = [distance(some, reference, once).item() for some in found]
        assert values[0] < values[1] < values[3], (distance, values)


def test_kernel_distance_is_unbiased():
    generator = torch.Generator().manual_seed(1)
    reference = Reference(torch.randn(400, 5, generator=generator))
    draws = torch.stack(
        [
            kernel_distance(torch.randn(40, 5, generator=generator), reference, torch.ones(1, 40))
            for _ in range(200)
        ]
    )
    assert abs(draws.mean()) < 4 * draws.std() / len(draws) ** 0.5 + 0.01
    assert draws.min() < 0


def test_kernel_distance_is_unbiased_where_each_prompt_has_its_share():
    generator = torch.Generator().manual_seed(9)
    prompts = torch.arange(40) % 20
    place = 2 * torch.randn(20, 3, generator=generator)[prompts]

    def mean(known: torch.Tensor | None) -> tuple[float, float]:
        draws = torch.empty(150)
        for index in range(len(draws)):
            a, b = (place + torch.randn(40, 3, generator=generator) for _ in range(2))
            reference = Reference(b, None, known)
            draws[index] = kernel_distance(a, reference, torch.ones(1, 40), known).item()
        return draws.mean().item(), (draws.std() / len(draws) ** 0.5).item()

    (at_random, error), (shared, _) = mean(None), mean(prompts)
    assert at_random < -20 * error and abs(shared) < 4 * error


def test_kernel_distance_leaves_copies_out():
    generator = torch.Generator().manual_seed(2)
    reference = Reference(torch.randn(50, 3, generator=generator))
    samples = torch.randn(4, 3, generator=generator)
    weights = torch.tensor([[2.0, 0.0, 1.0, 1.0]])
    features = reference.standardised(samples)[[0, 0, 2, 3]]
    kernel = (features @ features.T / 3 + 1) ** 3
    kept = [(i, j) for i in range(4) for j in range(4) if i != j and {i, j} != {0, 1}]
    inner = torch.stack([kernel[i, j] for i, j in kept]).mean()
    cross = ((features @ reference.features.T / 3 + 1) ** 3).mean()
    expected = inner - 2 * cross + reference.own_kernel
    torch.testing.assert_close(kernel_distance(samples, reference, weights), expected)


def test_frechet_distance_of_known_gaussians():
    generator = torch.Generator().manual_seed(3)
    white = torch.randn(20000, 2, generator=generator)
    reference = Reference(white)
    moved = white * torch.tensor([2.0, 0.5]) + torch.tensor([3.0, 0.0])
    value = frechet_distance(moved, reference, torch.ones(1, len(moved)))
    assert value.item() == pytest.approx(9 + 1 + 0.25, rel=0.03)


def test_frechet_distance_weights_are_repeats():
    generator = torch.Generator().manual_seed(4)
    reference = Reference(torch.randn(60, 3, generator=generator))
    samples = torch.randn(12, 3, generator=generator)
    weights = torch.tensor([[3.0] + [1.0] * 10 + [0.0]])
    repeated = torch.cat([samples[:1], samples[:1], samples[:11]])
    torch.testing.assert_close(
        frechet_distance(samples, reference, weights),
        frechet_distance(repeated, reference, torch.ones(1, 13)),
    )


@pytest.mark.parametrize("distance", [kernel_distance, frechet_distance])
def test_weights_of_a_reference_are_repeats(distance):
    """Of its own spread, too, but not of the scale, which is the same in all draws."""
    generator = torch.Generator().manual_seed(7)
    raw, samples = (torch.randn(12, 2, generator=generator, dtype=torch.double) for _ in range(2))
    raw = (raw - raw.mean(0)) / raw.std(0)
    picks = torch.tensor([0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    weights = torch.bincount(picks, minlength=12)[None]
    found = distance(samples, Reference(raw, weights), torch.ones(1, 12))
    if distance is frechet_distance:
        a, b = samples, raw[picks]
        product = torch.linalg.eigvals(torch.cov(a.T) @ torch.cov(b.T)).real.sqrt().sum()
        trace = (torch.cov(a.T) + torch.cov(b.T)).trace()
        expected = (a.mean(0) - b.mean(0)).square().sum() + trace - 2 * product
    else:
        apart = torch.tensor([[i != j for j in picks] for i in picks])
        kernel = [polynomial_kernel(*two) for two in ((raw[picks],) * 2, (samples, raw[picks]))]
        alone = kernel_distance(samples, Reference(raw), torch.ones(1, 12))
        inner = alone + 2 * polynomial_kernel(samples, raw).mean() - Reference(raw).own_kernel
        expected = inner - 2 * kernel[1].mean() + kernel[0][apart].mean()
    torch.testing.assert_close(found.squeeze(), expected.squeeze())


def test_reference_needs_more_pictures_than_features():
    with pytest.raises(ValueError, match="draw more pictures"):
        Reference(torch.randn(4, 8))


def test_closeness_falls_with_noise(pictures):
    values = [closeness(some, pictures).mean(0) for some in spoiled(defects.noise, pictures)]
    assert values[0][0] == pytest.approx(1, abs=1e-4) and values[0][1] > 90
    assert all((after < before).all() for before, after in pairwise(values))


def test_recognised_compares_with_the_emoji_of_the_prompt():
    scores = torch.eye(36)[[0, 1]]
    assert recognised(scores, ["dog face on red", "dog face"]).tolist() == [1, 0]


def test_judge_knows_real_emoji_in_spite_of_slight_blur(pictures):
    judge = load_judge()
    for some in (pictures, defects.blur(pictures, torch.full((len(pictures),), 0.5))):
        assert recognised(judge(some)[0], EMOJI).mean() >= 10 / 12


def test_store_goes_on_where_it_stopped(tmp_path):
    made = []

    def make(start: int, stop: int) -> torch.Tensor:
        made.append((start, stop))
        return torch.arange(start, stop)

    store = Store(tmp_path)
    assert store.rows("some/name", 5, make).tolist() == list(range(5))
    assert Store(tmp_path).rows("some/name", 18, make).tolist() == list(range(18))
    assert store.rows("some/name", 3, make).tolist() == [0, 1, 2]
    assert made == [(0, 5), (5, 8), (8, 16), (16, 18)]


def test_what_another_judge_or_vae_made_is_refused(tmp_path):
    folder = stamped(tmp_path / "kept", "these")
    assert stamped(folder, "these") == folder
    with pytest.raises(ValueError, match=r"by this judge and decoded by this VAE, got .*kept"):
        stamped(folder, "those")
    assert stamped(folder, "these") == folder
