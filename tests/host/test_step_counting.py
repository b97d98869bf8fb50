"""Patches that find their step in the run's noise levels count the steps of the whole run."""

from __future__ import annotations

from itertools import pairwise

import comfy.samplers
import pytest
import torch
from applying import EULER, empty, on
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise, SamplerCustomAdvanced

from driving import guider_for, plain, ralu, schedule_for
from lab.models import tiny
from ralu_pack.ralu_core.plans import ralu as ralu_plan

LONG = ralu_plan((5, 6, 9), (0.8, 0.7, 0.0), (4.4, 2.1, 2.0), 4.0, 0.3, 3.158193)


def by_match(levels, sigma) -> int | None:
    """As patches do that compare levels: `.item()` fails where two are alike."""
    found = (levels == sigma).nonzero()
    return int(found.item()) if len(found) else None


def by_crossing(levels, sigma) -> int:
    """As patches do that walk until the level is passed."""
    found = by_match(levels, sigma)
    if found is not None:
        return found
    return next(k for k, (a, b) in enumerate(pairwise(levels)) if (a - sigma) * (b - sigma) <= 0)


def counting(model, find, act=lambda step, args: None):
    """A MODEL whose guidance notes the step that each call finds itself in."""
    steps = []

    def guide(args):
        options = args["model_options"]["transformer_options"]
        sigma = args["timestep"][0]
        steps.append(find(options["sample_sigmas"].to(sigma), sigma))
        changed = act(steps[-1], args)
        mixed = args["uncond"] + args["cond_scale"] * (args["cond"] - args["uncond"])
        return mixed if changed is None else changed

    patched = model.clone()
    patched.set_model_sampler_cfg_function(guide, disable_cfg1_optimization=True)
    return patched, steps


def test_steps_are_counted_over_the_whole_run(model, vae):
    plan = schedule_for(model)
    patched, steps = counting(model, by_match)
    ralu(patched, vae, schedule=plan, cfg=2.0)
    assert steps == list(range(plan.total_steps))


def test_the_first_step_is_zeroed_once(flux, vae):
    """Zero-init of other packs' CFG-Zero*, as often as in plain sampling."""
    zero = lambda step, args: args["cond"] * 0 if step == 0 else None  # noqa: E731
    patched, steps = counting(flux, by_match, zero)
    plain(patched, torch.randn(1, 16, 32, 32), cfg=2.0, sigmas=torch.linspace(1, 0, 21))
    in_plain = steps.count(0)
    steps.clear()
    ralu(patched, vae, schedule=LONG, cfg=2.0)
    assert steps.count(0) == in_plain == 1


def test_calls_between_two_levels_are_found_in_their_step(flux, vae):
    patched, steps = counting(flux, by_crossing)
    ralu(patched, vae, schedule=LONG, cfg=2.0, sampler_name="dpm_2")
    assert steps == sorted(steps) and set(steps) == set(range(20))
    assert steps.count(0) == 2


def test_a_later_start_counts_what_is_left(flux, vae):
    patched, steps = counting(flux, by_match)
    latent = {"samples": torch.randn(1, 16, 32, 32)}
    ralu(patched, vae, schedule=LONG, cfg=2.0, latent=latent, denoise=0.6)
    assert steps == list(range(len(steps))) and len(steps) < 20


@pytest.mark.parametrize("denoise", [1.0, 0.9])
def test_the_sampler_still_steps_through_the_stage_alone(flux, vae, denoise):
    """And the levels that it is given are, at their steps' places, those that patches read."""
    import comfy.k_diffusion.sampling as k_diffusion

    from ralu_pack.nodes.sampler_advanced import SamplerAdvanced

    class Noise:
        seed = 7

        def generate_noise(self, latent):
            return torch.randn(1, 16, 32, 32)

    seen = []

    def stepping(model, x, sigmas, extra_args=None, **options):
        levels = extra_args["model_options"]["transformer_options"]["sample_sigmas"]
        seen.append((sigmas.clone(), levels.clone()))
        return k_diffusion.sample_euler(model, x, sigmas, extra_args=extra_args, **options)

    SamplerAdvanced.execute(
        noise=Noise(),
        guider=guider_for(flux),
        sampler=comfy.samplers.KSAMPLER(stepping),
        latent_image={"samples": torch.randn(1, 16, 32, 32)},
        denoise=denoise,
        vae=vae,
        schedule=LONG,
    )
    done = 0
    for sigmas, levels in seen:
        assert torch.equal(levels[done : done + len(sigmas)], sigmas)
        assert (levels.diff() < 0).all() and levels[-1] == 0
        done += len(sigmas) - 1
    assert len(seen) > 1 and {len(levels) for _, levels in seen} == {done + 1}


def test_a_masks_function_finds_its_step_in_the_whole_run(flux, vae):
    """As Differential Diffusion does, whose mask grows over a run."""
    seen = []

    def note(sigma, mask, extra_options):
        seen.append((by_match(extra_options["sigmas"], sigma[0]), len(extra_options["sigmas"])))
        return mask

    patched, plan = flux.clone(), schedule_for(flux)
    patched.set_model_denoise_mask_function(note)
    latent = {"samples": torch.randn(1, 16, 32, 32), "noise_mask": torch.ones(1, 1, 32, 32)}
    ralu(patched, vae, latent=latent, schedule=plan)
    assert seen == [(step, plan.total_steps + 1) for step in range(plan.total_steps)]
    assert patched.model_options["denoise_mask_function"] is note


class ByStep(comfy.samplers.CFGGuider):
    """A cfg for each step, whose number it insists on, as KJNodes' Scheduled CFG Guidance."""

    def predict_noise(self, x, timestep, model_options=None, seed=None):
        levels = model_options["transformer_options"]["sample_sigmas"]
        assert len(self.cfg) == len(levels) - 1, "cfg list length must match step count"
        cfg = self.cfg[by_crossing(levels, timestep[0])]
        conds = self.conds["negative"], self.conds["positive"]
        return comfy.samplers.sampling_function(
            self.inner_model, x, timestep, *conds, cfg, model_options=model_options, seed=seed
        )


@pytest.mark.parametrize("quality", ["balanced", "paper"])
def test_a_guider_with_a_cfg_for_each_step_keeps_its_steps(flux, quality, caplog):
    """It is told another number of steps by a plan, and would blame the user's."""
    caplog.set_level("INFO")

    def sampled(model, steps):
        guider = ByStep(model)
        guider.set_conds(tiny.conditioning(5), tiny.conditioning(6))
        guider.set_cfg([4 - 0.1 * step for step in range(steps)])
        levels, latent = torch.linspace(1, 0, 21), empty()
        noise = Noise_RandomNoise(7)
        return SamplerCustomAdvanced.execute(noise, guider, EULER, levels, latent).args[0][
            "samples"
        ]

    assert torch.equal(sampled(on(flux, quality=quality), 20), sampled(flux, 20))
    told = "its GUIDER has a cfg for each of these 20 steps; give it a single one"
    assert told in caplog.text
    if quality == "balanced":
        assert torch.isfinite(sampled(on(flux), 7)).all()  # as many as the plan has
        assert "RALU 7 steps" in caplog.text
