"""Runs that several samplers share, prompts that none reads, and shifts that a node sets."""

from __future__ import annotations

import re

import comfy.samplers
import pytest
import torch
from applying import custom, empty, ksampler, on
from comfy.patcher_extension import WrappersMP
from comfy.samplers import SchedulerHandler
from comfy_extras.nodes_advanced_samplers import SamplerEulerCFGpp
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise
from comfy_extras.nodes_model_advanced import ModelSamplingSD3

from driving import advanced
from lab.models import tiny
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.own_run import OwnRun
from ralu_pack.nodes.host.planning import planned
from ralu_pack.nodes.host.request import Settings
from ralu_pack.nodes.host.shared_runs import steps_of_whole
from ralu_pack.nodes.second_order import SecondOrder
from ralu_pack.ralu_core.latents.frame import Frame

CPU = torch.device("cpu")
# Steps that two samplers take of 20, where one of them stops for the other to go on.
SHARED = {"balanced": (7, 8), "fine": (10, 11)}


def calls(model) -> list[int]:
    counted: list[int] = []
    model.model.diffusion_model.register_forward_pre_hook(lambda *_: counted.append(1))
    return counted


@pytest.mark.parametrize("stop", [5, 10, 15])
@pytest.mark.parametrize("quality", SHARED)
def test_two_samplers_of_one_run_share_its_steps(flux, quality, stop):
    """As KSampler (Advanced) has them: the second begins with the noise that the first left."""
    counted, faster = calls(flux), on(flux, quality=quality)
    half = ksampler(faster, last_step=stop, force_full_denoise=False)
    rest = {"start_step": stop, "disable_noise": True}
    assert torch.isfinite(ksampler(faster, latent={"samples": half}, **rest)).all()
    assert SHARED[quality][0] <= len(counted) <= SHARED[quality][1]


def test_a_picture_sampled_again_has_all_of_them(flux):
    """As KSampler (Advanced) does that adds noise of its own."""
    counted = calls(flux)
    ksampler(on(flux), start_step=10)
    assert len(counted) == 7


@pytest.mark.parametrize("negative", [[], tiny.conditioning(6)], ids=["nothing", "wide"])
@pytest.mark.parametrize("quality", ["balanced", "paper"])
def test_a_negative_prompt_that_no_call_reads(flux, quality, negative):
    wide = [[context.repeat(1, 1, 2), options] for context, options in negative]

    def run(cfg, prompt, sampler="euler"):
        guider = comfy.samplers.CFGGuider(flux)
        guider.set_conds(tiny.conditioning(5), prompt)
        guider.set_cfg(cfg)
        if isinstance(sampler, str):
            sampler = comfy.samplers.sampler_object(sampler)
        given = {"guider": guider, "sampler": sampler, "schedule": None, "quality": quality}
        return advanced(flux, latent_image=empty(), **given).args[0]["samples"]

    assert torch.equal(run(1.0, wide), run(1.0, tiny.conditioning(6)))
    alternative = SamplerEulerCFGpp.execute("alternative").args[0]
    for cfg, sampler in ((2.0, "euler"), (1.0, "euler_cfg_pp"), (1.0, alternative)):
        with pytest.raises(ValueError, match="the negative input"):
            run(cfg, wide, sampler)
    for key in ("ralu_temporal", "lazycache"):  # which change no cfg
        flux.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, key, lambda call, *args: call(*args))
    assert torch.isfinite(run(1.0, wide)).all()
    options = flux.model_options.setdefault("transformer_options", {})
    for held in (options.setdefault("wrappers", {}), flux.wrappers):  # as CFG Override
        added = held.setdefault(WrappersMP.PREDICT_NOISE, {})
        added["other"] = [lambda call, *args: call(*args)]
        with pytest.raises(ValueError, match="the negative input"):
            run(1.0, wide)
        del added["other"]
    flux.model_options["disable_cfg1_optimization"] = True  # as nodes that look at both set it
    with pytest.raises(ValueError, match="the negative input"):
        run(1.0, wide)


@pytest.mark.parametrize("quality", ["paper", "balanced"])
@pytest.mark.parametrize("steps", [(34, 40), (42, 50)])
def test_a_sampler_that_needs_two_steps_has_them_or_its_own(flux, caplog, steps, quality):
    """RALU's own steps of second order, which take its place, need one."""
    caplog.set_level("INFO")
    start, last = steps
    part = {"sampler": "uni_pc", "steps": 50, "start_step": start, "last_step": last}
    part |= {"disable_noise": True, "latent": {"samples": torch.randn(1, 16, 64, 64)}}
    faster, own = ksampler(on(flux, quality=quality), **part), ksampler(flux, **part)
    is_plain = "RALU sampled plainly: this sampler needs 2 steps" in caplog.text
    assert torch.equal(faster, own) is is_plain is (steps == (34, 40) and quality == "paper")


def test_four_steps_of_a_longer_run_take_their_share(flux, caplog):
    caplog.set_level("INFO")
    part = {"steps": 20, "start_step": 12, "last_step": 16, "disable_noise": True}
    ksampler(on(flux), latent={"samples": torch.randn(1, 16, 64, 64)}, **part)
    assert re.search(r"RALU [12] steps? ", caplog.text) and "plainly" not in caplog.text


@pytest.mark.parametrize("shift", [1.0, 1.3, 3.0])
def test_a_shift_that_a_node_sets_tells_no_distilled_model(flux, shift):
    """But that one is none any more, as those who use schnell's fine-tunes set it."""
    schnell, few = tiny.load_model(tiny.flux_weights(guidance=False)), "4-step distilled"
    for model, is_few in ((flux, False), (schnell, True)):
        facts = inspect_model(ModelSamplingSD3().patch(model, shift, 1.0)[0])
        assert facts.shift == pytest.approx(shift)
        is_few = is_few and shift < 1.5
        assert (facts.preset_name == few) is (facts.distilled_steps == 4) is is_few


@pytest.mark.parametrize("quality", ["fine", "draft", "paper"])
def test_many_steps_tell_no_distilled_model(quality):
    """Of a fine-tune of schnell without a node that sets its shift; few leave it one."""
    facts = inspect_model(tiny.load_model(tiny.flux_weights(guidance=False)))
    frame = Frame.of_picture(512, 512, facts.space)
    own = "FLUX 5x" if quality == "paper" else facts.dialled_name(quality)
    few = (
        "4-step distilled" if quality == "paper" else "plain, 3 of 4 steps as for a distilled model"
    )

    def chosen(*run, **more) -> str:
        settings = Settings(quality=quality, own=OwnRun(*run, **more))
        return planned(settings, facts, frame).whole.name

    rest = chosen(5, levels=(0.5, 0.0), continues=quality != "paper")
    assert {rest, chosen(20), chosen(10, 0.5), chosen(20, levels=(1.0, 0.0))} == {own}
    assert {chosen(), chosen(4)} == {few}
    assert chosen(9, levels=(1.0, 0.0)) == few.replace("3 of 4", "7 of 9")


# linear_quadratic begins like many runs of its own, and normal like sgm_uniform of one step less.
UNTOLD = "linear_quadratic", "normal"
TELLING = [name for name in comfy.samplers.SCHEDULER_NAMES if name not in UNTOLD]
# Scheduler, steps of the run, the one where it is parted; calls of each part at balanced.
PARTS = [
    *((name, 8, 4, 3, 3) for name in comfy.samplers.SCHEDULER_NAMES),
    ("karras", 9, 5, 4, 3),
    ("normal", 9, 3, 3, 5),  # of three steps none can be spared
    ("normal", 10, 5, 4, 3),  # not distilled: each takes its share
    ("beta", 10, 5, 5, 3),
    ("karras", 20, 5, 5, 1),
    ("exponential", 20, 12, 7, 1),
]


@pytest.mark.parametrize("sampler", ["euler", "uni_pc"])
@pytest.mark.parametrize(("scheduler", "steps", "stop", "first", "second"), PARTS)
def test_both_parts_know_the_run_that_they_share(
    sd3, scheduler, steps, stop, first, second, sampler
):
    """By its noise levels, which many schedulers spread otherwise than time."""
    counted, faster = calls(sd3), on(sd3)
    given = {"steps": steps, "scheduler": scheduler, "sampler": sampler, "cfg": 1.0}
    half = ksampler(faster, empty(), last_step=stop, force_full_denoise=False, **given)
    assert len(counted) == first, len(counted)
    ksampler(faster, {"samples": half}, start_step=stop, disable_noise=True, **given)
    assert (first, len(counted) - first) == (first, second)


@pytest.mark.parametrize("sampler", ["euler", "uni_pc"])
@pytest.mark.parametrize("scheduler", TELLING)
def test_every_part_tells_of_as_many_steps_as_its_run_has(flux, scheduler, sampler):
    """Also the first, which does not hold the run's end."""
    for steps in (8, 9, 10, 20):
        run = comfy.samplers.KSampler(flux, steps, CPU, sampler, scheduler).sigmas
        sampling = flux.get_model_object("model_sampling")
        given = comfy.samplers.sampler_object(sampler)
        ends = (0, 3), (2, 5), (steps // 2, steps)
        found = {steps_of_whole(sampling, run[a : b + 1], given) for a, b in ends}
        assert found == {steps}, (steps, found)


def test_a_scheduler_of_another_pack_may_fail(sd3, monkeypatch):
    def few(_sampling, steps):
        raise IndexError(steps)

    known = {"broken": SchedulerHandler(few), **comfy.samplers.SCHEDULER_HANDLERS}
    monkeypatch.setattr(comfy.samplers, "SCHEDULER_HANDLERS", known)
    counted = calls(sd3)
    ksampler(on(sd3), steps=8, last_step=4, force_full_denoise=False, cfg=1.0, scheduler="karras")
    assert len(counted) == 3


@pytest.mark.parametrize("scheduler", ["karras", "exponential", "beta", "ddim_uniform", "simple"])
@pytest.mark.parametrize("denoise", [0.02, 0.2, 0.5])
def test_few_steps_over_little_noise_are_three_quarters_of_them(flux, scheduler, denoise, caplog):
    """However low a scheduler puts them."""
    caplog.set_level("INFO")
    counted = calls(flux)
    latent = {"samples": torch.randn(1, 16, 16, 16)}
    out = ksampler(on(flux), latent, steps=8, scheduler=scheduler, denoise=denoise)
    assert out.isfinite().all()
    (own,) = re.findall(r"plain, (\d) of (\d+) steps as for a distilled model", caplog.text)
    assert len(counted) == int(own[0]) and own in (("6", "8"), ("7", "9"))  # ddim_uniform makes 9
    assert "so few steps are taken for a turbo model's: for any other set 10 or more" in caplog.text


LEVELS = torch.tensor([1.0, 0.9, 0.7, 0.5, 0.0])


@pytest.mark.parametrize("side", [0, 32, 64], ids=["all kept", "half kept", "none kept"])
def test_the_last_step_is_eulers_where_the_run_ends(sd3, side):
    """Not where another sampler goes on; and where a mask keeps what is there, which comes back."""
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :side] = 1
    kept = torch.randn(1, 16, 64, 64, generator=torch.Generator().manual_seed(3))

    def run(levels, settles, mask=None):
        sampler = SecondOrder.execute(last_step_euler=settles).args[0]
        latent = {"samples": kept} if mask is None else {"samples": kept, "noise_mask": mask}
        return custom(sd3, levels, Noise_RandomNoise(7), latent, 4.0, sampler)[0]

    for settles in (0.0, 1.0):
        samples = run(LEVELS, settles, mask)
        torch.testing.assert_close(samples[..., side:], kept[..., side:], rtol=0, atol=1e-5)
        if side == 64:
            assert torch.equal(samples, run(LEVELS, settles))
    assert torch.equal(run(LEVELS[:-1], 1.0, mask), run(LEVELS[:-1], 0.0, mask))
    assert torch.equal(run(LEVELS, 1.0, mask), run(LEVELS, 0.0, mask)) is (side == 0)


@pytest.mark.parametrize("quality", ["fine", "balanced", "draft"])
@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_a_mask_that_keeps_nothing_is_none(sd3, quality, cfg):
    masked = empty() | {"noise_mask": torch.ones(1, 1, 512, 512)}
    faster = on(sd3, quality=quality)
    assert torch.equal(ksampler(faster, cfg=cfg), ksampler(faster, latent=masked, cfg=cfg))
