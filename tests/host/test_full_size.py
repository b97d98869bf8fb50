"""Plans that are at full size throughout, beside the host's own run of the same SAMPLER and levels:
at any size, with all that is wired in. Equalities are of bytes."""

from __future__ import annotations

import logging
from dataclasses import replace

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy.utils import common_upscale
from controls import applied, hint
from in_core import steps_of_second_order

from driving import advanced, ralu
from lab.models import tiny
from lab.models.controlnets import controlnet
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.samplers import REFUSED_SAMPLERS
from ralu_pack.ralu_core.plans import Plan, own_noise, plain

SIDES = (17, 26)  # of the host's latent: an odd one, and one of no whole coarse tokens


def full_size(**options) -> Plan:
    """Three steps for a MODEL of any shift."""
    return replace(plain(3.0, (3,), **options), model_shift=None)


def empty(model, batch: int = 1) -> dict:
    space = inspect_model(model).space
    frames = (1,) if space.has_frames else ()
    return {"samples": torch.zeros(batch, space.host_channels, *frames, *SIDES)}


def of_host(model, plan, latent, cfg=1.0, positive=None, seed=7, sampler=None):
    """The host's run of a plan of one stage."""
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive or tiny.conditioning(5), tiny.conditioning(6))
    guider.set_cfg(cfg)
    if sampler is None:
        is_second = plan.stages[0].order == 2
        sampler = steps_of_second_order() if is_second else comfy.samplers.sampler_object("euler")
    return guider.sample(
        comfy.sample.prepare_noise(latent["samples"], seed),
        latent["samples"],
        sampler,
        torch.tensor(plan.stages[0].sigmas),
        denoise_mask=latent.get("noise_mask"),
        disable_pbar=True,
        seed=seed,
    )


@pytest.mark.parametrize("order", [1, 2])
def test_any_size_is_the_hosts(any_model, order):
    plan = full_size(order=order)
    latent = empty(any_model, batch=2)
    samples, mask = ralu(any_model, None, latent=latent, schedule=plan)
    assert torch.equal(samples, of_host(any_model, plan, latent))
    side = inspect_model(any_model).space.host_pixels
    assert mask.shape == (2, SIDES[0] * side, SIDES[1] * side) and not mask.any()


class Fits:
    """As DiffSynth, Fun control and LLLite do: a picture, brought to the size of the latent."""

    def __init__(self, image):
        self.image = image

    def __call__(self, executor, x, *args, **kwargs):
        placed = common_upscale(self.image.movedim(-1, 1), *x.shape[:-3:-1], "area", "center")
        return executor(x + placed.mean(1, keepdim=True), *args, **kwargs)


def with_picture(model):
    patched = model.clone()
    patch = Fits(hint(size=(8 * SIDES[0], 8 * SIDES[1])))
    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "fits", patch)
    return patched


def test_a_patch_fits_its_picture_as_in_the_host(flux):
    plan, latent = full_size(), empty(flux)
    patched = with_picture(flux)
    samples, _ = ralu(patched, None, latent=latent, schedule=plan)
    assert torch.equal(samples, of_host(patched, plan, latent))
    assert not torch.equal(samples, of_host(flux, plan, latent))


@pytest.mark.parametrize(("sides", "refused"), [(SIDES, True), ((16, 24), False)])
def test_a_patch_that_fits_a_picture_to_a_larger_one(flux, sides, refused):
    latent = {"samples": torch.zeros(1, 16, *sides)}

    def run():
        return ralu(with_picture(flux), None, latent=latent, schedule=own_noise(3.158193, (1, 1)))

    if refused:
        with pytest.raises(ValueError, match=r"samples 208x136 as .* patch Fits .* of 32, remove"):
            run()
    else:
        assert torch.isfinite(run()[0]).all()


@pytest.mark.parametrize("size", [(8 * SIDES[0], 8 * SIDES[1]), (120, 300)], ids=["same", "wide"])
def test_a_controlnets_hint(flux, vae, size):
    plan, latent = full_size(), empty(flux)
    positive = applied(controlnet(flux, "flux instantx"), vae, image=hint(size=size))[0]
    samples, _ = ralu(flux, None, latent=latent, positive=positive, schedule=plan)
    assert torch.equal(samples, of_host(flux, plan, latent, positive=positive))
    assert not torch.equal(samples, of_host(flux, plan, latent))


def test_an_inpaint_mask(model):
    plan = full_size()
    generator = torch.Generator().manual_seed(4)
    latent = {"samples": torch.randn(1, 16, *SIDES, generator=generator)}
    latent["noise_mask"] = torch.rand(1, 1, 8 * SIDES[0], 8 * SIDES[1], generator=generator).round()
    samples, _ = ralu(model, None, latent=latent, cfg=3.0, schedule=plan)
    assert torch.equal(samples, of_host(model, plan, latent, cfg=3.0))


@pytest.mark.parametrize("order", [1, 2])
def test_area_prompts_stay_areas(model, order):
    area = tiny.with_values(tiny.conditioning(8), area=(8, 13, 4, 0), strength=1.0)
    plan, latent, positive = full_size(order=order), empty(model), tiny.conditioning(5) + area
    samples, _ = ralu(model, None, latent=latent, cfg=3.0, positive=positive, schedule=plan)
    assert torch.equal(samples, of_host(model, plan, latent, 3.0, positive))
    assert not torch.equal(samples, of_host(model, plan, latent, 3.0))


@pytest.mark.parametrize(("plan", "told"), [(full_size(), 0), (own_noise(3.158193, (1, 1)), 1)])
def test_a_run_says_that_areas_are_not_counted(flux, caplog, plan, told):
    caplog.set_level(logging.INFO)
    area = tiny.with_values(tiny.conditioning(8), area=(8, 16, 0, 0), strength=1.0)
    ralu(flux, None, positive=tiny.conditioning(5) + area, schedule=plan)
    assert caplog.text.count("area prompts see the whole picture here, which the compari") == told


@pytest.mark.parametrize("name", sorted({*REFUSED_SAMPLERS} & {*comfy.samplers.SAMPLER_NAMES}))
def test_samplers_that_cannot_run_in_stages_run_in_one(flux, name):
    plan, latent = replace(plain(3.0, (6,)), model_shift=None), empty(flux)
    sampler = comfy.samplers.sampler_object(name)
    out = advanced(flux, sampler=sampler, schedule=plan, latent_image=latent)
    samples = out.args[0]["samples"]
    assert torch.equal(samples, of_host(flux, plan, latent, sampler=sampler))
