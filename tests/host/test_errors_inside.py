"""GUIDERs and SAMPLERs that hold others: what stages cannot do is refused there, too."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial

import comfy.k_diffusion.sampling as k_diffusion
import comfy.model_sampling
import comfy.samplers
import pytest
import torch

from driving import advanced, guider_for


class OwnSampling(comfy.samplers.CFGGuider):
    """A guider that samples by itself, past the wrappers of ComfyUI's sampling."""

    def sample(self, noise, latent_image, sampler, sigmas, denoise_mask, callback, *args, **kwargs):
        options = comfy.model_patcher.create_model_options_clone(self.model_options)
        self.conds = {
            name: [dict(one) for one in conds] for name, conds in self.original_conds.items()
        }
        self.model_options = options
        comfy.sampler_helpers.prepare_model_patcher(self.model_patcher, self.conds, options)
        return self.outer_sample(
            noise, latent_image, sampler, sigmas, denoise_mask, callback, seed=kwargs["seed"]
        )


def test_a_guider_that_replaces_the_hosts_sampling(flux, vae):
    guider = OwnSampling(flux)
    guider.original_conds = guider_for(flux).original_conds
    with unsampled(flux), pytest.raises(ValueError, match="GUIDER OwnSampling replaces it: use a"):
        advanced(flux, guider=guider, vae=vae)


class Outer(comfy.samplers.CFGGuider):
    """A guider that leaves the sampling to another one."""

    def sample(self, *args, **kwargs):
        inner = self.inner(self.model_patcher)
        inner.original_conds = self.original_conds
        return inner.sample(*args, **kwargs)


@pytest.mark.parametrize("inner", [OwnSampling, comfy.samplers.CFGGuider])
def test_a_guider_inside_another_that_the_mixed_stage_cannot_join(flux, inner):
    guider = Outer(flux)
    guider.inner = inner
    guider.original_conds = guider_for(flux).original_conds
    with unsampled(flux), pytest.raises(ValueError, match="the GUIDER Outer replaces it: use a"):
        advanced(flux, guider=guider)


def test_a_guider_of_any_kind_where_no_stage_is_mixed(flux):
    """Only the full-size stage is left at that denoise."""
    guider = Outer(flux)
    guider.inner = OwnSampling
    guider.original_conds = guider_for(flux).original_conds
    out = advanced(flux, guider=guider, denoise=0.3).args[0]["samples"]
    assert torch.equal(out, advanced(flux, denoise=0.3).args[0]["samples"])


@contextmanager
def unsampled(model):
    """Fail where the network is called."""

    def call(*_):
        raise AssertionError("The network was called.")

    handle = model.model.diffusion_model.register_forward_pre_hook(call)
    try:
        yield
    finally:
        handle.remove()


def holding(sampler):
    """SAMPLERs that hold another one, in the ways that packs do."""

    def wrapping(model, x, sigmas, wrapped=None, **options):
        return sampler.sampler_function(model, x, sigmas, **options)

    def plain(model, x, sigmas, inner=None, **options):
        return inner.sampler_function(model, x, sigmas, **options)

    class Own(comfy.samplers.Sampler):
        def __init__(self):
            self.inner = sampler
            self.sampler_function = plain

    kinds = {
        "option": comfy.samplers.KSAMPLER(plain, {"inner": sampler}),
        "options": comfy.samplers.KSAMPLER(plain, {"inner": {"each": [sampler]}}),
        "function": comfy.samplers.KSAMPLER(plain, {"inner": sampler.sampler_function}),
        "closure": comfy.samplers.KSAMPLER(wrapping),
        "partial": comfy.samplers.KSAMPLER(partial(plain, inner=sampler)),
        "attribute": Own(),
        "twice": comfy.samplers.KSAMPLER(
            plain, {"inner": comfy.samplers.KSAMPLER(plain, {"x": sampler})}
        ),
    }
    return kinds


WAYS = tuple(holding(comfy.samplers.sampler_object("euler")))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("refused", ["dpm_fast", "dpm_adaptive", "sa_solver", "ddpm"])
def test_a_refused_sampler_inside_another(flux, way, refused):
    sampler = holding(comfy.samplers.sampler_object(refused))[way]
    with unsampled(flux), pytest.raises(ValueError, match=f"the sampler {refused} does not keep"):
        advanced(flux, sampler=sampler)


def test_a_refused_sampler_by_its_name(flux):
    sampler = comfy.samplers.KSAMPLER(k_diffusion.sample_euler, {"sampler_name": "dpm_fast"})
    with pytest.raises(ValueError, match="the sampler dpm_fast does not keep"):
        advanced(flux, sampler=sampler)


@pytest.mark.parametrize("way", ["option", "closure"])
def test_a_sampler_inside_another(flux, way, caplog):
    """The steps of one stage at a time are all that it sees, and the log says so."""
    sampler = holding(comfy.samplers.sampler_object("euler"))[way]
    with caplog.at_level(logging.INFO):
        out = advanced(flux, sampler=sampler).args[0]["samples"]
    assert torch.equal(out, advanced(flux).args[0]["samples"])
    assert ("holds another, and RALU gives it the steps of one stage" in caplog.text) == (
        way == "option"
    )


def counting(model, x, sigmas, steps=20, extra_args=None, **options):
    """A sampler of a pack that holds its own number of steps."""
    for k in range(steps):
        x = x + sigmas[k + 1] - sigmas[k]
    return x


def test_a_sampler_that_counts_on_its_own_steps(flux):
    phrase = r"each stage its own steps, here 2, and the SAMPLER counting .*index 3.*: set its own"
    with pytest.raises(ValueError, match=phrase) as raised:
        advanced(flux, sampler=comfy.samplers.KSAMPLER(counting))
    assert isinstance(raised.value.__cause__, IndexError)


def test_an_index_error_of_the_model_is_its_own(flux):
    def fail(*_):
        raise IndexError("of the model")

    handle = flux.model.diffusion_model.register_forward_pre_hook(fail)
    try:
        with pytest.raises(IndexError, match="of the model"):
            advanced(flux)
    finally:
        handle.remove()
