"""What the parts cost, counted in operations and numbers written: no clock, so no noise."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lab.bench import components
from ralu_core.edges import _connected
from ralu_core.presets import matched_schedule, preset
from ralu_core.sampler import Plan, Source, StageEnd, run_stages

GROWTH = 1.05  # exponent of the numbers written against tokens; 1 is proportional


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


def work_of(function) -> Work:
    with Work() as work:
        function()
    return work


@pytest.mark.parametrize("part", sorted(components.components(64)))
def test_no_part_grows_faster_than_the_tokens(part: str) -> None:
    small, large = (work_of(components.components(side)[part]) for side in (256, 1024))
    assert large.numbers <= small.numbers * 16**GROWTH
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
    """Start, transitions, settling and layout together, without the steps."""
    noise = torch.randn(1, 16, 128, 128, generator=torch.Generator().manual_seed(0))
    schedule = matched_schedule(preset("FLUX 7x"), components.FLUX_SHIFT)
    fine = torch.zeros(1, 32, 32, dtype=torch.bool)
    fine[:, 8:12] = True
    run = work_of(
        lambda: run_stages(
            Plan(schedule),
            Source.from_noise(noise),
            lambda stage, start: StageEnd(x := start.take(), x),
            lambda denoised: fine,
            lambda stage: noise,
        )
    )
    assert run.numbers < 28 * noise.numel()
