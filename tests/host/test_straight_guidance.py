"""Guidance that goes on straight in second-order steps, as in the core; what it leaves alone."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from in_core import (
    SIZE,
    assert_near,
    denoiser,
    run,
    shift_of,
    steps_of_second_order,
    white,
    with_stages,
)
from limits import guider, native

from driving import ralu
from lab.models import guiders, tiny
from lab.models.guiders import dual
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.ralu_core import Source
from ralu_pack.ralu_core import sample as core_sample
from ralu_pack.ralu_core.latents.states import Guided
from ralu_pack.ralu_core.plans import Plan, early_own, plain
from ralu_pack.ralu_core.steps import Steps

OPTIONS = ("straight_guidance", "restrained", "corrected")


def straight(shift: float, steps: int = 5, guided_above: float = 0.0, **changes: bool) -> Plan:
    plan = plain(shift, (steps,), order=2, guided_above=guided_above)
    return with_stages(plan, straight_guidance=True, **changes)


PLANS = {
    "whole": straight,
    "guided above": partial(straight, guided_above=0.9),
    "two sizes": partial(early_own, steps=(2, 3)),
    "corrected": partial(straight, corrected=True),
}


@pytest.mark.parametrize("name", PLANS)
def test_guidance_goes_straight_as_in_the_core(any_model, name):
    """In the core by estimates at cfg 7 and at cfg 1, in the host by what its guider tells."""
    plan = PLANS[name](shift_of(any_model))
    bent = with_stages(plan, straight_guidance=False)
    with_cfg, without = denoiser(any_model, 7.0), denoiser(any_model, 1.0)
    levels_guided = {s for stage in plan.stages if stage.guided for s in stage.sigmas[:-1]}

    def denoise(x: torch.Tensor, sigma: float, layout=None) -> torch.Tensor | Guided:
        unguided = without(x, sigma)
        return Guided(with_cfg(x, sigma), unguided) if sigma in levels_guided else unguided

    space = inspect_model(any_model).space
    source = Source.from_noise(white(any_model), space.patch)
    x = core_sample(denoise, None, source, plan, 7).x
    samples, _ = ralu(any_model, None, SIZE, cfg=7.0, schedule=plan)
    assert_near(samples, any_model.model.process_latent_out(space.leave(x)))
    other, _ = ralu(any_model, None, SIZE, cfg=7.0, schedule=bent)
    assert (samples - other).abs().max() > 1e-2 * samples.std()


@pytest.mark.parametrize("cfg", [1.0, 7.0])
@pytest.mark.parametrize("settles", [False, True])
@pytest.mark.parametrize(
    "asked_for",
    [(), ("straight_guidance",), ("straight_guidance", "restrained"), ("corrected",), OPTIONS],
)
def test_the_samplers_options_are_the_plans(model, cfg, settles, asked_for):
    """Alone on the host's own sampling, and as the SAMPLER of a plan that asks for none of them."""
    options = {name: name in asked_for for name in OPTIONS}
    bare = plain(shift_of(model), (4,), order=2)
    plan = with_stages(bare, settles=float(settles), **options)
    asked = steps_of_second_order(last_step_euler=settles, **options)
    samples, _ = ralu(model, None, SIZE, cfg=cfg, schedule=plan)
    sigmas, x = torch.tensor(plan.stages[0].sigmas), white(model)
    assert_near(samples, native(guider(model, cfg=cfg), x, sampler=asked, sigmas=sigmas))
    empty = {"samples": torch.zeros(1, 16, *(side // 8 for side in SIZE))}
    as_asked = run(model, asked, bare, guider=guider(model, cfg=cfg), latent_image=empty)
    assert_near(samples, as_asked)
    plainly, _ = ralu(model, None, SIZE, cfg=cfg, schedule=bare)
    changing = set(asked_for) - ({"straight_guidance"} if cfg == 1 else set())
    is_plain = not settles and not changing
    assert torch.allclose(samples, plainly, atol=1e-5) is is_plain


def test_straight_guidance_leaves_other_patches_and_the_model_alone(model):
    """Another node's filter after cfg is heard, and nothing stays behind."""
    plan = straight(shift_of(model), 4)
    before, _ = ralu(model, None, SIZE, cfg=7.0, schedule=plan)
    halved, heard = model.clone(), []

    def halve(told):
        heard.append(told["sigma"])
        return (told["denoised"] + told["cond_denoised"]) / 2

    halved.set_model_sampler_post_cfg_function(halve)
    filtered, _ = ralu(halved, None, SIZE, cfg=7.0, schedule=plan)
    weaker, _ = ralu(model, None, SIZE, cfg=4.0, schedule=plan)
    assert len(heard) == 4
    assert_near(filtered, weaker)
    assert halved.model_options["sampler_post_cfg_function"] == [halve]
    again, _ = ralu(model, None, SIZE, cfg=7.0, schedule=plan)
    assert torch.equal(again, before)


def test_a_cache_that_answers_for_the_model_gets_eulers_step(model):
    """It skips the guidance that would be heard, and no step compares what is not alike."""
    plan = straight(shift_of(model))
    asked, kept = [], []

    def repeat(executor, *args, **kwargs):
        asked.append(1)
        if len(asked) != 3:
            kept[:] = [executor(*args, **kwargs)]
        return kept[0]

    cached = model.clone()
    cached.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "a cache", repeat)
    samples, _ = ralu(cached, None, SIZE, cfg=7.0, schedule=plan)
    with_cfg, without = denoiser(model, 7.0), denoiser(model, 1.0)
    x, before, denoised = white(model), None, None
    for step, (sigma, following) in enumerate(pairwise(plan.stages[0].sigmas), 1):
        if step == 3:
            x, before = x + (following - sigma) * (x - denoised) / sigma, None
            continue
        denoised, slope = with_cfg(x, sigma), (x - without(x, sigma)) / sigma
        turn = 0.0 if before is None else (slope - before[1]) / (2 * (sigma - before[0]))
        before = sigma, slope
        velocity = (x - denoised) / sigma
        x = x + (following - sigma) * (velocity + (following - sigma) * turn)
    assert_near(samples, model.model.process_latent_out(x))


def perp_neg(model):
    return guiders.perp_neg(model, cfg=(7.0, 1.0))


def overridden(model):
    """Guided by a node, though the GUIDER's own cfg is 1."""

    def at_cfg(executor, *args, **kwargs):
        executor.class_obj.cfg = 7.0
        try:
            return executor(*args, **kwargs)
        finally:
            executor.class_obj.cfg = 1.0

    patched = model.clone()
    patched.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "override", at_cfg)
    return guider(patched, cfg=1.0)


@pytest.mark.parametrize("made", [perp_neg, dual, overridden])
def test_any_guidance_that_is_told_goes_straight(model, made):
    """In a plan's stage as with the SAMPLER alone in the host."""
    plan = straight(shift_of(model), 4)
    bent = with_stages(plan, straight_guidance=False)
    empty = {"samples": torch.zeros(1, 16, *(side // 8 for side in SIZE))}

    def in_plan(plan, sampler="euler"):
        return run(model, sampler, plan, guider=made(model), latent_image=empty)

    asked = steps_of_second_order(straight_guidance=True)
    sigmas = torch.tensor(plan.stages[0].sigmas)
    alone = native(made(model), white(model), sampler=asked, sigmas=sigmas)
    assert_near(in_plan(plan), alone)
    assert_near(in_plan(bent, asked), alone)
    assert (in_plan(bent) - alone).abs().max() > 1e-2 * alone.std()


class Silent(comfy.samplers.CFGGuider):
    """Tells no hook of its guidance, before some noise level if one is set."""

    until = 0.0

    def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006
        if timestep[0] < self.until:
            return super().predict_noise(x, timestep, model_options, seed)
        conds = [self.conds["negative"], self.conds["positive"]]
        args = (self.inner_model, conds, x, timestep, model_options)
        without, prompted = comfy.samplers.calc_cond_batch(*args)
        return without + 7.0 * (prompted - without)


@pytest.mark.parametrize("until", [0.0, 0.8])
def test_guidance_bends_with_the_rest_until_it_is_told(model, until):
    """Of one that is never told, all; else it goes on as a run that begins there."""
    plan = straight(shift_of(model))
    bent = with_stages(plan, straight_guidance=False)
    empty = {"samples": torch.zeros(1, 16, *(side // 8 for side in SIZE))}

    def sampled(plan):
        made = Silent(model)
        made.until = until
        made.set_conds(tiny.conditioning(5), tiny.conditioning(6))
        made.set_cfg(7.0)
        return run(model, "euler", plan, guider=made, latent_image=empty)

    if until == 0:
        assert torch.equal(sampled(bent), sampled(plan))
        return
    with_cfg, without = denoiser(model, 7.0), denoiser(model, 1.0)
    x, rules = white(model), (Steps(2), Steps(2))
    for sigma, following in pairwise(plan.stages[0].sigmas):
        told = sigma < until
        unguided = without(x, sigma) if told else None
        x = rules[told].take(x, with_cfg(x, sigma), sigma, following, unguided=unguided)
    assert_near(sampled(plan), model.model.process_latent_out(x))


def test_an_estimate_of_no_prompt_is_not_taken_for_one(model):
    """DualCFG without guidance asks the model once, and tells zeros of the prompt it left out."""
    plan = straight(shift_of(model), 4)
    made = dual(model)
    made.set_cfg(1.0, 1.0)
    plainly = comfy.samplers.CFGGuider(model)
    plainly.original_conds = {"positive": made.original_conds["positive"]}
    assert_near(run(model, "euler", plan, guider=made), run(model, "euler", plan, guider=plainly))
