"""RALU Temporal Acceleration on every family whose blocks it knows, beside Flux.1 and SD3."""

from __future__ import annotations

import inspect
from dataclasses import replace

import comfy.samplers
import pytest
import torch
from accelerating import METHODS, SIGMAS, Acceleration, Runs, accelerated

from driving import ralu
from lab.models import tiny
from ralu_pack.nodes.host.families.table import FAMILIES

KNOWN = [family for family in FAMILIES if family.blocks and family.name not in ("flux1", "sd3")]
TOCA = "ToCa"
WHOLE = {"qwen_image", "mage_flow"}  # whose blocks do not run on a share of their tokens
# Guidance at which the host takes references of noise level 0: Flux.2 in one row of a call alone.
LEVEL_ZERO = {"qwen_image": 2.0, "flux2": 1.0}
EAGER = {
    name: replace(METHODS[name], interval=2, warm_up=1, threshold=10.0)
    for name in ("TaylorSeer", "Delta-DiT", TOCA, "TeaCache")
}
every_method = pytest.mark.parametrize("settings", EAGER.values(), ids=EAGER)


@pytest.fixture(scope="module", params=KNOWN, ids=lambda family: family.name)
def weights(request):
    if not request.param.is_known:
        pytest.skip(f"this ComfyUI has no {request.param.model_class}")
    return request.param, tiny.family_weights(request.param)


@pytest.fixture
def family(weights):
    return weights[0]


@pytest.fixture
def model(weights):
    return tiny.load_model(weights[1], weights[0])


def sample(model, family, cfg: float = 2.0, **values) -> torch.Tensor:
    text = tiny.with_values(tiny.conditioning(5), **values)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(text, tiny.with_values(tiny.conditioning(6), **values))
    guider.set_cfg(cfg)
    x = family.space.leave(torch.randn(1, family.space.channels, 16, 16, generator=seeded()))
    euler = comfy.samplers.sampler_object("euler")
    return guider.sample(x, torch.zeros_like(x), euler, SIGMAS, disable_pbar=True, seed=0)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def reference(family) -> torch.Tensor:
    return family.space.leave(torch.randn(1, family.space.channels, 16, 16, generator=seeded()))


def skips(family, settings) -> bool:
    return settings.method != TOCA or family.name not in WHOLE


@pytest.mark.promise("RALU Temporal Acceleration")
@every_method
def test_plain_sampling(model, family, settings, monkeypatch):
    """What is computed is exact, what is skipped repeats."""
    if not skips(family, settings):
        with pytest.raises(ValueError, match=r"ToCa computes a share .*: choose TaylorSeer"):
            accelerated(model, settings)
        return
    runs, exact = Runs(monkeypatch), sample(model, family)
    idle = Acceleration(method=settings.method, warm_up=100, threshold=1e-9)
    assert torch.equal(sample(accelerated(model, idle), family), exact)
    fast = accelerated(model, settings)
    first = sample(fast, family)
    assert torch.equal(first, sample(fast, family))
    assert torch.isfinite(first).all() and not torch.equal(first, exact)
    assert "F" in runs.patterns[-1] and {"s", "p"} & set(runs.patterns[-1])


@pytest.mark.promise("RALU Temporal Acceleration")
def test_a_whole_run(model, family, monkeypatch):
    runs = Runs(monkeypatch)
    vae = tiny.small_vae(family.space, seed=3)
    options = {"schedule": None, "cfg": 2.0, "size": (128, 128)}
    exact, _ = ralu(model, vae, **options)
    runs.states.clear()
    fast, _ = ralu(accelerated(model, EAGER["TaylorSeer"]), vae, **options)
    assert len(runs.patterns) == 3 and all("s" in pattern for pattern in runs.patterns)
    assert torch.isfinite(fast).all() and not torch.equal(fast, exact)
    assert (fast - exact).abs().mean() < exact.abs().mean()


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("way", ["index", "index_timestep_zero"])
def test_references(model, family, way, monkeypatch):
    """Those at noise level 0 have a modulation of their own: TeaCache then computes every step."""
    if family.name == "chroma":
        pytest.skip("Chroma takes no references")
    network = type(model.model.diffusion_model)
    if way != "index" and family.name not in LEVEL_ZERO:
        pytest.skip(f"the host gives {family.short} no references of another noise level")
    if way != "index" and "timestep_zero" not in inspect.getsource(inspect.getmodule(network)):
        pytest.skip("this ComfyUI has no references of another noise level")
    cfg = 2.0 if way == "index" else LEVEL_ZERO[family.name]
    values = {"reference_latents": [reference(family)], "reference_latents_method": way}
    runs, exact = Runs(monkeypatch), sample(model, family, cfg, **values)
    fast = sample(accelerated(model, EAGER["TeaCache"]), family, cfg, **values)
    assert torch.isfinite(fast).all()
    assert ("s" in runs.patterns[-1]) is (way == "index")
    assert torch.equal(fast, exact) is (way != "index")
