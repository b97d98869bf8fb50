"""Second-order steps inside the host, and plans on the seed's own noise, beside the core's."""

from __future__ import annotations

import logging
from collections import Counter

import comfy.sample
import comfy.samplers
import pytest
import torch
from accelerating import METHODS, accelerated
from in_core import SIZE, assert_near, denoiser, run, shift_of, steps_of_second_order, white
from limits import guider, native
from own_memory_device import separate_device
from wires import PROMPT, WIRES

from driving import ralu
from lab.models import tiny
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.sampling.watch import StageRecord
from ralu_pack.nodes.host.showing.report import RunReport
from ralu_pack.ralu_core import CallCost, Source
from ralu_pack.ralu_core import sample as core_sample
from ralu_pack.ralu_core.growth.enlarged import Enlarged
from ralu_pack.ralu_core.growth.enlarger import Enlarger
from ralu_pack.ralu_core.plans import early, own_noise, plain


def enlarged(model) -> Enlarged:
    """Some map for its latents."""
    channels, draw = inspect_model(model).space.channels, torch.Generator().manual_seed(8)
    weights = torch.randn(4 * channels, 9 * channels, generator=draw) / (9 * channels) ** 0.5
    return Enlarged(Enlarger(weights, torch.randn(4 * channels, generator=draw)))


def in_core(model, plan, cfg: float = 1.0) -> torch.Tensor:
    """The same run, its crossings, memory and steps by the core's own sampler."""
    space = inspect_model(model).space
    source = Source.from_noise(white(model), space.patch)
    x = core_sample(denoiser(model, cfg), None, source, plan, 7).x
    return model.model.process_latent_out(space.leave(x))


@pytest.mark.parametrize("growth", ["dct", "pixel", "enlarger"])
def test_a_run_on_its_own_noise_is_the_cores(any_model, growth):
    growth = enlarged(any_model) if growth == "enlarger" else growth
    plan = own_noise(shift_of(any_model), (2, 3), growth=growth)
    samples, _ = ralu(any_model, None, SIZE, cfg=3.0, schedule=plan)
    assert_near(samples, in_core(any_model, plan, 3.0))


@pytest.mark.parametrize("settles", [0.0, 0.5, 1.0])
def test_plain_steps_of_second_order_are_the_cores(any_model, settles):
    plan = plain(shift_of(any_model), (4,), order=2, settles=settles)
    samples, _ = ralu(any_model, None, SIZE, schedule=plan)
    assert_near(samples, in_core(any_model, plan))
    x = inspect_model(any_model).space.leave(white(any_model))
    sigmas = torch.tensor(plan.stages[0].sigmas)
    alone = native(guider(any_model, cfg=1.0), x, sampler=steps_of_second_order(), sigmas=sigmas)
    assert torch.equal(samples, alone) is (settles == 0)


def test_eulers_place_is_taken_and_no_others(flux, caplog):
    plan = own_noise(shift_of(flux), (2, 2))
    caplog.set_level(logging.INFO)
    euler, chosen = (run(flux, one, plan) for one in ("euler", steps_of_second_order()))
    assert torch.equal(euler, chosen) and "made for steps of second order" not in caplog.text
    churned = comfy.samplers.ksampler("euler", {"s_noise": 1.0})  # with something set on it
    for name, sampler in (("heun", "heun"), ("euler", churned)):
        assert not torch.equal(run(flux, sampler, plan), euler)
        told = f"; steps are those of {name}, and the plan was made for steps of second "
        assert f"{told}order: choose ComfyUI's own euler" in caplog.text


def test_in_a_plan_of_first_order_euler_stays(flux):
    plan = own_noise(shift_of(flux), (2, 2), order=1)
    assert not torch.equal(run(flux, "euler", plan), run(flux, steps_of_second_order(), plan))


def test_each_picture_of_a_batch_is_as_alone(model):
    plan = own_noise(shift_of(model), (2, 2))
    both, _ = ralu(model, None, SIZE, batch=2, schedule=plan)
    space = inspect_model(model).space
    second = {"samples": space.leave(torch.zeros(1, 16, 16, 24)), "batch_index": [1]}
    alone, _ = ralu(model, None, SIZE, latent=second, schedule=plan)
    assert_near(both[1:], alone)


@pytest.mark.parametrize("denoise", [1.0, 0.9, 0.5])
@pytest.mark.parametrize(("steps_of", "cfg"), [(own_noise, 1.0), (early, 1.0), (early, 5.0)])
def test_an_inpaint_mask_keeps_what_it_covers(model, denoise, steps_of, cfg):
    latent = torch.randn(1, 16, 16, 24, generator=torch.Generator().manual_seed(4))
    mask = torch.zeros(1, 1, 16, 24)
    mask[..., :12] = 1
    plan = steps_of(shift_of(model))
    given = {"samples": latent, "noise_mask": mask}
    samples, _ = ralu(model, None, SIZE, latent=given, cfg=cfg, schedule=plan, denoise=denoise)
    torch.testing.assert_close(samples[..., 12:], latent[..., 12:], atol=1e-5, rtol=0)
    assert (samples[..., :12] - latent[..., :12]).abs().mean() > 0.1


@pytest.mark.parametrize("settles", [0.0, 0.5])
@pytest.mark.parametrize("cfg", [1.0, 5.0])
def test_under_a_mask_that_keeps_nothing_two_stages_run_as_without(model, cfg, settles):
    plan = plain(shift_of(model), (5,), order=2, guided_above=0.9, settles=settles)
    assert len(plan.stages) == 2 and all(stage.steps > 1 for stage in plan.stages)
    latent = {"samples": torch.zeros(1, 16, 16, 24)}
    bare, _ = ralu(model, None, SIZE, latent=latent, cfg=cfg, schedule=plan)
    masked = {**latent, "noise_mask": torch.ones(1, 1, 16, 24)}
    samples, _ = ralu(model, None, SIZE, latent=masked, cfg=cfg, schedule=plan)
    assert_near(samples, bare)


def test_nothing_but_the_noise_of_the_seed_is_needed(flux):
    """Two runs of the same seed are alike, another seed is another picture."""
    plan = own_noise(shift_of(flux), (2, 2))
    one, again, other = (ralu(flux, None, SIZE, seed=s, schedule=plan)[0] for s in (7, 7, 8))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_guidance_is_left_out_where_the_plan_says_so(model, caplog):
    """At full size as if cfg were 1, at half size as ever; the report counts what was called."""
    caplog.set_level(logging.INFO)
    shift = shift_of(model)
    saving = plain(shift, (4,), order=2, guided_above=0.9)
    calls = []

    def count(function, given):
        calls.append(given["input"].shape[0])
        return function(given["input"], given["timestep"], **given["c"])

    counted = model.clone()
    counted.set_model_unet_function_wrapper(count)
    samples, _ = ralu(counted, None, SIZE, cfg=4.0, schedule=saving)
    guided = len(saving.stages[0].sigmas) - 1
    assert calls == [2] * guided + [1] * (4 - guided) and 0 < guided < 4
    whole, _ = ralu(model, None, SIZE, cfg=4.0, schedule=plain(shift, (4,), order=2))
    assert not torch.equal(samples, whole)


def test_the_report_counts_what_guidance_costs():
    stages = [StageRecord(1, "half", "", 4, [64], rows=2), StageRecord(2, "full", "", 6, [256])]
    stages[1].seconds = 6.0
    cost = CallCost(blocks=2, width=64, text_tokens=8)
    report = RunReport(stages, 7.0, cost, (8, 8), rows=2)
    half, full = cost.flops(64), cost.flops(256)
    assert report.full_step_equivalents() == pytest.approx((4 * 2 * half + 6 * full) / (2 * full))
    assert report.seconds_per_full_step() == pytest.approx(2.0)  # of two calls of 1 s each


def test_a_run_says_which_plan_it_took(flux, caplog):
    caplog.set_level(logging.INFO)
    run(flux, "euler", plain(shift_of(flux), (2,), order=2), edge_detector="auto")
    assert caplog.text.rstrip().endswith("; plan: second order 2")


def test_a_guider_with_a_way_of_its_own_is_named(flux, caplog):
    caplog.set_level(logging.INFO)

    class Own(comfy.samplers.CFGGuider):
        def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006
            return super().predict_noise(x, timestep, model_options, seed)

    own = Own(flux)
    own.set_conds(tiny.conditioning(5), tiny.conditioning(6))
    own.set_cfg(3.0)
    run(flux, "euler", own_noise(shift_of(flux), (1, 1), guide_full=False), guider=own)
    assert "GUIDER Own has a way of its own, which stays on" in caplog.text


@pytest.mark.parametrize("family", ["flux", "sd3"])
def test_its_steps_wait_no_more_often_for_the_device(request, family):
    with separate_device() as device:
        model = tiny.load_model(request.getfixturevalue(f"{family}_weights"))
        shift = shift_of(model)

        def waits(plan) -> Counter:
            del device.waits[:]
            ralu(model, None, SIZE, schedule=plan)
            return Counter(device.waits)

        waits(own_noise(shift, (2, 2)))  # loads the model
        both = waits(own_noise(shift, (3, 3))) - waits(own_noise(shift, (2, 2)))
        of_euler = waits(plain(shift, (3,))) - waits(plain(shift, (2,)))
        assert of_euler and both == of_euler + of_euler


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_what_is_wired_in_counts(flux, vae, wire):
    def samples(**options) -> torch.Tensor:
        options = {"positive": PROMPT, "schedule": own_noise(3.158193, (2, 2)), **options}
        return ralu(flux, vae, **options)[0]

    wired = samples(**wire(flux, vae))
    bare = samples(batch=len(wired))
    assert torch.isfinite(wired).all() and (wired - bare).abs().max() > 1e-3


@pytest.mark.parametrize("settings", METHODS.values(), ids=METHODS)
def test_steps_are_skipped_as_in_other_stages(flux, settings):
    plan = own_noise(shift_of(flux), (4, 6))
    skipped, _ = ralu(accelerated(flux, settings), None, SIZE, schedule=plan)
    whole, _ = ralu(flux, None, SIZE, schedule=plan)
    assert torch.isfinite(skipped).all() and not torch.equal(skipped, whole)
    assert (skipped - whole).abs().mean() < 0.5 * whole.std()
