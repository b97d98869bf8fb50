from __future__ import annotations

import copy
import pickle

import pytest
import torch

from ralu_core.latents.grid import FULL, HALF, MIXED, Grid, selected_count
from ralu_core.latents.layout import Layout
from ralu_core.latents.tokens import pick, spread

LAYOUT = Layout(torch.tensor([[[True, False, False], [False, True, True]]]))
WHITE = torch.randn(1, 2, 8, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("ratio", "coarse", "selected"),
    [(0.3, 1024, 307), (0.29, 100, 29), (1 / 3, 3, 1), (0.1, 1024, 102), (0.1, 9, 0), (0.7, 10, 7)],
)
def test_selected_count_is_the_floor_of_the_decimal_product(
    ratio: float, coarse: int, selected: int
) -> None:
    assert selected_count(ratio, coarse) == selected


def test_selected_count_of_every_hundredth_is_exact() -> None:
    for percent in range(1, 100):
        for coarse in (1, 7, 64, 100, 1000, 1024, 4096, 65536):
            assert selected_count(percent / 100, coarse) == percent * coarse // 100


def test_tokens() -> None:
    counts = [
        grid.tokens(1024, ratio) for grid, ratio in ((HALF, None), (MIXED, 0.3), (FULL, None))
    ]
    assert counts == [1024, 1945, 4096]


@pytest.mark.parametrize("grid", [HALF, MIXED, FULL], ids=str)
def test_noise_and_joined_maps_have_one_form(grid: Grid) -> None:
    full, half = WHITE + 1, 2 * pick(WHITE)
    noise, joined = grid.noise(WHITE, LAYOUT), grid.join(lambda: full, lambda: half, LAYOUT)
    expected = {
        "half": (pick(WHITE), half),
        "mixed": (LAYOUT.settle(WHITE), torch.where(LAYOUT.fine_pixels, full, spread(half))),
        "full": (WHITE, full),
    }
    assert torch.equal(noise, expected[grid.name][0])
    assert torch.equal(joined, expected[grid.name][1])
    assert noise.shape == joined.shape


@pytest.mark.parametrize("grid", [HALF, MIXED, FULL], ids=str)
def test_a_copy_of_a_grid_is_itself(grid: Grid) -> None:
    assert copy.deepcopy(grid) is copy.copy(grid) is pickle.loads(pickle.dumps(grid)) is grid


def test_only_what_a_grid_needs_is_made() -> None:
    def never() -> torch.Tensor:
        raise AssertionError

    assert HALF.join(never, lambda: WHITE, None) is WHITE
    assert FULL.join(lambda: WHITE, never, None) is WHITE


def test_the_mixed_grid_needs_a_layout() -> None:
    for use in (
        lambda: MIXED.noise(WHITE, None),
        lambda: MIXED.join(never_asked, never_asked, None),
    ):
        with pytest.raises(ValueError, match="mixed grid needs a layout, got none: choose regions"):
            use()


def never_asked() -> torch.Tensor:
    raise AssertionError
