"""Models that are known and not run say why."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lab.models import tiny
from ralu_pack.nodes.host.families import refused
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.families.table import FAMILIES, family_named


def patcher_of(kind: str, network: object):
    model = type(kind, (), {})()
    return SimpleNamespace(model=model, get_model_object=lambda name: network)


@pytest.mark.parametrize("kind", refused.REFUSED)
def test_each_says_why(kind):
    with pytest.raises(ValueError, match="use a KSampler for it") as told:
        inspect_model(patcher_of(kind, object()))
    assert refused.REFUSED[kind] in str(told.value) and kind in str(told.value)
    assert kind not in {family.model_class for family in FAMILIES}


def test_qwens_layers_are_refused_by_name():
    family = family_named("qwen_image")
    model = tiny.load_model(tiny.family_weights(family), family)
    embedder = model.model.diffusion_model.time_text_embed
    embedder.addition_t_embedding = None
    with pytest.raises(ValueError, match="Qwen-Image-Layered's frames are layers"):
        inspect_model(model)
