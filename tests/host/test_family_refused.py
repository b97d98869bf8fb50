"""Models that are known and not run say why."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from comfy_extras import nodes_model_advanced

from driving import ralu
from lab.models import tiny
from ralu_pack.nodes.host.families import refused
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.families.table import FAMILIES, family_named
from ralu_pack.nodes.sampler import Sampler


def patcher_of(kind: str, network: object):
    model = type(kind, (), {})()
    return SimpleNamespace(model=model, get_model_object=lambda name: network)


@pytest.mark.parametrize("kind", refused.REFUSED)
def test_each_says_why(kind):
    with pytest.raises(ValueError, match="use a KSampler for it") as told:
        inspect_model(patcher_of(kind, object()))
    assert refused.REFUSED[kind] in str(told.value) and kind in str(told.value)
    assert kind not in {family.model_class for family in FAMILIES}


def test_another_noise_scale_is_refused(sd3):
    node = getattr(nodes_model_advanced, "ModelNoiseScale", None)
    if node is None:
        pytest.skip("this ComfyUI has no ModelNoiseScale")
    (scaled,) = node().patch(sd3, 7.5)
    scaled.model.diffusion_model.register_forward_pre_hook(lambda *_: pytest.fail("It was called."))
    with pytest.raises(ValueError, match=r"noise scale 1, got 7\.5: remove the node"):
        ralu(scaled, None, quality="balanced", schedule=None)
    assert inspect_model(node().patch(sd3, 1.0)[0]).shift == inspect_model(sd3).shift


def test_wans_joined_subjects_are_refused_where_the_size_changes():
    """WanPhantomSubjectToVideo's, which the host joins to the latent in its own size."""
    family = family_named("wan")
    if not family.is_known:
        pytest.skip(f"this ComfyUI has no {family.model_class}")
    model = tiny.load_model(tiny.family_weights(family), family)
    texts = (tiny.conditioning(seed, family=family) for seed in (5, 6))
    frames = torch.zeros(1, 16, 1, 32, 32)
    positive, negative = (tiny.with_values(one, time_dim_concat=frames) for one in texts)
    wires = {
        "model": model,
        "positive": positive,
        "negative": negative,
        "latent_image": {"samples": frames},
        **{"seed": 7, "cfg": 1.0, "sampler_name": "euler", "denoise": 1.0},
    }
    told = r"subjects that are joined to the latent.*got them in 2 conditionings: set the quality"
    with pytest.raises(ValueError, match=told):
        Sampler.execute(**wires, quality="paper", edge_detector="latent_gradient")
    assert torch.isfinite(Sampler.execute(**wires, quality="draft").args[0]["samples"]).all()
