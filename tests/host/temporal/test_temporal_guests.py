"""RALU Temporal Acceleration beside other nodes: what it composes with, and what it refuses."""

from __future__ import annotations

import re

import pytest
import torch
from accelerating import METHODS, BlockCalls, Runs, accelerated, noise, sample
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
from comfy_extras.nodes_torch_compile import TorchCompileModel

from lab.models import tiny
from ralu_pack.nodes.host.sampling.keys import FORECASTS
from ralu_pack.nodes.host.temporal.acceleration import Acceleration
from ralu_pack.nodes.host.temporal.caches import RunState

CACHES = {"EasyCache": EasyCacheNode, "LazyCache": LazyCacheNode}
WRONG = {
    "method": "FORA",
    "interval": 0,
    "order": 3,
    "warm_up": 0,
    "range_end": 0.0,
    "cached_ratio": 1.0,
    "threshold": float("nan"),
    "max_memory": 0.0,
}


@pytest.fixture
def runs(monkeypatch):
    return Runs(monkeypatch)


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("name", CACHES)
def test_two_caches_are_refused_by_name(flux, name):
    cached = CACHES[name].execute(flux, 0.2, 0.0, 1.0, False).args[0]
    with pytest.raises(ValueError, match=f"this MODEL has {name}"):
        accelerated(cached)
    behind = CACHES[name].execute(accelerated(flux), 0.2, 0.0, 1.0, False).args[0]
    with pytest.raises(ValueError, match=f"this MODEL has {name}"):
        sample(behind)


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("name", ["first_block_cache", "TaylorSeer.apply.<locals>.wrapper"])
def test_a_cache_in_a_function_wrapper_is_refused_by_name(flux, behind, name):
    def cache(apply_model, options):
        return apply_model(options["input"], options["timestep"], **options["c"])

    cache.__qualname__ = name
    model = accelerated(flux) if behind else flux.clone()
    model.set_model_unet_function_wrapper(cache)
    with pytest.raises(ValueError, match=name):
        sample(model) if behind else accelerated(model)


@pytest.mark.promise("RALU Temporal Acceleration")
def test_another_function_wrapper_is_named_and_obeyed(model, caplog):
    calls = []

    def doubling(apply_model, options):
        calls.append(1)
        return 2 * apply_model(options["input"], options["timestep"], **options["c"])

    doubling.__module__ = "/srv/cache/custom_nodes/twice"  # as the host names a pack's, by its path
    wrapped = model.clone()
    wrapped.set_model_unet_function_wrapper(doubling)
    idle = Acceleration(warm_up=100)
    assert torch.equal(sample(accelerated(wrapped, idle)), sample(wrapped))
    assert calls and "doubling" in caplog.text


def test_other_families_are_refused(flux, monkeypatch):
    class Chroma(type(flux.model)):
        pass

    monkeypatch.setattr(flux.model, "__class__", Chroma)
    with pytest.raises(ValueError, match=r"and those of this MODEL \(Chroma\) it does not"):
        accelerated(flux)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_numbers_are_refused(name):
    named = name.replace("range_end", "block range")
    with pytest.raises(ValueError, match=f"The {named} must .* got .*"):
        Acceleration(**{name: WRONG[name]})


@pytest.mark.parametrize("name", [name for name in WRONG if name not in ("method", "range_end")])
def test_a_number_that_runs_is_offered(name):
    with pytest.raises(ValueError) as refused:
        Acceleration(**{name: WRONG[name]})
    offered = re.search(r": try ([\d.]+\d|\d)", str(refused.value))
    assert offered and float(offered[1]) == getattr(Acceleration(), name)


def test_a_range_without_blocks_is_refused(flux):
    with pytest.raises(ValueError, match="holds none of this MODEL's 2 blocks"):
        accelerated(flux, Acceleration(method="Delta-DiT", range_start=0.1, range_end=0.2))


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize(
    ("name", "order", "advice"),
    [
        ("TaylorSeer", 1, "raise it, lower the order, or make a smaller picture"),
        ("TaylorSeer", 0, "raise it, or make a smaller picture"),
        ("ToCa", 1, "raise it, choose TaylorSeer, or make a smaller picture"),
        ("TeaCache", 1, "raise it, or make a smaller picture"),
    ],
)
def test_caches_beyond_the_bound_are_refused_before_a_step(flux, runs, name, order, advice):
    with pytest.raises(ValueError, match=f"and max_memory allows 1e-05 GB: {advice}"):
        sample(accelerated(flux, Acceleration(method=name, order=order, max_memory=1e-5)))
    assert runs.states[0].computed + runs.states[0].partial == 0


def test_what_skips_nothing_keeps_nothing_and_says_nothing(flux, caplog):
    caplog.set_level("INFO")
    sample(accelerated(flux, Acceleration(interval=1, max_memory=1e-5)))
    assert "RALU Temporal" not in caplog.text


@pytest.mark.parametrize("dual", [False, True], ids=["flux", "sd3.5 medium"])
def test_memory_is_what_is_reserved(flux, monkeypatch, dual):
    model = tiny.load_model(tiny.sd3_weights(seed=2, dual_attention=True)) if dual else flux
    kept = []
    close = RunState.close

    def weigh(state):
        memories = [m for track in state._tracks.values() for m in track.memories.values()]
        tensors = [t for m in memories for t in m.values]
        pairs = [pair for m in memories for pair in m.extra.get("attention", {}).values()]
        tensors += [t for pair in pairs for t in pair]
        tensors += [m.extra["input"] for m in memories if "input" in m.extra]
        kept.append((sum(t.numel() * t.element_size() for t in tensors), state.reserved))
        close(state)

    monkeypatch.setattr(RunState, "close", weigh)
    for settings in METHODS.values():
        sample(accelerated(model, settings), batch=2, cfg=2.0)
    assert all(kept) and all(size == reserved for size, reserved in kept)


@pytest.mark.promise("RALU Temporal Acceleration")
def test_the_later_of_two_replaces_the_earlier(model, runs, caplog):
    twice = accelerated(accelerated(model, interval=2, warm_up=1), interval=4, warm_up=1)
    assert torch.equal(sample(twice), sample(accelerated(model, interval=4, warm_up=1)))
    assert runs.patterns == ["FsssFsss"] * 2
    assert "replaces the one in front of it" in caplog.text
    assert all(len(twice.get_wrappers(kind, FORECASTS)) == 1 for kind in (WrappersMP.APPLY_MODEL,))


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("behind", [False, True])
def test_other_nodes_block_patches_are_chained(model, behind):
    """In either order; on computed steps only, their effect is part of what is held."""
    calls = []

    def scale(args, extra):
        calls.append(1)
        out = extra["original_block"](args)
        return {**out, "img": out["img"] * 1.1}

    def patched(base):
        base = base.clone()
        base.set_model_patch_replace(scale, "dit", "double_block", 0)
        return base

    def both(settings):
        return (
            patched(accelerated(model, settings))
            if behind
            else accelerated(patched(model), settings)
        )

    exact = sample(patched(model))
    assert torch.equal(sample(both(Acceleration(warm_up=100))), exact)
    calls.clear()
    assert not torch.equal(sample(both(Acceleration(warm_up=2))), exact)
    assert len(calls) == 4


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("name", ["TaylorSeer", "ToCa"])
def test_skip_layer_guidance_has_caches_of_its_own(model, runs, behind, name):
    def guided(base):
        layers = {"double_layers": "1", "single_layers": "0"}
        return SkipLayerGuidanceDiT.execute(base, 3.0, 0.0, 1.0, **layers).args[0]

    def both(settings):
        return (
            guided(accelerated(model, settings)) if behind else accelerated(guided(model), settings)
        )

    idle = Acceleration(method=name, warm_up=100)
    assert torch.equal(sample(both(idle), cfg=2.0), sample(guided(model), cfg=2.0))
    runs.states.clear()
    samples = sample(both(Acceleration(method=name, warm_up=2)), cfg=2.0)
    assert torch.isfinite(samples).all()
    skipped = "s" if name == "TaylorSeer" else "p"
    assert runs.patterns == ["FFFF" + 4 * skipped + "FF" + 4 * skipped + "FF"]


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("name", ["TaylorSeer", "TeaCache"])
def test_a_prompt_for_a_range_of_steps_starts_with_a_computed_step(model, name, runs):
    """Where it joins, rows that could be forecast stay forecast."""
    late = tiny.conditioning(9)
    late[0][1]["start_percent"] = 0.4
    import comfy.samplers

    guider = comfy.samplers.CFGGuider(accelerated(model, METHODS[name]))
    guider.set_conds([*tiny.conditioning(5), *late], tiny.conditioning(6))
    x = noise()
    samples = guider.sample(
        x,
        torch.zeros_like(x),
        comfy.samplers.sampler_object("euler"),
        torch.linspace(1, 0, 9),
        disable_pbar=True,
        seed=0,
    )
    assert torch.isfinite(samples).all() and "s" in runs.patterns[0]


@pytest.mark.promise("RALU Temporal Acceleration")
def test_controlnet_residuals_are_not_added_twice(model):
    """A forecast of order 0 at an unchanged input and noise level returns the computed output."""
    network = model.model.diffusion_model
    tokens = 64
    width = network.hidden_size
    add = torch.randn(1, tokens, width, generator=torch.Generator().manual_seed(3))
    control = {"input": [add], "output": [add] * 2}
    computed, forecast = [], []

    def ask(executor, *args, **kwargs):
        args = list(args)
        args[4] = control
        out = executor(*args, **kwargs)
        (forecast if blocks.count == seen[0] else computed).append(out)
        seen[0] = blocks.count
        return out

    fast = accelerated(model, interval=4, warm_up=1, order=0)
    fast.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "ask", ask)
    blocks, seen = BlockCalls(model), [0]
    same = torch.full((4,), 0.5)
    sample(fast, sigmas=same)  # Euler without a step: the same call three times
    assert (len(computed), len(forecast)) == (1, 2)
    assert torch.allclose(computed[0], forecast[0], atol=1e-4)


@pytest.mark.promise("RALU Temporal Acceleration")
def test_toca_refuses_attention_patches(flux):
    patched = flux.clone()
    patched.set_model_patch(lambda q, k, v, **_: {"q": q, "k": k, "v": v}, "attn1_patch")
    with pytest.raises(ValueError, match="an attention patch of another node"):
        sample(accelerated(patched, METHODS["ToCa"]))


@pytest.mark.promise("RALU Temporal Acceleration")
def test_compiled_model(sd3):
    assert_compiled_is_the_same(sd3, "TaylorSeer")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["TaylorSeer", "ToCa", "TeaCache"])
def test_compiled_models(model, name):
    assert_compiled_is_the_same(model, name)


def assert_compiled_is_the_same(model, name):
    sigmas = torch.linspace(1, 0, 5)
    fast = accelerated(model, METHODS[name])
    expected = sample(fast, sigmas=sigmas)
    compiled = TorchCompileModel.execute(fast, "eager").args[0]
    assert torch.allclose(sample(compiled, sigmas=sigmas), expected, atol=1e-3)
    torch._dynamo.reset()


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
@pytest.mark.parametrize("name", ["TaylorSeer", "ToCa", "TeaCache"])
def test_small_weights(flux_weights, dtype, name):
    small = tiny.load_model(flux_weights, dtype=dtype)
    assert torch.equal(
        sample(accelerated(small, Acceleration(method=name, warm_up=100, threshold=1e-9))),
        sample(small),
    )
    assert torch.isfinite(sample(accelerated(small, METHODS[name]))).all()
