"""The bench of RALU Temporal Acceleration: counted FLOPs against the paper's combination table."""

from __future__ import annotations

import pytest
import torch

from lab.bench import temporal_flops, temporal_quality
from lab.bench.counting import TERA

ROWS = {row.name: row for row in temporal_flops.ROWS}


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("TaylorSeer, N=3, O=1, W=3", "FFFs FFFss FFFssF"),
        ("TaylorSeer, N=3, O=1, W=2", "FFss FFssF FFssFs"),
    ],
)
def test_taylorseer_costs_what_the_paper_says(name, stages):
    run = temporal_flops.count(ROWS[name].settings)
    assert temporal_flops.pattern(run) == stages
    assert run.paper / TERA == pytest.approx(ROWS[name].published, rel=2e-3)


def test_toca_costs_what_the_paper_says_with_released_attention():
    run = temporal_flops.count(ROWS["ToCa, N=3, R=90 %, W=2"].settings)
    assert temporal_flops.pattern(run) == "FFpp FFppF FFppFp"
    assert temporal_flops.toca_as_released(run) / TERA == pytest.approx(409.74, rel=3e-3)


def test_distance_of_pictures():
    picture = torch.zeros(2, 4, 4, 3)
    nearby = torch.cat([picture[:1] + 0.1, picture[1:] + 0.01])
    assert temporal_quality.mean_psnr([nearby], [picture]) == pytest.approx((30.0, 10.0))
    assert temporal_quality.mean_psnr([picture], [picture])[0] == float("inf")


def test_blocks_that_ran_are_counted(flux):
    from accelerating import Acceleration, accelerated, sample

    with temporal_quality.block_flops(flux) as plain:
        sample(flux)
    with temporal_quality.block_flops(flux) as skipped:
        sample(accelerated(flux, Acceleration(interval=3, warm_up=2)))
    assert sum(skipped) == pytest.approx(sum(plain) / 2)
    with temporal_quality.block_flops(flux) as partial:
        sample(
            accelerated(flux, Acceleration(method="ToCa", interval=3, warm_up=2, cached_ratio=0.5))
        )
    assert sum(partial) == pytest.approx(0.75 * sum(plain))
