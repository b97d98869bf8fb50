"""RALU on a MODEL wire: the samplers of other nodes run the plan. Every equality is of bytes."""

from __future__ import annotations

import comfy.hooks
import comfy.sample
import comfy.samplers
import comfy.sd
import numpy as np
import pytest
import torch
from accelerating import accelerated
from applying import (
    EULER,
    SIDE,
    cfg_of,
    custom,
    empty,
    ksampler,
    on,
    picture,
    quickly,
    sampler_node,
)
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_custom_sampler import (
    Noise_EmptyNoise,
)
from wires import controlled

from driving import advanced, guider_for, lora, plain, schedule_for
from lab.models import tiny
from ralu_pack.nodes.host import apply

PROMISE = "RALU on the MODEL of KSampler, SamplerCustomAdvanced and detailers"
pytestmark = pytest.mark.promise(PROMISE)


def put_on(model) -> dict:
    """What a MODEL's options hold of wrappers."""
    return model.model_options["transformer_options"]["wrappers"]


@pytest.mark.parametrize("quality", ["fine", "balanced", "draft"])
def test_a_ksampler_runs_the_dials_plan(model, quality):
    chosen = {"quality": quality, "schedule": None}
    assert torch.equal(ksampler(on(model, **chosen), steps=30), sampler_node(model, **chosen))


def test_a_ksampler_is_a_ralu_sampler(model, vae):
    chosen = {"quality": "paper", "schedule": None}
    with_vae = ksampler(on(model, vae=vae, **chosen), steps=30)
    assert torch.equal(with_vae, sampler_node(model, vae, edge_detector="canny", **chosen))
    without = ksampler(on(model, **chosen), steps=30)
    latent_gradient = sampler_node(model, edge_detector="latent_gradient", **chosen)
    assert torch.equal(without, latent_gradient) and not torch.equal(with_vae, without)


def test_sampler_custom_advanced_is_ralu_sampler_advanced(model, vae):
    samples, denoised = custom(quickly(model, vae=vae), cfg=cfg_of(model))
    expected = advanced(
        model,
        guider=guider_for(model, cfg_of(model)),
        latent_image=empty(),
        schedule=schedule_for(model),
        vae=vae,
        edge_detector="canny",
    )
    assert torch.equal(samples, expected.args[0]["samples"])
    assert torch.equal(denoised, expected.args[1]["samples"])


def test_the_last_estimate_that_is_told_is_the_picture(model):
    """Which detailers of the Impact Pack take it for."""
    samples, denoised = custom(on(model), latent=empty(side=16))
    torch.testing.assert_close(denoised, samples, rtol=0, atol=1e-5)


WIRES = {
    "batch": lambda model, vae: {"latent": empty(2)},
    "inpaint mask": lambda model, vae: {"latent": {"samples": picture(), "noise_mask": _mask()}},
    "ControlNet": controlled,
    "LoRA hook": lambda model, vae: {"positive": _hooked(model)},
    "two calls a step": lambda model, vae: {"sampler_name": "heun"},
}


def _mask() -> torch.Tensor:
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., 16:48, 16:48] = 1
    return mask


def _hooked(model) -> list:
    hooks = comfy.hooks.create_hook_lora(lora(model), 1.0, 0.0)
    return comfy.hooks.set_hooks_for_conditioning(tiny.conditioning(5), hooks)


@pytest.mark.parametrize("wire", WIRES)
def test_what_is_wired_goes_on_working(flux, vae, wire):
    expected = sampler_node(flux, vae, **WIRES[wire](flux, vae))
    given = WIRES[wire](flux, vae)
    if "sampler_name" in given:
        given["sampler"] = given.pop("sampler_name")
    assert torch.equal(ksampler(quickly(flux, vae=vae), **given), expected)


def test_patches_before_and_after_the_node_run_in_every_stage(flux):
    """A LoRA, the acceleration, and a wrapper of another pack."""
    stages = []

    def note(executor, noise, *args, **kwargs):
        stages.append(tuple(noise.shape[-2:]))
        return executor(noise, *args, **kwargs)

    patched, _ = comfy.sd.load_lora_for_models(flux, None, lora(flux), 1.0, 0.0)
    patched = accelerated(patched, warm_up=1, interval=2)
    expected = sampler_node(patched)
    before = patched.clone()
    before.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "another", note)
    after = quickly(patched)
    after.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "another", note)
    for one in (quickly(before), after):
        stages.clear()
        assert torch.equal(ksampler(one), expected)
        assert stages == [(SIDE // 2, SIDE // 2), (SIDE, SIDE), (SIDE, SIDE)]


def test_denoise_begins_where_the_sampler_begins(flux, vae):
    latent = {"samples": picture()}
    samples = ksampler(quickly(flux, vae=vae), latent, denoise=0.8)
    expected = sampler_node(flux, vae, latent, denoise=0.8)
    torch.testing.assert_close(samples, expected, atol=1e-3, rtol=0)
    assert not torch.equal(samples, sampler_node(flux, vae, latent, denoise=0.7))


def test_a_partial_run_leaves_its_noise_to_the_next(model):
    """Two samplers that meet at a level of the plan make the picture of one."""
    plan = schedule_for(model, steps=(2, 2, 4))
    ralu = on(model, schedule=plan)
    meet = plan.stages[-1].sigmas[2]
    first, _ = custom(ralu, torch.linspace(1, meet, 21))
    second, _ = custom(ralu, torch.linspace(meet, 0, 21), Noise_EmptyNoise(), {"samples": first})
    torch.testing.assert_close(second, custom(ralu)[0], atol=1e-3, rtol=0)


def test_ksampler_advanced_hands_over_its_noise(flux, caplog):
    ralu = quickly(flux)
    with caplog.at_level("INFO"):
        first = ksampler(ralu, last_step=16)
        rest = {"disable_noise": True, "force_full_denoise": True, "start_step": 16}
        done = ksampler(ralu, {"samples": first}, **rest)
    assert "RALU 6 steps" in caplog.text and "RALU sampled plainly" not in caplog.text
    assert "the noise of another sampler's run, so that it takes its share of steps," in caplog.text
    assert torch.isfinite(done).all() and done.std() > 0.1
    sigma = float(flux.get_model_object("model_sampling").percent_to_sigma(0.8))
    noisy = first - ksampler(flux, {"samples": first}, **rest)
    assert 0.2 < noisy.std() / (sigma / (1 - sigma) / 0.3611) < 2.0


def test_a_detailer_samples_its_crop(flux):
    """As detailers do: a crop, enlarged, with its own mask and little denoise."""
    crop = {"samples": picture(side=96)[..., 16:80, 32:96], "noise_mask": _mask()}
    samples = ksampler(quickly(flux), crop, denoise=0.5)
    expected = sampler_node(flux, latent=crop, denoise=0.5)
    torch.testing.assert_close(samples, expected, atol=1e-3, rtol=0)
    outside = torch.equal(samples[..., :8, :8], crop["samples"][..., :8, :8])
    assert outside or (samples - crop["samples"])[..., :8, :8].abs().max() < 1e-5


def test_wrappers_with_masks_can_be_looked_for_in_a_list(flux):
    (first,), (second,) = (
        put_on(on(flux, region_mask=torch.ones(1, 8, 8)))[apply.KIND][apply.APPLIED]
        for _ in range(2)
    )
    assert first != second and first in [second, first]


def test_the_last_ralu_counts(flux, caplog):
    twice = quickly(on(flux, quality="draft"))
    assert torch.equal(ksampler(twice), ksampler(quickly(flux)))
    assert "RALU replaces the RALU node in front of it" in caplog.text
    assert torch.equal(sampler_node(on(flux, quality="draft")), sampler_node(flux))
    assert "RALU node in front of it does nothing" in caplog.text


def test_callbacks_count_the_samplers_own_steps_at_full_size(flux):
    seen = []
    quickly_flux = quickly(flux)
    guider_for(quickly_flux).sample(
        picture(),
        torch.zeros(1, 16, SIDE, SIDE),
        EULER,
        torch.linspace(1, 0, 21),
        callback=lambda step, x0, x, total: seen.append((step, x0.shape, x.shape, total)),
        disable_pbar=True,
        seed=7,
    )
    steps = [step for step, *_ in seen]
    assert steps == sorted(steps) and steps[-1] == 19 and len(steps) == 6
    assert steps[1] < 4  # half-size steps are little work
    assert {(x0, x, total) for _, x0, x, total in seen} == {
        ((1, 16, SIDE, SIDE), (1, 16, SIDE, SIDE), 20)
    }


def test_each_picture_of_a_batch_keeps_what_its_own_mask_covers(flux):
    """Newer hosts repeat a mask over channels, which are no masks of other pictures."""
    pair, masks = torch.cat([picture(9, 32), picture(10, 32)]), torch.ones(2, 1, 32, 32)
    kept = slice(16), slice(16, None)
    for mask, side in zip(masks, kept, strict=True):
        mask[..., side] = 0
    out = ksampler(on(flux), {"samples": pair, "noise_mask": masks})
    for one, before, side in zip(out, pair, kept, strict=True):
        torch.testing.assert_close(one[..., side], before[..., side], rtol=0, atol=1e-5)
        assert not torch.equal(one, before)


def test_nothing_stays_on_the_model(model):
    before = plain(model, picture(), cfg=cfg_of(model))
    keys = set(model.model.diffusion_model.__dict__), set(model.model.__dict__)
    patched = quickly(model)
    ksampler(patched)
    assert list(put_on(patched)) == [WrappersMP.OUTER_SAMPLE] and patched.object_patches == {}
    assert model.model_options == {"transformer_options": {}}
    assert patched.wrappers == model.wrappers == {} and model.object_patches == {}
    assert (set(model.model.diffusion_model.__dict__), set(model.model.__dict__)) == keys
    assert torch.equal(before, plain(model, picture(), cfg=cfg_of(model)))


@pytest.mark.parametrize("call", [1, 3, 5])
def test_an_interrupt_in_any_stage_leaves_nothing(flux, call):
    patched, calls = quickly(flux), []
    expected = ksampler(patched)

    def stop(executor, *args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            comfy.model_management.interrupt_current_processing()
        return executor(*args, **kwargs)

    stopped = patched.clone()
    stopped.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "test", stop)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        ksampler(stopped)
    assert len(calls) == call
    assert torch.equal(ksampler(patched), expected)


@pytest.mark.parametrize(
    "numbers", [[2], [0, 0], [3, 1], [0, 1], np.array([3, 1]), torch.tensor([3, 1])], ids=str
)
def test_a_picture_of_a_batch_is_the_same_alone(flux, numbers):
    """By the numbers that Latent From Batch and Latent Batch Seed Behavior give, as RALU Sampler
    reads them; the wrapper of a sampler is told none."""
    latent = {**empty(len(numbers)), "batch_index": numbers}
    samples = ksampler(quickly(flux), latent=latent)
    expected = sampler_node(flux, latent=latent, edge_detector="latent_gradient")
    assert torch.equal(samples, expected)


def test_numbers_are_found_in_noise_of_less_precision():
    """As newer hosts round what they drew for such a latent."""
    noise = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(7))
    assert apply.numbers_of(noise.half(), 7) == [0, 1]


def test_a_seed_of_another_kind_of_whole_number_is_that_seed(flux):
    """As numpy's, which nodes that count make, and negative ones, as torch counts them; what runs
    plainly needs none at all."""
    latent = {**empty(2), "batch_index": [3, 1]}
    noise = comfy.sample.prepare_noise(latent["samples"], 7, latent["batch_index"])

    def sampled(model, seed, steps=20):
        sigmas = torch.linspace(1, 0, steps + 1)
        guider = guider_for(model)
        return guider.sample(noise, latent["samples"], EULER, sigmas, seed=seed)

    assert torch.equal(sampled(quickly(flux), np.int64(7)), sampled(quickly(flux), 7))
    assert apply._seed(-1, noise) == 2**64 - 1
    with pytest.raises(ValueError, match=r"a whole number, got 7\.5"):
        sampled(quickly(flux), 7.5)
    assert torch.equal(sampled(on(flux), 7.5, steps=3), sampled(flux, 7.5, steps=3))


def test_numbers_are_looked_for_where_noise_is_drawn_alone(flux, monkeypatch):
    """Up to 64 draws of a picture's size: too many for a run that adds no noise."""
    asked = []
    monkeypatch.setattr(apply, "numbers_of", lambda *given: asked.append(given))
    ksampler(on(flux))
    assert not asked
    ksampler(quickly(flux))
    assert len(asked) == 1
