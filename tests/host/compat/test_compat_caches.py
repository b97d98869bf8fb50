"""EasyCache and LazyCache: every stage fills its cache anew."""

from __future__ import annotations

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from limits import guider

from driving import Calls, sample, short_plan
from lab.models import tiny
from ralu_pack.nodes.host.families.table import family_named
from ralu_pack.ralu_core.plans import ralu

CACHES = {"EasyCache": EasyCacheNode, "LazyCache": LazyCacheNode}
STEPS = ralu((5, 6, 9), (0.7, 0.55, 0.0), (4.4, 2.1, 2.0), 4.0, 0.3, 3.158193)


def cached(model, node, threshold, start=0.0, end=1.0):
    return node.execute(model, threshold, start, end, False).args[0]


@pytest.mark.promise("EasyCache and LazyCache")
@pytest.mark.parametrize("node", CACHES.values(), ids=CACHES)
def test_cache_that_skips_nothing_changes_nothing(flux, vae, node):
    calls = Calls(flux)
    plain = sample(flux, vae, schedule=STEPS)
    assert calls.per_stage(STEPS) == [5, 6, 9]
    assert torch.equal(plain, sample(cached(flux, node, 0.0), vae, schedule=STEPS))
    assert calls.per_stage(STEPS) == [10, 12, 18]


@pytest.mark.promise("EasyCache and LazyCache")
@pytest.mark.parametrize("node", CACHES.values(), ids=CACHES)
def test_every_stage_fills_its_cache_anew(flux, vae, node):
    """Each stage computes as many steps as plain sampling over its noise levels would."""
    lazy = cached(flux, node, 1e9)
    expected = []
    for stage in range(3):
        calls = Calls(flux)
        sigmas = torch.tensor(STEPS.stages[stage].sigmas)
        guider(lazy, cfg=1.0).sample(
            torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(0)),
            torch.zeros(1, 16, 32, 32),
            comfy.samplers.sampler_object("euler"),
            sigmas,
            disable_pbar=True,
            seed=0,
        )
        calls.handle.remove()
        expected.append(len(calls.tokens))
    assert all(1 < n < steps for n, steps in zip(expected, STEPS.steps, strict=True))
    calls = Calls(flux)
    samples = sample(lazy, vae, schedule=STEPS)
    assert calls.per_stage(STEPS) == expected
    assert torch.isfinite(samples).all()


@pytest.mark.promise("EasyCache and LazyCache")
@pytest.mark.parametrize("node", CACHES.values(), ids=CACHES)
def test_cached_runs_repeat_and_leave_plain_sampling_alone(flux, vae, node):
    plain = sample(flux, vae, schedule=STEPS)
    lazy = cached(flux, node, 1e9)
    first = sample(lazy, vae, schedule=STEPS)
    assert torch.equal(first, sample(lazy, vae, schedule=STEPS))
    assert not torch.equal(first, plain)
    assert torch.equal(plain, sample(flux, vae, schedule=STEPS))


@pytest.mark.promise("EasyCache and LazyCache")
def test_easycache_with_guidance_and_a_batch(flux, vae):
    """Its state is kept for each prompt, over all pictures of the batch."""
    samples = sample(cached(flux, EasyCacheNode, 0.2), vae, schedule=STEPS, batch=2, cfg=3.0)
    assert torch.isfinite(samples).all()
    exact = sample(flux, vae, schedule=STEPS, batch=2, cfg=3.0)
    none = sample(cached(flux, EasyCacheNode, 0.0), vae, schedule=STEPS, batch=2, cfg=3.0)
    assert torch.equal(none, exact)


def test_easycache_over_pictures_of_unequal_counts_is_refused(flux, vae):
    painted = torch.zeros(2, 256, 256)
    painted[0, :128] = 1
    with pytest.raises(ValueError, match="EasyCache remembers one set of tokens"):
        sample(cached(flux, EasyCacheNode, 0.2), vae, batch=2, region_mask=painted)
    samples = sample(cached(flux, LazyCacheNode, 0.2), vae, batch=2, region_mask=painted)
    assert torch.isfinite(samples).all()


def test_easycache_over_a_batch_of_a_family_of_one_table_is_refused_at_once():
    """Anima is called for each picture by itself where regions differ, as they mostly do."""
    family = family_named("anima")
    if not family.is_known:
        pytest.skip(f"this ComfyUI has no {family.model_class}")
    model = tiny.load_model(tiny.family_weights(family), family)
    counted: list[int] = []
    model.model.diffusion_model.register_forward_pre_hook(lambda *_: counted.append(1))
    options = {"schedule": short_plan(model), "edge_detector": "latent_gradient"}
    lazy = cached(model, EasyCacheNode, 0.2)
    with pytest.raises(ValueError, match="a call of Anima each: sample one picture at a time"):
        sample(lazy, None, batch=2, **options)
    assert not counted
    assert torch.isfinite(sample(lazy, None, **options)).all()
