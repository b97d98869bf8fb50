"""What the published networks cost, against what the pack takes them for."""

from __future__ import annotations

import pytest

from lab.bench.family_flops import call_flops, rows, table
from lab.comfy import ralu_pack
from lab.models.blueprint import build
from lab.models.full_size import MODELS

FEW = ("Z-Image",)  # the others take long
PREDICTED = 0.07  # of the speed-up: text that is only attended to counts less than is predicted
FAMILIES = [family for family in ralu_pack.table.FAMILIES if family.is_known]


def slow_but(name: str):
    return pytest.param(name, marks=() if name in FEW else pytest.mark.slow, id=name)


def named(name: str):
    return next(model for model in MODELS if model.name == name)


def known(name: str):
    model = named(name)
    if not ralu_pack.table.family_named(model.family).is_known:
        pytest.skip("this ComfyUI has no such model")
    return model


@pytest.mark.parametrize("name", [slow_but(model.name) for model in MODELS])
def test_the_predicted_speed_up_is_the_counted_one(name):
    found = rows([known(name)], sides=(1024,))
    (row,) = found
    assert row.speed_up > 1 and row.plain > row.own > 0
    if not row.model.references:
        assert row.shown == pytest.approx(row.speed_up, rel=PREDICTED)
    else:
        assert row.shown > row.speed_up
    assert f"{row.speed_up:.2f}x" in table(found)


def test_calls_are_a_polynomial_of_their_tokens():
    model = known("Mage-Flow")
    fitted, counted = call_flops(model, (8, 12, 16)), call_flops(model, (20, 24, 28))
    for tokens, flops in zip(counted.tokens, counted.flops, strict=True):
        assert fitted.at(tokens) == pytest.approx(flops, rel=1e-9)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_familys_published_size_is_that_of_its_network(family):
    sizes = [family.size(build(model)) for model in MODELS if model.family == family.name]
    assert family.full in sizes


@pytest.mark.parametrize(
    "model", [one for one in MODELS if not one.is_distilled], ids=lambda model: model.name
)
def test_the_preset_is_what_the_pack_recommends(model):
    family = ralu_pack.table.family_named(model.family)
    assert model.preset == family.preset(family.full_shift)
