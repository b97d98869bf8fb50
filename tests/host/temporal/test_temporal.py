"""RALU Temporal Acceleration: what is computed, what is forecast, and what is never touched."""

from __future__ import annotations

import comfy.model_management
import comfy.samplers
import pytest
import torch
from accelerating import (
    METHODS,
    SIGMAS,
    STEPS,
    BlockCalls,
    Runs,
    accelerated,
    in_stages,
    noise,
    sample,
    staged_report,
    stages,
)

from lab.models import tiny
from ralu_pack.nodes.host.sampling.keys import FORECASTS
from ralu_pack.nodes.host.temporal.acceleration import Acceleration
from ralu_pack.nodes.temporal_acceleration import TemporalAcceleration

every_method = pytest.mark.parametrize("settings", METHODS.values(), ids=METHODS)
IDLE = {
    "interval 1": Acceleration(interval=1),
    "all in the warm-up": Acceleration(warm_up=100, order=2),
    "Delta-DiT, interval 1": Acceleration(method="Delta-DiT", interval=1),
    "Delta-DiT": Acceleration(method="Delta-DiT", warm_up=100, range_start=0.5),
    "ToCa, interval 1": Acceleration(method="ToCa", interval=1),
    "ToCa, all in the warm-up": Acceleration(method="ToCa", warm_up=100),
    "ToCa, R=0": Acceleration(method="ToCa", cached_ratio=0.0),
    "TeaCache, threshold 0": Acceleration(method="TeaCache", threshold=0.0),
    "TeaCache, least threshold": Acceleration(method="TeaCache", threshold=1e-9),
}


@pytest.fixture
def runs(monkeypatch):
    return Runs(monkeypatch)


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("settings", IDLE.values(), ids=IDLE)
def test_nothing_skipped_changes_no_byte(model, settings):
    assert torch.equal(sample(accelerated(model, settings), cfg=2.0), sample(model, cfg=2.0))


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("settings", IDLE.values(), ids=IDLE)
def test_nothing_skipped_changes_no_byte_of_a_staged_run(model, vae, settings):
    schedule = stages(model, (2, 3, 2))
    exact = in_stages(model, vae, schedule=schedule)
    assert torch.equal(in_stages(accelerated(model, settings), vae, schedule=schedule), exact)


@pytest.mark.promise("RALU Temporal Acceleration")
def test_a_skipped_step_calls_no_block(model, runs):
    blocks = BlockCalls(model)
    sample(model)
    per_step = blocks.count // STEPS
    blocks.count = 0
    sample(accelerated(model, interval=3, warm_up=2))
    assert runs.patterns == ["FFssFssF"]
    assert blocks.count == 4 * per_step


@pytest.mark.promise("RALU Temporal Acceleration")
def test_delta_dit_skips_its_range_alone(model):
    blocks = BlockCalls(model)
    sample(accelerated(model, METHODS["Delta-DiT"]))
    assert blocks.count == STEPS * 1 + STEPS // 2  # one of two blocks always, one every other step


@pytest.mark.promise("RALU Temporal Acceleration")
@every_method
def test_skipping_matters_and_repeats(model, settings):
    fast = accelerated(model, settings)
    first = sample(fast)
    assert torch.isfinite(first).all()
    assert not torch.equal(first, sample(model))
    assert torch.equal(first, sample(fast))


@pytest.mark.promise("RALU Temporal Acceleration")
def test_every_stage_begins_anew(model, vae, runs):
    in_stages(accelerated(model, interval=3, warm_up=2), vae)
    assert runs.patterns == ["FFss", "FFssF", "FFssFs"]
    runs.states.clear()
    in_stages(accelerated(model, METHODS["Delta-DiT"]), vae)
    assert runs.patterns == ["FsFs", "FsFsF", "FsFsFs"]


@pytest.mark.promise("RALU Temporal Acceleration")
@every_method
def test_nothing_is_kept_after_a_run(model, vae, runs, settings):
    fast = accelerated(model, settings)
    before = set(model.model.diffusion_model.__dict__)
    in_stages(fast, vae)
    assert len(runs.states) == 3 and not any(state._tracks for state in runs.states)
    assert FORECASTS not in fast.model_options["transformer_options"]
    assert set(model.model.diffusion_model.__dict__) == before
    assert not model.wrappers


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("name", ["TaylorSeer", "ToCa", "TeaCache"])
def test_prompts_in_one_call_or_in_two(model, monkeypatch, name):
    """cfg 2 with both prompts batched equals cfg 2 with one call each."""
    fast = accelerated(model, METHODS[name])
    batched = sample(fast, cfg=2.0)
    monkeypatch.setattr(type(model.model), "memory_required", lambda *a, **k: 1e30)
    blocks = BlockCalls(model)
    apart = sample(fast, cfg=2.0)
    assert blocks.count
    assert torch.allclose(batched, apart, atol=5e-4)


@pytest.mark.promise("RALU Temporal Acceleration")
def test_toca_with_prompts_of_unequal_length(sd3, monkeypatch):
    """The host lengthens the shorter one where both meet in a call, which depends on memory."""
    positive, negative = tiny.conditioning(5), tiny.conditioning(6)
    positive[0][0] = positive[0][0].repeat(1, 2, 1)
    guider = comfy.samplers.CFGGuider(accelerated(sd3, METHODS["ToCa"]))
    guider.set_conds(positive, negative)
    guider.set_cfg(2.0)
    memory = []
    monkeypatch.setattr(
        type(sd3.model), "memory_required", lambda *a, **k: 1e30 if len(memory) > 3 else 0
    )
    x = noise()
    samples = guider.sample(
        x,
        torch.zeros_like(x),
        comfy.samplers.sampler_object("euler"),
        SIGMAS,
        callback=lambda *_: memory.append(1),
        disable_pbar=True,
        seed=0,
    )
    assert torch.isfinite(samples).all()


@pytest.mark.promise("RALU Temporal Acceleration")
@every_method
def test_pictures_of_a_batch_do_not_meet(model, settings):
    fast = accelerated(model, settings)
    pair = noise(2)
    both = sample(fast, x=pair)
    for k in range(2):
        alone = sample(fast, x=pair[k : k + 1])
        assert torch.allclose(both[k : k + 1], alone, atol=5e-4)


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("name", ["TaylorSeer", "ToCa", "TeaCache"])
def test_pictures_with_regions_of_their_own(model, vae, name):
    """Unequal token counts: the network is called once for each picture in stage 2."""
    painted = torch.zeros(2, 256, 256)
    painted[0, :128] = 1
    options = {"batch": 2, "region_mask": painted, "schedule": stages(model, (2, 4, 1))}
    fast = accelerated(model, METHODS[name])
    exact = in_stages(model, vae, **options)
    first = in_stages(fast, vae, **options)
    assert torch.equal(first, in_stages(fast, vae, **options)) and not torch.equal(first, exact)
    idle = accelerated(
        model, Acceleration(method=METHODS[name].method, warm_up=100, threshold=1e-9)
    )
    assert torch.equal(in_stages(idle, vae, **options), exact)


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2s_ancestral", "dpmpp_sde", "res_multistep"])
@pytest.mark.parametrize("name", ["TaylorSeer", "ToCa", "TeaCache"])
def test_samplers_of_several_evaluations(flux, runs, sampler, name):
    samples = sample(accelerated(flux, METHODS[name]), sampler=sampler)
    assert torch.isfinite(samples).all()
    assert len(runs.patterns[0]) >= STEPS


@pytest.mark.promise("RALU Temporal Acceleration")
@every_method
@pytest.mark.parametrize(
    "error", [comfy.model_management.InterruptProcessingException, RuntimeError]
)
def test_a_broken_run_leaves_no_trace(model, runs, settings, error):
    fast = accelerated(model, settings)
    expected = sample(fast)
    calls = []

    def fail(_module, _args):
        calls.append(1)
        if len(calls) == 4:
            raise error()

    network = model.model.diffusion_model
    handle = network.final_layer.register_forward_pre_hook(fail)
    with pytest.raises(error):
        sample(fast)
    handle.remove()
    assert not runs.states[-1]._tracks
    assert torch.equal(sample(fast), expected)


@pytest.mark.promise("RALU Temporal Acceleration")
def test_toca_computes_exactly_its_share(model, runs):
    blocks = BlockCalls(model)
    sample(accelerated(model, Acceleration(method="ToCa", interval=4, warm_up=1, cached_ratio=0.9)))
    assert runs.patterns == ["FpppFppp"]
    assert blocks.tokens == [64, 6, 6, 6, 64, 6, 6, 6]


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("dual", [False, True])
def test_toca_that_computes_all_tokens_changes_nothing_but_rounding(flux, dual):
    """SD3.5 Medium's second attention has image tokens only."""
    model = tiny.load_model(tiny.sd3_weights(seed=2, dual_attention=True)) if dual else flux
    all_tokens = Acceleration(method="ToCa", interval=4, warm_up=1, cached_ratio=1e-6)
    difference = sample(accelerated(model, all_tokens)) - sample(model)
    assert difference.abs().max() < 1e-4


@pytest.mark.promise("RALU Temporal Acceleration")
def test_teacache_always_computes_first_and_last_step(model, vae, runs):
    in_stages(accelerated(model, Acceleration(method="TeaCache", threshold=10.0)), vae)
    assert runs.patterns == ["FssF", "FsssF", "FssssF"]


@pytest.mark.promise("RALU Temporal Acceleration")
def test_higher_order_is_closer_on_a_smooth_path(flux):
    """Tiny steps: a random network's embedding of sigma has periods of 0.006."""
    sigmas = torch.linspace(0.5, 0.498, 13)
    exact = sample(flux, sigmas=sigmas)
    errors = [
        (sample(accelerated(flux, order=order), sigmas=sigmas) - exact).norm().item()
        for order in (0, 1, 2)
    ]
    assert errors[0] > 2 * errors[1] > 2 * errors[2]


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize(
    ("settings", "shares"),
    [
        (Acceleration(interval=3, warm_up=2), (2 / 4, 3 / 5, 3 / 6)),
        (METHODS["Delta-DiT"], (3 / 4, 4 / 5, 3 / 4)),
        (METHODS["ToCa"], (2.6 / 4, 3.6 / 5, 3.9 / 6)),
        (IDLE["interval 1"], (1, 1, 1)),
    ],
)
def test_a_staged_run_reports_what_share_it_computed(flux, vae, caplog, settings, shares):
    """Else half of the steps, skipped in stage 3, would pass for a plain step's speed."""
    caplog.set_level("INFO")
    report = staged_report(accelerated(flux, settings), vae)
    assert [stage.share for stage in report.stages] == pytest.approx(shares)
    whole = staged_report(flux, vae)
    assert report.full_step_equivalents() == pytest.approx(
        sum(
            share * stage.steps * report.cost.flops(max(stage.tokens)) / report.cost.flops(256)
            for share, stage in zip(shares, whole.stages, strict=True)
        )
    )
    last = report.stages[-1]
    assert report.seconds_per_full_step() == pytest.approx(last.seconds / 6 / shares[-1])
    assert ("computed) in" in report.summary()) == (shares[0] < 1)


@pytest.mark.promise("RALU Temporal Acceleration")
def test_the_node_reports_what_it_did(model, caplog):
    caplog.set_level("INFO")
    out = TemporalAcceleration.execute(model, "TaylorSeer", 3, 1, 2, 0.25)
    sample(out.args[0], sigmas=SIGMAS)
    assert "TaylorSeer: 4 of 8 network calls computed, 4 skipped (FFssFssF); caches" in caplog.text
