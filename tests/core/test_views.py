"""Views of a mixed stage: order and places of its tokens, and what its calls cost."""

from __future__ import annotations

import pytest
import torch

from ralu_core import CallCost, Plan, Source, Stage, sample
from ralu_core.crossings import Matched
from ralu_core.latents.frame import Frame
from ralu_core.latents.grid import FULL, MIXED
from ralu_core.latents.layout import Layout
from ralu_core.latents.packing import Packing
from ralu_core.latents.views import ONE_TEXT, PAPER, VIEWS, VIEWS_KNOWN, view_named
from ralu_core.plans.text import PlanFacts
from ralu_core.scores import Regions
from ralu_core.solvers import over_tokens

MASK = torch.tensor([[[False, True], [True, False]]])


def test_tokens_of_one_place_follow_each_other_and_lie_on_their_own_grid() -> None:
    layout = Layout(MASK, views=VIEWS)
    assert layout.is_split and layout.kept == 2 and layout.position_grid == (4, 4)
    coarse, first, second = [0, 3], [2, 3, 6, 7], [8, 9, 12, 13]
    assert layout.index.tolist() == [coarse + [4 + k for k in first + second]]
    native = [[0, 0], [1, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 0], [2, 1], [3, 0], [3, 1]]
    assert layout.positions[0].tolist() == native
    (packing,) = Packing.parts(layout)
    assert packing.fine_positions[0].tolist() == [[0.5, 0.5], [2.5, 2.5], *native[2:]]
    assert packing.coarse_positions[0].tolist() == native[:2] + [[0, 1]] * 4 + [[1, 0]] * 4


def test_another_order_packs_the_same_state() -> None:
    state = Layout(MASK).settle(torch.randn(1, 3, 8, 8))
    (packing,) = Packing.parts(Layout(MASK, views=ONE_TEXT))
    assert torch.equal(packing.unpack(packing.pack(state)), state)


@pytest.mark.parametrize("fine", [True, False])
@pytest.mark.parametrize("views", VIEWS_KNOWN)
def test_one_size_alone_is_seen_as_on_its_plain_grid(views: str, fine: bool) -> None:
    layout, paper = (Layout(torch.full((2, 2, 3), fine), views=one) for one in (views, PAPER))
    assert not layout.is_split and layout.position_grid == paper.position_grid
    assert torch.equal(layout.index, paper.index)
    assert torch.equal(layout.positions, paper.positions)


def test_parts_of_a_layout_keep_its_views() -> None:
    both = Layout(torch.stack([MASK[0], torch.zeros(2, 2, dtype=torch.bool)]), views=VIEWS)
    assert {part.views for _, part in both.groups + both.twins} == {VIEWS}
    assert both.folded(2).views == both.to("meta").views == VIEWS
    assert [part.is_split for _, part in both.groups] == [True, False]


def test_a_call_costs_what_its_queries_see() -> None:
    cost = CallCost(blocks=2, width=8, text_tokens=3)
    kept, fine, others = 12, 16, 5  # of 16 coarse tokens, 4 grew

    def flops(sequence: int, pairs: int) -> float:
        return 2 * (24 * 64 * sequence + 32 * pairs)

    coarse = (3 + kept) * (3 + 16 + others)
    two = flops(6 + kept + fine + others, coarse + (3 + fine + others) * (3 + 24 + fine + others))
    one = flops(3 + kept + fine + others, coarse + (fine + others) * (3 + kept + fine + others))
    assert cost.mixed_flops(kept + fine, 16, view_named(VIEWS), others) == two
    assert cost.mixed_flops(kept + fine, 16, view_named(ONE_TEXT), others) == one
    assert cost.mixed_flops(kept + fine, 16, view_named(PAPER)) == cost.flops(kept + fine)
    for tokens in (16, 64):  # one size alone
        assert cost.mixed_flops(tokens, 16, view_named(VIEWS)) == cost.flops(tokens)
    shared = flops(3 + kept + fine + others, coarse + (fine + others) * (27 + fine + others))
    short = CallCost(2, 8, 3, texts=1)  # whose text lies beside the picture once
    assert short.mixed_flops(kept + fine, 16, view_named(VIEWS), others) == shared
    table = CallCost(2, 8, 3, splits=False)
    assert table.mixed_flops(kept + fine, 16, view_named(VIEWS)) == table.flops(kept + fine)


def plan_of(views: str) -> Plan:
    jump = Matched(0.5, 4.0)
    mixed = Stage(MIXED, (1.0, 0.8, 0.5), ratio=0.25, views=views)
    return Plan.of("mixed", [mixed, Stage(FULL, (jump.start_sigma, 0.0))], [jump])


def test_a_plan_costs_more_by_its_views() -> None:
    cost = CallCost(blocks=57, width=3072, text_tokens=256)
    paper, one, two = (cost.plan_flops(plan_of(v), 64, 64) for v in (PAPER, ONE_TEXT, VIEWS))
    assert 0.98 * paper < one < paper < two < 1.1 * paper


@pytest.mark.parametrize("views", VIEWS_KNOWN)
def test_a_plan_s_report_names_them(views: str) -> None:
    lines = PlanFacts(plan_of(views), Frame.of_picture(512, 512), 50, 5.0).lines()
    (mixed,) = [line for line in lines if line.startswith("stage 1")]
    assert mixed.endswith("tokens" if views == PAPER else f"tokens, {views}")


def test_a_denoiser_is_told_the_views_and_tokens_alone_are_not_enough() -> None:
    source, regions = Source.from_noise(torch.randn(1, 3, 8, 8)), Regions("latent_gradient")
    told: list = []

    def denoise(x, sigma, layout):
        told.append(layout and layout.views)
        return torch.zeros_like(x)

    sample(denoise, None, source, plan_of(VIEWS), 0, regions)
    assert told == [VIEWS, VIEWS, None]
    with pytest.raises(ValueError, match="the views 'views' have two: set them to 'paper', or"):
        tokens = over_tokens(lambda tokens, places, sigma: tokens)
        sample(tokens, None, source, plan_of(VIEWS), 0, regions)
