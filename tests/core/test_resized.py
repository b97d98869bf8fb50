"""Crossings that other methods make: resized estimates, and repeated states."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from runs import normal

from ralu_core.crossings import Crossing, Matched, Onward, Place, Renoised, Repeated
from ralu_core.latents.flow import shift_sigma
from ralu_core.latents.grid import FULL, HALF, MIXED, Grid
from ralu_core.latents.states import StageEnd
from ralu_core.latents.tokens import pick, spread


def cross(crossing: Crossing, end: StageEnd, white: torch.Tensor, *grids: Grid) -> torch.Tensor:
    before, after = grids
    crossing.check(before, after)
    return crossing.cross(end, white, Place(before, after, None, 2))


WHITE = normal(1, 2, 3, 8, 12)


def test_renoised_grows_the_clean_estimate_under_new_noise() -> None:
    end = StageEnd(normal(2, 2, 3, 4, 6), normal(3, 2, 3, 4, 6))
    grown = F.interpolate(end.denoised, scale_factor=2, mode="bicubic")
    state = cross(Renoised(0.6), end, WHITE, HALF, FULL)
    torch.testing.assert_close(state, 0.6 * WHITE + 0.4 * grown)


def test_renoised_shrinks_to_the_mean_of_four() -> None:
    end = StageEnd(normal(2, 2, 3, 8, 12), normal(3, 2, 3, 8, 12))
    mean = end.denoised.reshape(2, 3, 4, 2, 6, 2).mean(dim=(3, 5))
    state = cross(Renoised(0.6), end, WHITE, FULL, HALF)
    torch.testing.assert_close(state, 0.6 * pick(WHITE) + 0.4 * mean)


def test_renoised_may_jump_to_a_higher_level() -> None:
    crossing = Renoised(0.6, jump=2.0)
    level = crossing.start_sigma
    assert level == shift_sigma(2.0, 0.6) and level / (1 - level) == pytest.approx(2 * 0.6 / 0.4)
    assert Renoised(0.6).start_sigma == 0.6


def test_repeated_goes_on_at_the_same_level() -> None:
    end = StageEnd(normal(2, 2, 3, 4, 6), normal(3, 2, 3, 4, 6))
    assert torch.equal(cross(Repeated(0.6), end, WHITE, HALF, FULL), spread(end.x))
    assert Repeated(0.6).start_sigma == 0.6


@pytest.mark.parametrize(
    ("crossing", "ways", "grids"),
    [
        (Renoised(0.6), "between half and full", (HALF, MIXED)),
        (Renoised(0.6), "between half and full", (MIXED, FULL)),
        (Renoised(0.6), "between half and full", (FULL, FULL)),
        (Repeated(0.6), "from half to full", (FULL, HALF)),
        (Repeated(0.6), "from half to full", (HALF, MIXED)),
    ],
)
def test_they_refuse_other_grids(crossing: Crossing, ways: str, grids: tuple[Grid, Grid]) -> None:
    got = f"leads {ways}, got {grids[0].name} to {grids[1].name}: use another crossing"
    with pytest.raises(ValueError, match=got):
        crossing.check(*grids)


@pytest.mark.parametrize("sigma", [0.0, 1.0, 1.5, -0.2, float("nan")])
@pytest.mark.parametrize("crossing", [Renoised, Repeated, Onward, lambda s: Matched(s, 4.0)])
def test_a_stage_before_a_crossing_ends_between_noise_and_a_picture(crossing, sigma) -> None:
    with pytest.raises(ValueError, match=f"A crossing's end sigma must lie .*, got {sigma}; for"):
        crossing(sigma)


@pytest.mark.parametrize("jump", [0.2, 0.0, float("inf"), float("nan")])
def test_a_jump_leads_to_no_lower_level(jump: float) -> None:
    with pytest.raises(ValueError, match=f"finite number of at least 1, got {jump}: 1 goes on"):
        Renoised(0.6, jump)


def test_repeated_draws_no_noise() -> None:
    """It adds none."""
    assert Repeated(0.6).noise(WHITE, lambda: pytest.fail("drawn"), 2) is WHITE
