"""What the parts cost, counted in operations and numbers written: no clock, so no noise."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ralu_core import Evidence, Layout, Packing, Source, StageEnd, matched_plan, preset, run_plan
from ralu_core.crossings import Crossing, Matched, Place
from ralu_core.growth import GROWTHS
from ralu_core.latents.grid import FULL, HALF, MIXED
from ralu_core.latents.noise import REGIONS, white_noise
from ralu_core.latents.states import State
from ralu_core.scores import SCORES, Score, select_ratio
from ralu_core.scores.canny_gpu import _connected

EXPONENT = 1.05  # of the numbers written against tokens; 1 is proportional
CHANNELS = 16
FLUX_SHIFT = 3.158193


class Work(TorchDispatchMode):
    """Counts operations, and the numbers that they write; views write none."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        written = [one for one in tree_leaves(result) if torch.is_tensor(one)]
        if not func.is_view and written:
            self.operations += 1
            self.numbers += sum(one.numel() for one in written)
        return result


def work_of(function: Callable[[], object]) -> Work:
    with Work() as work:
        function()
    return work


def picture_of_squares(side: int) -> torch.Tensor:
    """(1, side, side, 3): soft squares of 32 pixels, as many edges a pixel at any size."""
    generator = torch.Generator().manual_seed(0)
    squares = torch.rand(1, 3, side // 32, side // 32, generator=generator)
    picture = F.interpolate(squares, size=(side, side), mode="nearest")
    return F.avg_pool2d(picture, 5, stride=1, padding=2).movedim(1, -1)


def parts(side: int) -> dict[str, Callable[[], object]]:
    """Every part of the core for a picture of that many pixels a side, ready to run."""
    latent, grid = side // 8, (side // 32, side // 32)
    white = torch.randn(1, CHANNELS, latent, latent)
    half = pick_half(white)
    end = StageEnd(half, half, tuple(State(s, half, s * half) for s in (0.8, 0.7)))
    picture = picture_of_squares(side // 2)
    draw = functools.partial(white_noise, grid, 0, range(1), REGIONS)
    evidence = Evidence(end, grid, lambda _: picture, torch.rand(1, *grid), draw)
    scores = SCORES["canny"](evidence)
    fine = select_ratio(scores, 0.1)
    layout = Layout(fine)
    (packing,) = Packing.parts(layout)
    tokens = packing.pack(white)

    def crossed(crossing: Crossing, *grids) -> Callable[[], object]:
        before = end if grids[0] is HALF else StageEnd(white, white)
        return lambda: crossing.cross(before, white, Place(*grids, layout, 2))

    found: dict[str, Callable[[], object]] = {
        "noise": lambda: white_noise((CHANNELS, latent, latent), 0, range(1), 1),
        "layout and packing": lambda: Packing.parts(Layout(fine)),
        "pack": lambda: packing.pack(white),
        "unpack": lambda: packing.unpack(tokens),
        "choice of regions": lambda: select_ratio(scores, 0.1),
    }
    for name in GROWTHS:
        found[f"to mixed by {name}"] = crossed(Matched(0.8, 6.26, name), HALF, MIXED)
        found[f"to full by {name}"] = crossed(Matched(0.8, 6.26, name), MIXED, FULL)
    for name, score in SCORES.items():
        found[f"score {name}"] = functools.partial(_scored, score, evidence)
    return found


def _scored(score: Score, evidence: Evidence) -> torch.Tensor:
    return score(replace(evidence))  # which has not been read yet


def pick_half(white: torch.Tensor) -> torch.Tensor:
    return white[..., ::2, ::2].contiguous()


@pytest.mark.parametrize("part", sorted(parts(64)))
def test_no_part_grows_faster_than_the_tokens(part: str) -> None:
    small, large = (work_of(parts(side)[part]) for side in (256, 1024))
    assert large.numbers <= small.numbers * 16**EXPONENT
    assert large.operations <= 2 * small.operations


def test_the_longest_edge_costs_a_logarithm_of_its_length() -> None:
    def snake(rows: int, columns: int) -> Work:
        """One line of weak pixels that turns at every border, strong at its far end alone."""
        weak = torch.zeros(1, 2 * rows, columns, dtype=torch.bool)
        weak[:, ::2] = True
        weak[:, 1::4, -1] = weak[:, 3::4, 0] = True
        strong = torch.zeros_like(weak)
        strong[:, -2, -1] = True
        assert torch.equal(_connected(strong, weak), weak)
        return work_of(lambda: _connected(strong, weak))

    short, long = snake(4, 16), snake(64, 256)
    assert long.operations < 3 * short.operations  # 256 times as long


def test_a_run_at_1024_pixels_writes_a_few_latents() -> None:
    """Start, crossings, settling and layout together, without the steps."""
    noise = torch.randn(1, 16, 128, 128, generator=torch.Generator().manual_seed(0))
    plan = matched_plan(preset("FLUX 7x"), FLUX_SHIFT)
    fine = torch.zeros(1, 32, 32, dtype=torch.bool)
    fine[:, 8:12] = True
    run = work_of(
        lambda: run_plan(
            plan,
            Source.from_noise(noise),
            lambda task, start: StageEnd(x := start.take(), x),
            lambda end, ratio: fine,
            lambda number: noise,
        )
    )
    assert run.numbers < 28 * noise.numel()
