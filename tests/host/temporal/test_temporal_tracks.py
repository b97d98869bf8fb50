"""RALU Temporal Acceleration where rows of one prompt are not the same rows."""

from __future__ import annotations

import gc
from contextlib import nullcontext
from dataclasses import replace

import comfy.samplers
import pytest
import torch
from accelerating import METHODS, SIGMAS, Runs, accelerated, noise, sample
from comfy.patcher_extension import WrappersMP

from driving import guider_for
from lab.models import tiny
from ralu_pack.nodes.host.families.views import OVERRIDE
from ralu_pack.nodes.host.temporal.hooks import guidance_kind
from ralu_pack.nodes.host.temporal.memory import Memory

methods = pytest.mark.parametrize("name", ["TaylorSeer", "ToCa", "TeaCache"])
AREA = (8, 16, 8, 0)  # the lower half, in latent pixels


@pytest.fixture
def runs(monkeypatch):
    return Runs(monkeypatch)


def with_area(prompt: list) -> list:
    (vectors, rest), *_ = prompt
    return [[vectors, {**rest, "area": AREA, "strength": 1.0}]]


def both_sides(model, negative: list) -> torch.Tensor:
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(with_area(tiny.conditioning(5)), negative)
    guider.set_cfg(2.0)
    x = noise()
    euler = comfy.samplers.sampler_object("euler")
    return guider.sample(x, torch.zeros_like(x), euler, SIGMAS, disable_pbar=True, seed=0)


@pytest.mark.promise("RALU Temporal Acceleration")
@methods
def test_an_area_prompts_copy_among_the_negative_is_no_part_of_it(model, runs, name):
    """As where the negative prompt for the area is wired in, so that the host copies none."""
    fast, negative = accelerated(model, METHODS[name]), tiny.conditioning(6)
    wired = both_sides(fast, negative + with_area(negative))
    copied = both_sides(fast, negative)
    assert torch.equal(copied, wired)
    assert runs.patterns[0] == runs.patterns[1] and set("sp") & set(runs.patterns[0])


@pytest.mark.promise("RALU Temporal Acceleration")
@methods
@pytest.mark.parametrize("cfg", [1.0, 2.0])
def test_tiles_are_sampled_as_alone(model, name, cfg):
    """A function wrapper that calls the network for the left half and then for the right one."""

    def tiled(apply_model, options):
        x, t = options["input"], options["timestep"]
        return torch.cat([apply_model(half, t, **options["c"]) for half in x.chunk(2, -1)], -1)

    fast = accelerated(model, METHODS[name])
    wrapped = fast.clone()
    wrapped.set_model_unet_function_wrapper(tiled)
    x = noise()
    alone = torch.cat([sample(fast, x=half, cfg=cfg) for half in x.chunk(2, -1)], -1)
    torch.testing.assert_close(sample(wrapped, x=x, cfg=cfg), alone, atol=1e-4, rtol=0)


@pytest.mark.promise("RALU Temporal Acceleration")
@methods
def test_a_prompt_that_was_left_out_for_some_steps_begins_anew(flux, runs, name):
    leave_out(accelerated(flux, METHODS[name]), 3, 5)
    assert runs.patterns[0][6] == "F"


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("name", ["TaylorSeer", "ToCa"])
def test_a_prompt_that_was_left_out_for_one_step_has_a_warm_up_again(flux, runs, name):
    leave_out(accelerated(flux, METHODS[name]), 2, 2)
    assert runs.patterns[0].replace("p", "s") == "FFsFFssF"


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("name", ["TaylorSeer", "ToCa"])
def test_prompts_one_after_another_are_bounded_one_at_a_time(model, runs, name):
    def run(**bound) -> None:
        fast = accelerated(model, replace(METHODS[name], **bound))
        guider = comfy.samplers.CFGGuider(fast)
        parts = ((5, {"end_percent": 0.5}), (6, {"start_percent": 0.5}))
        prompts = [tiny.conditioning(seed) for seed, _ in parts]
        ranged = [
            [[vectors, {**rest, **part}]]
            for ((vectors, rest),), (_, part) in zip(prompts, parts, strict=True)
        ]
        guider.set_conds(ranged[0] + ranged[1], tiny.conditioning(7))
        guider.set_cfg(1.0)
        x, euler = noise(), comfy.samplers.sampler_object("euler")
        guider.sample(x, torch.zeros_like(x), euler, SIGMAS, disable_pbar=True, seed=0)

    run()
    both = runs.states[0].most
    run(max_memory=0.6 * both / 1e9)
    assert runs.patterns[0] == runs.patterns[1] and runs.states[1].most == both / 2
    with pytest.raises(ValueError, match="max_memory allows"):
        run(max_memory=0.4 * both / 1e9)


def filled() -> int:
    """How many memories hold anything, whoever refers to them."""
    every = [one for one in gc.get_objects() if type(one) is Memory]
    return sum(bool(one.values or one.extra) for one in every)


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("breaks", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_what_is_held_goes_with_its_call_and_waits_for_no_collector(model, name, breaks):
    fast, seen = accelerated(model, METHODS[name]), []

    def look(executor, *args, **more):
        out = executor(*args, **more)
        seen.append(filled())
        if breaks and len(seen) == 4:
            raise InterruptedError
        return out

    fast.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "look", look)
    gc.disable()
    try:
        with pytest.raises(InterruptedError) if breaks else nullcontext():
            sample(fast)
        assert max(seen) > 0 and filled() == 0
    finally:
        gc.enable()


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("name", ["Delta-DiT", "Delta-DiT, first half", "ToCa"])
def test_what_is_held_is_what_was_computed_where_nothing_changes(model, runs, name):
    """The same call three times, also where the held blocks hand the text on to others."""
    outs: list[torch.Tensor] = []

    def note(executor, *args, **more):
        outs.append(executor(*args, **more))
        return outs[-1]

    fast = accelerated(model, METHODS[name])
    fast.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "note", note)
    sample(fast, sigmas=torch.full((4,), 0.5))
    assert len(outs) == 3 and set("sp") & set(runs.patterns[0])
    for out in outs[1:]:
        torch.testing.assert_close(out, outs[0], atol=1e-4, rtol=0)


def test_residuals_of_other_tokens_are_forgotten():
    memory, level = Memory(), torch.ones(1)
    for tokens in (4, 4, 5):
        memory.push(torch.zeros(1, tokens, 2), level, 3)
    assert len(memory.values) == len(memory.sigmas) == 1


def test_guidance_by_another_attention_is_of_another_kind():
    assert guidance_kind({OVERRIDE: guidance_kind}) != guidance_kind({})


def leave_out(model, first: int, last: int) -> None:
    """Sample with cfg 1 in these steps, from 0, where the host leaves the negative prompt out."""
    guider = guider_for(model, cfg=2.0)

    def change_cfg(step, *_):
        guider.set_cfg(1.0 if first <= step + 1 <= last else 2.0)

    x = noise()
    sampler = comfy.samplers.sampler_object("euler")
    options = {"callback": change_cfg, "disable_pbar": True, "seed": 0}
    guider.sample(x, torch.zeros_like(x), sampler, SIGMAS, **options)
