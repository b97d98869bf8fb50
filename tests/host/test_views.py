"""Corrected views in every family: attention in two calls, exact in both limits."""

from __future__ import annotations

import functools

import pytest
import torch
from limits import all_fine, assert_limits, guider, half, mixed, native, noise, none_fine, scattered

from lab.models import tiny
from ralu_pack.nodes.host.families.family import Family
from ralu_pack.nodes.host.families.inspect import network_of
from ralu_pack.nodes.host.families.table import FAMILIES
from ralu_pack.nodes.host.families.views import rotary
from ralu_pack.ralu_core.latents.layout import Layout
from ralu_pack.ralu_core.latents.tokens import spread
from ralu_pack.ralu_core.latents.views import ONE_TEXT, PAPER, VIEWS, view_named

KNOWN = [family for family in FAMILIES if family.is_known]


def carries(family: Family, views: str) -> bool:
    try:
        family.views.check(view_named(views), {}, family.short)
    except ValueError:
        return False
    return True


CASES = [
    pytest.param(family, views, id=f"{family.name}, {views}")
    for family in KNOWN
    for views in (VIEWS, ONE_TEXT)
    if carries(family, views) and not (family.views.texts == 0 and views == VIEWS)
]
every_case = pytest.mark.parametrize(("family", "views"), CASES)


@functools.cache
def weights(name: str) -> dict:
    return tiny.family_weights({family.name: family for family in FAMILIES}[name])


def model_of(family: Family, **options):
    return tiny.load_model(weights(family.name), family, **options)


@pytest.mark.every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", KNOWN, ids=lambda family: family.name)
def test_both_limits_are_exact(family, dtype):
    views = next((views for views in (VIEWS, ONE_TEXT) if carries(family, views)), PAPER)
    assert_limits(guider(model_of(family, dtype=dtype)), batch=1, views=views)


@pytest.mark.every_case
@every_case
def test_the_split_itself_keeps_both_limits(family, views, monkeypatch):
    """Where one size has no tokens nothing is split; here it is, and the other's view must be
    that of its plain grid, with a text in its place."""
    if not family.views.splits:
        pytest.skip("its attention is not split")
    model = model_of(family)
    made = guider(model, cfg=1.0)
    x = noise(space=family.space)
    if view_named(views).texts == 1 and family.views.texts:
        sizes = [none_fine]  # the fine view reads the other's text, which answers none of its own
    else:
        sizes = [none_fine, all_fine]
    turn = rotary.apply_rope1  # which takes no keys of no tokens
    monkeypatch.setattr(rotary, "apply_rope1", lambda k, by: turn(k, by) if k.numel() else k)
    monkeypatch.setattr(Layout, "is_split", property(lambda layout: layout.view.corrected))
    for size in sizes:
        out = mixed(made, x, size(views=views))
        if size is all_fine:
            expected = native(made, x)
        else:
            expected = family.space.leave(
                spread(family.space.enter(native(made, half(x, family.space))))
            )
        torch.testing.assert_close(out, expected, atol=rounding(out), rtol=0)


def rounding(samples) -> float:
    return 1e-4 * max(1.0, float(samples.std()))


@every_case
def test_pictures_with_other_regions_are_sampled_as_alone(family, views):
    """CFG's rows stacked, two pictures with other regions in a batch."""
    model, x, layout = model_of(family), noise(space=family.space), scattered(views=views)
    both = mixed(guider(model), x, layout)
    for k in range(2):
        one = Layout(layout.fine[k : k + 1], views=views)
        alone = mixed(guider(model), x[k : k + 1], one)
        torch.testing.assert_close(both[k : k + 1], alone, atol=rounding(both), rtol=0)


@every_case
def test_they_change_the_picture_and_leave_nothing_behind(family, views):
    model, x = model_of(family), noise(space=family.space)
    made, network = guider(model, cfg=1.0), network_of(model)
    as_published = mixed(made, x, scattered())
    options = {**model.model_options["transformer_options"]}
    modules = {name: {*module.__dict__} for name, module in network.named_modules()}
    corrected = mixed(made, x, scattered(views=views))
    assert (corrected - as_published).abs().max() > 1e-2
    assert torch.isfinite(corrected).all()
    assert {name: {*m.__dict__} for name, m in network.named_modules()} == modules
    assert model.model_options["transformer_options"] == options and model.wrappers == {}
    assert torch.equal(mixed(made, x, scattered()), as_published)
